-- Approvals with other arguments than were asked: who agrees may agree to less.
--
-- What an approval is for stands where it always did, so a replica of the version before lets through the arguments that
-- were agreed to and no others. What was asked moves aside.
alter table approvals
    add column asked_digest bytea,
    -- The arguments as they were asked, sealed under the organization's key.
    add column sealed_asked bytea,
    add column asked_key_id uuid,
    add constraint approvals_asked_is_whole check (num_nonnulls(asked_digest, sealed_asked, asked_key_id) in (0, 3)),
    add constraint approvals_are_narrowed_when_approved check (asked_digest is null or state = 'approved'),
    add constraint approvals_narrowed_differ check (asked_digest <> arguments_digest);
-- Whoever calls as it was asked is told what was agreed to instead.
create index approvals_asked_otherwise on approvals (org_id, grant_id, server_id, tool, asked_digest) where asked_digest is not null;
