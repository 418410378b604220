-- What takes its value from a connected account names the provider at which it is connected, by its row: a provider's short
-- name may change. The column `provider` held a name and was never filled.

alter table server_credentials add column provider_id uuid;
alter table server_credentials add constraint server_credentials_provider_is_here
    foreign key (org_id, provider_id) references providers (org_id, id);
alter table server_credentials add constraint server_credentials_provider_is_named
    check ((source = 'oauth') = (provider_id is not null));
create index server_credentials_of_provider on server_credentials (org_id, provider_id) where provider_id is not null;
