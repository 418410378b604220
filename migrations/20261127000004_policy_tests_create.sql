-- Promises that a policy is held to: a call, and what has to become of it.

create table policy_tests (
    org_id uuid not null,
    id uuid not null,
    policy_id uuid not null,
    name text not null constraint policy_tests_name_length check (length(name) between 1 and 100),
    -- The call as people write it: {grant, user, client, server, tool, arguments, ip, at}, with arguments as text.
    call text not null constraint policy_tests_call_length check (octet_length(call) <= 262144),
    expected text not null constraint policy_tests_expected_known check (expected in ('allow', 'require_approval', 'deny', 'hide')),
    created_by uuid,
    created_at timestamptz not null,
    primary key (org_id, id),
    constraint policy_tests_name_is_free unique (org_id, policy_id, name),
    constraint policy_tests_policy_is_here foreign key (org_id, policy_id) references policies (org_id, id) on delete cascade
);
call make_tenant_table('policy_tests');
