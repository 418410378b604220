-- Presets have versions, and a provider is spoken with as the one says that somebody took over. Zero is that of a provider
-- which was registered by a program that did not count them.

alter table providers add column preset_version integer not null default 0
    constraint providers_preset_version_counts check (preset_version >= 0);
