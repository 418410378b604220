-- What a provider did not grant when its owner last asked for it: asking again by itself would lead in a circle.

alter table connections
    add column withheld_scopes text[] not null default '{}' constraint connections_withheld_scopes_count check (cardinality(withheld_scopes) <= 500);
