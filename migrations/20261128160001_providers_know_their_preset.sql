-- Presets have versions, and a provider is spoken with as the one says that somebody took over. Programs that did not count
-- them knew the first.

alter table providers add column preset_version integer not null default 1
    constraint providers_preset_version_counts check (preset_version >= 0);
