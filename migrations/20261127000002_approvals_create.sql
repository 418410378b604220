-- Approvals: exact calls that wait for a human, and what was decided about them.

create table approvals (
    org_id uuid not null references orgs,
    id uuid not null,
    state text not null constraint approvals_state_known check (state in ('pending', 'approved', 'denied', 'expired', 'withdrawn')),
    -- Who asks; the names as they were then.
    grant_id uuid not null,
    grant_label text not null,
    user_id uuid,
    requester_name text not null,
    client_name text,
    -- For what: exactly this call of exactly this definition under exactly these policies.
    server_id uuid not null,
    server_slug text not null,
    tool text not null,
    class text not null,
    fingerprint bytea not null,
    arguments_digest bytea not null,
    policies_digest bytea not null,
    -- The arguments as they came, sealed under the organization's key.
    sealed_arguments bytea not null,
    data_key_id uuid not null,
    -- Who has to agree: an array of {layer, policy, version, rule, name, approvers, quorum}.
    needs jsonb not null,
    request_id uuid not null,
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    nudged_at timestamptz,
    -- What was decided: for one call, or for all with these arguments until then.
    is_single boolean not null default true,
    valid_until timestamptz,
    reason text not null default '' constraint approvals_reason_length check (length(reason) <= 500),
    decided_at timestamptz,
    decided_by uuid,
    uses integer not null default 0,
    used_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint approvals_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade,
    constraint approvals_server_is_here foreign key (org_id, server_id) references servers (org_id, id) on delete cascade,
    constraint approvals_are_valid_when_approved check ((state = 'approved') = (valid_until is not null))
);
-- The same call asked for again is the same request.
create unique index approvals_wait_once on approvals (org_id, grant_id, server_id, tool, arguments_digest, fingerprint, policies_digest) where state = 'pending';
create index approvals_of_call on approvals (org_id, grant_id, server_id, tool, arguments_digest);
create index approvals_by_time on approvals (org_id, asked_at desc, id desc);
create index approvals_waiting on approvals (org_id, expires_at) where state = 'pending';
create index approvals_of_user on approvals (org_id, user_id, asked_at desc) where user_id is not null;
call make_tenant_table('approvals');

create table approval_votes (
    org_id uuid not null,
    approval_id uuid not null,
    user_id uuid not null,
    is_approved boolean not null,
    reason text not null default '' constraint approval_votes_reason_length check (length(reason) <= 500),
    at timestamptz not null,
    primary key (org_id, approval_id, user_id),
    constraint approval_votes_approval_is_here foreign key (org_id, approval_id) references approvals (org_id, id) on delete cascade
);
call make_tenant_table('approval_votes');
