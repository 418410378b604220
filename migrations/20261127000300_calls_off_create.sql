-- Calls that their agents called off while they waited for a human: whichever replica holds one looks here.

create table calls_off (
    org_id uuid not null,
    grant_id uuid not null,
    -- Of the agent's session and the id that it gave the call.
    call bytea not null,
    at timestamptz not null default clock_timestamp(),
    primary key (org_id, grant_id, call),
    constraint calls_off_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade
);
create index calls_off_over on calls_off (at);
call make_tenant_table('calls_off');
grant select, delete on calls_off to portreeve_system;
create policy of_the_system on calls_off to portreeve_system using (true) with check (true);
