-- Principals and credentials of scripts.

create table service_accounts (
    org_id uuid not null references orgs,
    id uuid not null,
    slug text not null,
    name text not null constraint service_accounts_name_length check (length(name) between 1 and 100),
    description text not null default '' constraint service_accounts_description_length check (length(description) <= 500),
    role text not null constraint service_accounts_role_known check (role in ('admin', 'policy_manager', 'approver', 'auditor', 'member')),
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    disabled_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint service_accounts_slug_is_free unique (org_id, slug)
);
call make_tenant_table('service_accounts');
-- Only to learn the role and state of a carried key's owner.
grant select on service_accounts to portreeve_system;
create policy of_the_system on service_accounts for select to portreeve_system using (true);

create table api_keys (
    org_id uuid not null references orgs,
    id uuid not null,
    name text not null constraint api_keys_name_length check (length(name) between 1 and 100),
    user_id uuid,
    service_account_id uuid,
    scopes text[] not null,
    token_hash bytea not null,
    -- The last letters of the token, so that a person can tell keys apart.
    tail text not null,
    created_by uuid,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    last_used_ip inet,
    revoked_at timestamptz,
    revoked_by uuid,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint api_keys_have_one_owner check (num_nonnulls(user_id, service_account_id) = 1),
    constraint api_keys_person_is_here foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade,
    constraint api_keys_account_is_here foreign key (org_id, service_account_id) references service_accounts (org_id, id) on delete cascade
);
create unique index api_keys_by_id on api_keys (id);
create index api_keys_of_user on api_keys (org_id, user_id) where user_id is not null;
create index api_keys_of_account on api_keys (org_id, service_account_id) where service_account_id is not null;
call make_tenant_table('api_keys');
-- Only to find the organization that a carried token belongs to.
grant select on api_keys to portreeve_system;
create policy of_the_system on api_keys for select to portreeve_system using (true);

-- Answers kept for a day, so that a repeated POST happens once.
create table idempotency_keys (
    org_id uuid not null references orgs,
    -- Names this use of the key: the sealed answer is bound to it.
    id uuid not null,
    actor text not null,
    key text not null constraint idempotency_keys_length check (length(key) between 1 and 200),
    request_digest bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    status smallint,
    -- The answer may hold a token that is shown once, so it is sealed.
    sealed_answer bytea,
    data_key_id uuid,
    primary key (org_id, actor, key),
    constraint idempotency_keys_answer_is_whole check (num_nulls(status, sealed_answer, data_key_id) in (0, 3))
);
create unique index idempotency_keys_by_id on idempotency_keys (org_id, id);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
call make_tenant_table('idempotency_keys');
grant select, delete on idempotency_keys to portreeve_system;
create policy of_the_system on idempotency_keys to portreeve_system using (true) with check (true);
