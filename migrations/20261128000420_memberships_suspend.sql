-- A member whom an admin keeps out for a while: neither they nor their agents do anything here.

alter table memberships
    add column suspended_at timestamptz,
    add column suspended_by uuid,
    add column suspended_reason text not null default ''
        constraint memberships_reason_length check (length(suspended_reason) <= 500);
