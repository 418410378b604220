-- Access requests: what people ask for, and what was decided about it.

create table access_requests (
    org_id uuid not null references orgs,
    id uuid not null,
    state text not null constraint access_requests_state_known check (state in ('pending', 'approved', 'refused', 'withdrawn', 'expired')),
    -- Who asks; the names as they were then. No reference: what was asked and decided outlives a membership.
    user_id uuid not null,
    requester_name text not null,
    server_id uuid not null,
    server_slug text not null,
    -- Either tools by name, sorted, or all of one class.
    tools text[] not null constraint access_requests_tools_count check (cardinality(tools) <= 50),
    class text constraint access_requests_class_known check (class in ('read', 'write', 'execute', 'destructive', 'financial')),
    why text not null constraint access_requests_why_length check (length(why) between 1 and 500),
    hours integer not null constraint access_requests_hours_range check (hours between 1 and 720),
    -- The call that was denied.
    request_id uuid,
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    decided_at timestamptz,
    decided_by uuid,
    reason text not null default '' constraint access_requests_reason_length check (length(reason) <= 500),
    -- What was given, which may be less than what was asked for. No reference: the grant has a life of its own.
    given_tools text[] not null default '{}',
    given_hours integer,
    grant_id uuid,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint access_requests_server_is_here foreign key (org_id, server_id) references servers (org_id, id) on delete cascade,
    constraint access_requests_give_when_approved check ((state = 'approved') = (grant_id is not null) and (grant_id is null) = (given_hours is null))
);
-- The same asked for again is the same request.
create unique index access_requests_wait_once on access_requests (org_id, user_id, server_id, tools, coalesce(class, '')) where state = 'pending';
create index access_requests_waiting on access_requests (org_id, expires_at) where state = 'pending';
create index access_requests_of_user on access_requests (org_id, user_id, id desc);
create index access_requests_of_server on access_requests (org_id, server_id);
call make_tenant_table('access_requests');
