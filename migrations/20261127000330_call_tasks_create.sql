-- Calls that wait for a human as a task: their agents ask now and then what became of them, on any replica.

create table call_tasks (
    org_id uuid not null,
    id uuid not null,
    -- For what it waits, and whose it is.
    approval_id uuid not null,
    grant_id uuid not null,
    server_id uuid not null,
    -- The generation of the protocol in which it was asked for; its answers are of that.
    era text not null constraint call_tasks_era_known check (era in ('legacy', 'modern')),
    state text not null constraint call_tasks_state_known check (state in ('canceled', 'waiting', 'calling', 'asking', 'over')),
    -- Whether its agent has led its person to the page.
    is_led boolean not null default false,
    -- How often the call was made: once, and once more for each time that the server asked for something first.
    round integer not null default 0,
    -- The request as it came, sealed under the organization's key; gone as soon as it cannot be made any more.
    sealed_call bytea,
    call_key_id uuid,
    -- What came of it, sealed alike.
    sealed_outcome bytea,
    outcome_key_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Until when its agent may ask.
    expires_at timestamptz not null,
    -- When the replica that makes the call last said that it lives, by the database's clock.
    alive_at timestamptz,
    primary key (org_id, id),
    constraint call_tasks_approval_is_here foreign key (org_id, approval_id) references approvals (org_id, id) on delete cascade,
    constraint call_tasks_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade,
    constraint call_tasks_call_is_whole check (num_nonnulls(sealed_call, call_key_id) in (0, 2)),
    constraint call_tasks_outcome_is_whole check (num_nonnulls(sealed_outcome, outcome_key_id) in (0, 2)),
    constraint call_tasks_keep_a_call_to_be_made check ((state in ('waiting', 'calling', 'asking')) = (sealed_call is not null)),
    constraint call_tasks_keep_what_came check ((state in ('asking', 'over')) = (sealed_outcome is not null))
);
-- The same call asked for again is the same task.
create unique index call_tasks_wait_once on call_tasks (org_id, approval_id, era) where state = 'waiting';
create index call_tasks_of_grant on call_tasks (org_id, grant_id);
create index call_tasks_over on call_tasks (expires_at);
call make_tenant_table('call_tasks');
grant select, delete on call_tasks to portreeve_system;
create policy of_the_system on call_tasks to portreeve_system using (true) with check (true);
