-- Clients that sign in place of showing a secret. The private half stands where a secret would, sealed; here are the
-- public halves, which a provider reads at an open address: the one that signs, and for some days those before it, so
-- that nothing fails while a provider still has them.

create table provider_keys (
    org_id uuid not null references orgs,
    provider_id uuid not null,
    -- Of the callback that the client was made known with.
    callback_id uuid not null,
    public_key bytea not null constraint provider_keys_public_key_length check (length(public_key) between 32 and 64),
    created_at timestamptz not null,
    -- Until when it is shown; nothing while it signs.
    listed_until timestamptz,
    primary key (org_id, provider_id, public_key),
    constraint provider_keys_provider_is_here
        foreign key (org_id, provider_id) references providers (org_id, id) on delete cascade
);
create index provider_keys_by_provider on provider_keys (provider_id);
create index provider_keys_by_callback on provider_keys (callback_id);
call make_tenant_table('provider_keys');
-- Whoever asks for them is nobody.
grant select on provider_keys to portreeve_system;
create policy of_the_system on provider_keys for select to portreeve_system using (true);

alter table providers
    drop constraint providers_client_auth_known,
    add constraint providers_client_auth_known check (client_auth in ('post', 'basic', 'private_key_jwt', 'none'));

-- What a client signs names the place where tokens are given, also where the provider has moved since.
alter table token_endings
    add column token_url text constraint token_endings_token_url_length check (length(token_url) <= 2000);
