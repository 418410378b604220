-- Tokens of accounts that were ended here and are still to be ended at their providers: kept sealed until a provider was told,
-- for a day at most. No call is made with them.

create table token_endings (
    org_id uuid not null references orgs,
    -- The connection that was ended; it may be gone by now, with its person or its team.
    id uuid not null,
    provider_id uuid not null,
    user_id uuid,
    -- What pages called the account.
    title text not null constraint token_endings_title_length check (length(title) <= 500),
    facts jsonb not null,
    -- As the connection kept it, and sealed for its place there.
    sealed_tokens bytea not null,
    data_key_id uuid not null,
    attempts integer not null default 0,
    next_at timestamptz not null,
    until timestamptz not null,
    primary key (org_id, id),
    constraint token_endings_provider_is_here foreign key (org_id, provider_id) references providers (org_id, id) on delete cascade
);
create index token_endings_due on token_endings (next_at);
call make_tenant_table('token_endings');
-- The job that tells providers finds what is due in every organization; it sees no token.
grant select (org_id, id, next_at) on token_endings to portreeve_system;
create policy of_the_system on token_endings for select to portreeve_system using (true);
