-- Connected accounts, and the requests for one that are under way.

create table connections (
    org_id uuid not null references orgs,
    id uuid not null,
    provider_id uuid not null,
    -- Whose it is: a person's, a team's, or, with neither, everybody's.
    user_id uuid,
    team_id uuid,
    -- What its owner calls it; empty where the account's own name will do.
    name text not null default '' constraint connections_name_length check (length(name) <= 100),
    -- The provider's id of the account; it never changes hands, as an address may. Empty where the provider says none.
    account_id text not null constraint connections_account_id_length check (length(account_id) <= 500),
    account_name text not null default '' constraint connections_account_name_length check (length(account_name) <= 300),
    account_email text not null default '' constraint connections_account_email_length check (length(account_email) <= 300),
    workspace text not null default '' constraint connections_workspace_length check (length(workspace) <= 300),
    is_default boolean not null,
    state text not null constraint connections_state_known check (state in ('active', 'error_backoff', 'needs_reauth', 'revoked', 'disabled')),
    -- Why, as a code; empty while all is well.
    state_reason text not null default '' constraint connections_state_reason_length check (length(state_reason) <= 100),
    state_since timestamptz not null,
    -- Granted, which may be less than what was asked for.
    scopes text[] not null constraint connections_scopes_count check (cardinality(scopes) <= 500),
    -- What the provider said beside the tokens and is needed to speak with it, such as the address of an instance.
    facts jsonb not null default '{}',
    -- Access and refresh token as one value, sealed under the organization's key; gone when the connection ends.
    sealed_tokens bytea,
    data_key_id uuid,
    has_refresh boolean not null,
    expires_at timestamptz,
    refresh_expires_at timestamptz,
    issued_at timestamptz not null,
    -- Rises with every pair of tokens.
    token_version bigint not null default 1,
    -- The pair before, for a day: what a provider says about it can be understood then.
    sealed_previous bytea,
    previous_key_id uuid,
    previous_until timestamptz,
    -- Whoever refreshes holds the lease, and nobody else sends the refresh token meanwhile. How often this pair's was sent
    -- without an answer that was stored.
    lease_by uuid,
    lease_until timestamptz,
    presented integer not null default 0,
    failures integer not null default 0,
    retry_at timestamptz,
    last_ok_at timestamptz,
    last_error_at timestamptz,
    last_error text not null default '' constraint connections_last_error_length check (length(last_error) <= 100),
    -- The provider's own words about it, cleaned.
    last_error_words text not null default '' constraint connections_last_error_words_length check (length(last_error_words) <= 400),
    -- Whether its owner was written to about its state.
    is_told boolean not null default false,
    connected_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint connections_have_one_owner check (user_id is null or team_id is null),
    constraint connections_seal_both check ((sealed_tokens is null) = (data_key_id is null)),
    constraint connections_end_without_tokens check (state <> 'revoked' or sealed_tokens is null and sealed_previous is null),
    constraint connections_provider_is_here foreign key (org_id, provider_id) references providers (org_id, id),
    constraint connections_person_is_member foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade,
    constraint connections_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete cascade
);
-- One account is connected once for an owner; connecting it again is the same connection.
create unique index connections_once on connections (org_id, provider_id, coalesce(user_id, '00000000-0000-0000-0000-000000000000'), coalesce(team_id, '00000000-0000-0000-0000-000000000000'), account_id)
    where state <> 'revoked';
create unique index connections_one_default on connections (org_id, provider_id, coalesce(user_id, '00000000-0000-0000-0000-000000000000'), coalesce(team_id, '00000000-0000-0000-0000-000000000000'))
    where is_default and state <> 'revoked';
create index connections_of_user on connections (org_id, user_id, id);
create index connections_of_team on connections (org_id, team_id);
create index connections_due on connections (expires_at) where state in ('active', 'error_backoff') and has_refresh;
call make_tenant_table('connections');
-- The job that renews tokens finds what is due in every organization; it sees no token.
grant select (org_id, id, state, has_refresh, issued_at, expires_at, retry_at, lease_until) on connections to portreeve_system;
create policy of_the_system on connections for select to portreeve_system using (true);

create table connect_requests (
    org_id uuid not null references orgs,
    id uuid not null,
    -- Only a hash: whoever reads the row cannot finish somebody's request.
    state_hash bytea not null constraint connect_requests_state_length check (length(state_hash) = 32),
    -- Who asked, in which browser session, about which version of the provider.
    user_id uuid not null,
    session_id uuid not null,
    provider_id uuid not null,
    provider_version bigint not null,
    -- For whom the account is to be: the person, a team, or everybody.
    owner_kind text not null constraint connect_requests_owner_known check (owner_kind in ('user', 'team', 'org')),
    team_id uuid,
    -- The connection that is renewed; none for a new one.
    connection_id uuid,
    scopes text[] not null,
    -- Verifier and nonce, sealed under the organization's key.
    sealed_proof bytea not null,
    data_key_id uuid not null,
    return_to text not null default '' constraint connect_requests_return_length check (length(return_to) <= 500),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (org_id, id),
    constraint connect_requests_state_once unique (org_id, state_hash),
    constraint connect_requests_provider_is_here foreign key (org_id, provider_id) references providers (org_id, id) on delete cascade,
    constraint connect_requests_person_is_member foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade,
    constraint connect_requests_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete cascade
);
create index connect_requests_of_user on connect_requests (org_id, user_id);
create index connect_requests_of_state on connect_requests (state_hash);
call make_tenant_table('connect_requests');
-- The browser comes back without naming an organization: the person finds which one by the state they carry.
create policy of_this_person on connect_requests for select to portreeve_app using (user_id = (select current_person()));
