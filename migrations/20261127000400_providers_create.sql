-- OAuth applications that an organization registered at providers, through which its people connect accounts.

create table providers (
    org_id uuid not null references orgs,
    id uuid not null,
    slug text not null constraint providers_slug_length check (length(slug) between 2 and 40),
    name text not null constraint providers_name_length check (length(name) between 1 and 100),
    kind text not null constraint providers_kind_known check (kind in ('preset', 'oauth2', 'oidc')),
    -- Where a preset says where to go: which one, and what fills its gaps.
    preset text constraint providers_preset_length check (length(preset) between 2 and 40),
    variables jsonb not null default '{}' constraint providers_variables_are_an_object check (jsonb_typeof(variables) = 'object'),
    -- Where no preset does. These never change: tokens and the secret must not go where they were not meant for.
    authorize_url text constraint providers_authorize_url_length check (length(authorize_url) <= 2000),
    token_url text constraint providers_token_url_length check (length(token_url) <= 2000),
    revoke_url text constraint providers_revoke_url_length check (length(revoke_url) <= 2000),
    userinfo_url text constraint providers_userinfo_url_length check (length(userinfo_url) <= 2000),
    issuer text constraint providers_issuer_length check (length(issuer) <= 2000),
    names_itself boolean not null default false,
    client_auth text constraint providers_client_auth_known check (client_auth in ('post', 'basic', 'none')),
    pkce text constraint providers_pkce_known check (pkce in ('sent', 'required', 'off')),
    client_id text not null constraint providers_client_id_length check (length(client_id) between 1 and 500),
    -- The client's secret; a public client has none.
    sealed_secret bytea,
    data_key_id uuid,
    secret_changed_at timestamptz,
    scopes text[] not null default '{}',
    user_scopes text[] not null default '{}',
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    disabled_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint providers_slug_is_free unique (org_id, slug),
    constraint providers_preset_is_named check ((kind = 'preset') = (preset is not null)),
    constraint providers_own_addresses_whole check (
        (kind <> 'preset') = (authorize_url is not null and token_url is not null and client_auth is not null and pkce is not null)
    ),
    constraint providers_sealed_whole check (
        (sealed_secret is null) = (data_key_id is null) and (sealed_secret is null) = (secret_changed_at is null)
    )
);
-- No two providers share the address of a callback, not even of two organizations: the answer of one would be taken for an
-- answer of the other (RFC 9700, section 4.4).
create unique index providers_by_id on providers (id);
call make_tenant_table('providers');
