-- What each of several agreed to: a quorum comes to the least of it, not to what the last one says.
--
-- A replica of the version before writes none, which is one call: never more than somebody agreed to.
alter table approval_votes
    -- For how many minutes; none for one call.
    add column minutes integer constraint approval_votes_minutes_known check (minutes between 1 and 1440);
