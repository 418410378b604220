-- The floor every other table stands on: who may see which rows, and what the instance itself owns.
--
-- Three database roles. The owner (who runs this) owns the schema and never serves a request. `portreeve_app`
-- serves requests and sees only rows of the organization or person named by the transaction. `portreeve_system`
-- is taken on by `SET LOCAL ROLE` for the few statements that come before either is known (sign-in, token
-- look-up, jobs) and holds only the grants listed table by table.

create function current_org() returns uuid
language sql stable parallel safe
-- After a transaction that set it, a custom setting reads as '', not null.
return nullif(current_setting('portreeve.org', true), '')::uuid;

create function current_person() returns uuid
language sql stable parallel safe
return nullif(current_setting('portreeve.person', true), '')::uuid;

-- The instance is the keeper of one chain and one data key of its own, under the id that no organization has.
create function instance_scope() returns uuid
language sql immutable parallel safe
return '00000000-0000-0000-0000-000000000000'::uuid;

-- Turns a table into a tenant table: forced row-level security, one policy, rights for the application.
create procedure make_tenant_table(target regclass)
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format(
        'create policy of_this_org on %s to portreeve_app
         using (org_id = (select current_org())) with check (org_id = (select current_org()))', target);
    execute format('grant select, insert, update, delete on %s to portreeve_app', target);
end $$;

-- Turns a table into one whose rows belong to a person.
create procedure make_person_table(target regclass)
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format(
        'create policy of_this_person on %s to portreeve_app
         using (user_id = (select current_person())) with check (user_id = (select current_person()))', target);
    execute format('create policy of_the_system on %s to portreeve_system using (true) with check (true)', target);
    execute format('grant select, insert, update, delete on %s to portreeve_app, portreeve_system', target);
end $$;

revoke execute on procedure make_tenant_table(regclass) from public;
revoke execute on procedure make_person_table(regclass) from public;

grant usage on schema public to portreeve_app, portreeve_system;

-- One row: what is true of the whole installation.
create table instance (
    only_row boolean primary key default true constraint instance_has_one_row check (only_row),
    set_up_token_hash bytea,
    set_up_at timestamptz,
    sign_up text not null default 'invitation' constraint instance_sign_up_known check (sign_up in ('closed', 'invitation', 'open')),
    updated_at timestamptz not null default now(),
    version bigint not null default 1
);
insert into instance default values;
grant select on instance to portreeve_app;
grant select, update on instance to portreeve_system;

create table replicas (
    id uuid primary key,
    version text not null,
    listen text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null
);
grant select, insert, update, delete on replicas to portreeve_system;

-- Work that outlives the request and the process that asked for it.
create table jobs (
    id uuid primary key,
    kind text not null,
    -- Ids and small facts only; anything secret is sealed in a row of its own.
    payload jsonb not null default '{}',
    -- At most one waiting job of a kind with the same key.
    dedup_key text,
    run_at timestamptz not null,
    attempts integer not null default 0,
    max_attempts integer not null default 10,
    locked_by uuid,
    locked_until timestamptz,
    last_error text,
    created_at timestamptz not null,
    finished_at timestamptz,
    failed_at timestamptz
);
create index jobs_due on jobs (run_at) where finished_at is null and failed_at is null;
create unique index jobs_once_waiting on jobs (kind, dedup_key) where dedup_key is not null and finished_at is null and failed_at is null;
create index jobs_finished on jobs (finished_at) where finished_at is not null;
grant insert on jobs to portreeve_app;
grant select, insert, update, delete on jobs to portreeve_system;

-- Letters waiting to be sent, or kept for the operator where no mail server is set.
create table letters (
    id uuid primary key,
    recipient text not null,
    kind text not null,
    -- Links in a letter are secrets: subject and both bodies are sealed as one value, under the data key of the
    -- organization it was written for, or of the instance (nil). No reference to orgs: a letter may outlive it.
    chain_id uuid not null,
    sealed_content bytea not null,
    data_key_id uuid not null,
    state text not null constraint letters_state_known check (state in ('queued', 'held', 'sent', 'failed')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    last_error text,
    created_at timestamptz not null,
    sent_at timestamptz
);
create index letters_due on letters (next_attempt_at) where state = 'queued';
create index letters_newest on letters (created_at desc, id desc);
grant insert on letters to portreeve_app;
grant select, insert, update, delete on letters to portreeve_system;

-- Protective limits shared by replicas. Unlogged: a crash may empty it, and then guessing starts again at zero.
create unlogged table attempts (
    -- A digest of what is limited: an address, or an account from an address.
    key bytea primary key,
    -- A budget: when all that was spent has come back. A growing wait: when the next try is allowed.
    due_at timestamptz not null,
    -- Tries in a row, where the wait grows with them.
    tries integer not null default 0
);
create index attempts_due on attempts (due_at);
grant select, insert, update, delete on attempts to portreeve_app, portreeve_system;

-- The application compares the schema's version with its own before it serves.
grant select on _sqlx_migrations to portreeve_app;
