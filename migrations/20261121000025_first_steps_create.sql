-- First steps that an organization has put behind it without leaving a trace elsewhere: read, or skipped.
create table first_steps (
    org_id uuid not null references orgs,
    step text not null constraint first_steps_step_length check (length(step) between 1 and 40),
    mark text not null constraint first_steps_mark_known check (mark in ('done', 'skipped')),
    marked_at timestamptz not null,
    primary key (org_id, step)
);
call make_tenant_table('first_steps');
