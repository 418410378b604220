-- Connections keep what is read again, and nothing else: a pair of tokens that was replaced is gone with its replacement, and
-- whether somebody was written to is told by the state.

alter table connections
    drop column sealed_previous cascade,
    drop column previous_key_id,
    drop column previous_until,
    drop column is_told;
alter table connections add constraint connections_end_without_tokens check (state <> 'revoked' or sealed_tokens is null);

-- Where a provider does not say whose account it is, each sign-in is an account of its own.
drop index connections_once;
create unique index connections_once on connections (org_id, provider_id, coalesce(user_id, '00000000-0000-0000-0000-000000000000'), coalesce(team_id, '00000000-0000-0000-0000-000000000000'), account_id)
    where state <> 'revoked' and account_id <> '';

-- Requests that nobody finished are removed with all else that has run out.
create index connect_requests_due on connect_requests (expires_at);
grant select (org_id, id, expires_at), delete on connect_requests to portreeve_system;
create policy of_the_system on connect_requests to portreeve_system using (true);
