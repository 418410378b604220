-- Tokens of a provider that has moved are ended where they came from: nothing that one authorization server gave is shown to
-- another. Zero is a provider that stands where it did; else it is the version that it had there, with the client of then.

alter table token_endings
    add column former bigint not null default 0
        constraint token_endings_former_counts check (former >= 0),
    add column revoke_url text constraint token_endings_revoke_url_length check (length(revoke_url) <= 2000),
    add column client_auth text constraint token_endings_client_auth_length check (length(client_auth) <= 40),
    add column client_id text constraint token_endings_client_id_length check (length(client_id) <= 2000),
    -- As the provider kept it, and sealed for its place there.
    add column sealed_secret bytea,
    add column secret_key_id uuid,
    add constraint token_endings_former_place_whole
        check (former = 0 or revoke_url is not null and client_auth is not null and client_id is not null),
    add constraint token_endings_secret_has_key check ((sealed_secret is null) = (secret_key_id is null)),
    -- One account may have tokens to be ended at both places.
    drop constraint token_endings_pkey,
    add constraint token_endings_pkey primary key (org_id, id, former);
