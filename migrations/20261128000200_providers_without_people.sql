-- Providers at which nobody signs in: those whose client asks for tokens in its own name, and those where people make a key by
-- hand and enter it. Of the latter only the page is known where they do so, as the address where people agree.

alter table providers
    drop constraint providers_kind_known,
    drop constraint providers_own_addresses_whole,
    drop constraint providers_client_id_length,
    add constraint providers_kind_known check (kind in ('preset', 'oauth2', 'oidc', 'client_credentials', 'api_key')),
    add constraint providers_own_addresses_whole check (
        case kind
            when 'preset' then authorize_url is null and token_url is null and client_auth is null and pkce is null
            when 'client_credentials' then
                authorize_url is null and token_url is not null and client_auth is not null and pkce is null
            when 'api_key' then token_url is null and client_auth is null and pkce is null and sealed_secret is null
            else authorize_url is not null and token_url is not null and client_auth is not null and pkce is not null
        end
    ),
    add constraint providers_client_id_length check (length(client_id) <= 500 and (client_id = '') = (kind = 'api_key')),
    -- For whom tokens are asked for, where a provider wants that said in its own word.
    add column audience text constraint providers_audience_length check (length(audience) <= 2000);
