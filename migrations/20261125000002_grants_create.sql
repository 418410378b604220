-- Grants: what an agent may do, in whose name, and the tokens it carries.

create table grants (
    org_id uuid not null references orgs,
    id uuid not null,
    label text not null constraint grants_label_length check (length(label) between 1 and 100),
    -- In whose name the agent acts; the grant goes with them.
    user_id uuid,
    team_id uuid,
    service_account_id uuid,
    -- Every server of the organization, also one that is added later; otherwise those in grant_servers.
    all_servers boolean not null,
    class_ceiling text not null constraint grants_class_ceiling_known check (class_ceiling in ('read', 'write', 'execute', 'destructive', 'financial')),
    expires_at timestamptz,
    -- From where and with which software it may be used; empty means from anywhere, with any.
    cidrs cidr[] not null default '{}' constraint grants_cidrs_count check (cardinality(cidrs) <= 50),
    clients text[] not null default '{}' constraint grants_clients_count check (cardinality(clients) <= 20),
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    suspended_at timestamptz,
    suspended_by uuid,
    suspended_reason text constraint grants_suspended_reason_length check (length(suspended_reason) <= 500),
    revoked_at timestamptz,
    revoked_by uuid,
    revoked_reason text constraint grants_revoked_reason_length check (length(revoked_reason) <= 500),
    version bigint not null default 1,
    primary key (org_id, id),
    constraint grants_have_one_principal check (num_nonnulls(user_id, team_id, service_account_id) = 1),
    constraint grants_suspension_is_whole check ((suspended_at is null) = (suspended_reason is null) and (suspended_at is not null or suspended_by is null)),
    constraint grants_revocation_is_whole check ((revoked_at is null) = (revoked_reason is null) and (revoked_at is not null or revoked_by is null)),
    constraint grants_person_is_here foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade,
    constraint grants_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete cascade,
    constraint grants_account_is_here foreign key (org_id, service_account_id) references service_accounts (org_id, id) on delete cascade
);
create index grants_of_user on grants (org_id, user_id) where user_id is not null;
create index grants_of_team on grants (org_id, team_id) where team_id is not null;
create index grants_of_account on grants (org_id, service_account_id) where service_account_id is not null;
call make_tenant_table('grants');

create table grant_servers (
    org_id uuid not null,
    grant_id uuid not null,
    server_id uuid not null,
    primary key (org_id, grant_id, server_id),
    constraint grant_servers_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade
);
create index grant_servers_of_server on grant_servers (org_id, server_id);
call make_tenant_table('grant_servers');

create table grant_tokens (
    org_id uuid not null,
    id uuid not null,
    grant_id uuid not null,
    label text not null constraint grant_tokens_label_length check (length(label) between 1 and 100),
    token_hash bytea not null constraint grant_tokens_hash_length check (length(token_hash) = 32),
    -- The last letters of the token, so that a person can tell tokens apart.
    tail text not null,
    created_by uuid,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_by uuid,
    last_used_at timestamptz,
    last_used_ip inet,
    -- As the client names itself.
    last_client_name text constraint grant_tokens_client_name_length check (length(last_client_name) <= 200),
    last_client_version text constraint grant_tokens_client_version_length check (length(last_client_version) <= 100),
    primary key (org_id, id),
    constraint grant_tokens_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade
);
create unique index grant_tokens_by_id on grant_tokens (id);
create index grant_tokens_of_grant on grant_tokens (org_id, grant_id);
call make_tenant_table('grant_tokens');
-- Only to find the organization that a carried token belongs to.
grant select on grant_tokens to portreeve_system;
create policy of_the_system on grant_tokens for select to portreeve_system using (true);
