-- What a server said that it needs beyond what an account was granted (RFC 6750, section 3.1): its owner may grant it.

alter table connections
    add column wanted_scopes text[] not null default '{}' constraint connections_wanted_scopes_count check (cardinality(wanted_scopes) <= 100);
