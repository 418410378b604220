-- The arguments of calls, where an organization keeps them: sealed, beside the record, which never holds them, and gone after
-- so many days. None is the default.

alter table orgs add column argument_days integer not null default 0
    constraint orgs_argument_days_bounded check (argument_days between 0 and 365);

create table call_arguments (
    org_id uuid not null references orgs,
    -- The event that records the intent of the call.
    id uuid not null,
    -- Without what a policy says is never stored.
    sealed_arguments bytea not null,
    key_id uuid not null,
    at timestamptz not null,
    expires_at timestamptz not null,
    primary key (org_id, id)
);
create index call_arguments_over on call_arguments (expires_at);
call make_tenant_table('call_arguments');
grant select, delete on call_arguments to portreeve_system;
create policy of_the_system on call_arguments to portreeve_system using (true) with check (true);
