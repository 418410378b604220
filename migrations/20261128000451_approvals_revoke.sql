-- What was agreed to can be taken back while it is not used up.
--
-- It stands as withdrawn, which a replica of the version before lets nobody use either. What it was for stays in its row.
alter table approvals
    add column revoked_at timestamptz,
    -- Nobody where a service account or Portreeve itself did.
    add column revoked_by uuid,
    add constraint approvals_revoked_are_over check (revoked_at is null or state = 'withdrawn'),
    add constraint approvals_revoked_by_is_of_one check (revoked_by is null or revoked_at is not null),
    drop constraint approvals_are_narrowed_when_approved,
    add constraint approvals_are_narrowed_when_approved
        check (asked_digest is null or state = 'approved' or revoked_at is not null);
