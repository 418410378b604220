-- What keeps new tokens from coming is told alike to whoever asks while an account rests, and an end that nobody can put off is
-- told some days before it.

alter table connections
    -- The kind of the failure after which it rests; empty while all is well.
    add column trouble text not null default '' constraint connections_trouble_known check (trouble in ('', 'dead_grant', 'broken_client', 'transient', 'unknown_outcome')),
    -- The end that its owner was written to about, or that is no news: renewing moves it, or it always is near.
    add column ending_told_for timestamptz;
-- The job that writes about ends finds them in every organization.
grant select (refresh_expires_at, ending_told_for) on connections to portreeve_system;
