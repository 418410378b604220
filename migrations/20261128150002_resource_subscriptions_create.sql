-- Resources that sessions of agents follow at servers of the other generation of the protocol. The stream on which a session
-- hears of them may be at any replica, and so may the next word about them.

create table resource_subscriptions (
    org_id uuid not null,
    id uuid not null,
    grant_id uuid not null,
    server_id uuid not null,
    -- Of the agent's session, and of the address of the resource.
    session bytea not null,
    address bytea not null,
    -- The address, sealed under the organization's key.
    sealed_address bytea not null,
    key_id uuid not null,
    -- When its session last asked for it, or began to listen, by the database's clock.
    at timestamptz not null default clock_timestamp(),
    primary key (org_id, id),
    constraint resource_subscriptions_are_made_once unique (org_id, grant_id, server_id, session, address),
    constraint resource_subscriptions_grant_is_here foreign key (org_id, grant_id)
        references grants (org_id, id) on delete cascade
);
create index resource_subscriptions_over on resource_subscriptions (at);
call make_tenant_table('resource_subscriptions');
grant select, delete on resource_subscriptions to portreeve_system;
create policy of_the_system on resource_subscriptions to portreeve_system using (true) with check (true);
