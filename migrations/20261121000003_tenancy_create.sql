-- Organizations, who is in them, and teams.

create table orgs (
    id uuid primary key,
    slug text not null constraint orgs_slug_is_free unique,
    name text not null constraint orgs_name_length check (length(name) between 1 and 100),
    -- Rises with every change that a decision depends on.
    epoch bigint not null default 1,
    require_second_factor boolean not null default false,
    invitation_hours integer not null default 72 constraint orgs_invitation_hours_range check (invitation_hours between 1 and 720),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    suspended_at timestamptz,
    suspended_reason text constraint orgs_suspended_reason_length check (length(suspended_reason) between 1 and 500),
    -- Deletion waits for a second owner, or for the grace period where there is none.
    deletion_asked_at timestamptz,
    deletion_asked_by uuid,
    deleted_at timestamptz,
    version bigint not null default 1,
    constraint orgs_suspended_for_a_reason check ((suspended_at is null) = (suspended_reason is null)),
    constraint orgs_deletion_asked_by_someone check ((deletion_asked_at is null) = (deletion_asked_by is null))
);
alter table orgs enable row level security;
alter table orgs force row level security;
grant select, insert, update on orgs to portreeve_app;
grant select, update on orgs to portreeve_system;
create policy of_this_org on orgs to portreeve_app using (id = (select current_org())) with check (id = (select current_org()));
create policy of_the_system on orgs to portreeve_system using (true) with check (true);

create table memberships (
    org_id uuid not null references orgs,
    user_id uuid not null references users,
    role text not null constraint memberships_role_known check (role in ('owner', 'admin', 'policy_manager', 'approver', 'auditor', 'member')),
    invited_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_seen_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, user_id)
);
create index memberships_of_user on memberships (user_id);
call make_tenant_table('memberships');
grant select on memberships to portreeve_system;
create policy of_the_system on memberships for select to portreeve_system using (true);
create policy of_this_person on memberships for select to portreeve_app using (user_id = (select current_person()));

-- A person sees the organizations they are in; an organization sees the people who are in it.
create policy of_a_member on orgs for select to portreeve_app
    using (exists (select from memberships m where m.org_id = orgs.id and m.user_id = (select current_person())));
create policy of_an_org on users for select to portreeve_app
    using (exists (select from memberships m where m.user_id = users.id and m.org_id = (select current_org())));
-- Off-boarding ends the sessions of a person who is still a member while the transaction runs.
create policy of_an_org_read on sessions for select to portreeve_app
    using (exists (select from memberships m where m.user_id = sessions.user_id and m.org_id = (select current_org())));
create policy of_an_org_end on sessions for delete to portreeve_app
    using (exists (select from memberships m where m.user_id = sessions.user_id and m.org_id = (select current_org())));

create table teams (
    org_id uuid not null references orgs,
    id uuid not null,
    slug text not null,
    name text not null constraint teams_name_length check (length(name) between 1 and 100),
    description text not null default '' constraint teams_description_length check (length(description) <= 500),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint teams_slug_is_free unique (org_id, slug)
);
call make_tenant_table('teams');

create table team_members (
    org_id uuid not null,
    team_id uuid not null,
    user_id uuid not null,
    role text not null constraint team_members_role_known check (role in ('owner', 'admin', 'member')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1,
    primary key (org_id, team_id, user_id),
    foreign key (org_id, team_id) references teams (org_id, id) on delete cascade,
    constraint team_members_are_members foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade
);
create index team_members_of_user on team_members (org_id, user_id);
call make_tenant_table('team_members');

create table invitations (
    org_id uuid not null references orgs,
    id uuid not null,
    email text not null,
    email_key text not null,
    role text not null constraint invitations_role_known check (role in ('owner', 'admin', 'policy_manager', 'approver', 'auditor', 'member')),
    team_id uuid,
    token_hash bytea not null,
    -- A person or a service account; no foreign key, for an invitation outlives whoever sent it.
    invited_by uuid not null,
    invited_by_kind text not null constraint invitations_inviter_known check (invited_by_kind in ('user', 'service_account')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- When the latest link was made; an earlier one is dead.
    sent_at timestamptz not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint invitations_accepted_by_someone check ((accepted_at is null) = (accepted_by is null)),
    constraint invitations_end_once check (accepted_at is null or revoked_at is null),
    constraint invitations_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete set null (team_id)
);
create unique index invitations_one_open on invitations (org_id, email_key) where accepted_at is null and revoked_at is null;
create unique index invitations_by_id on invitations (id);
create index invitations_open_by_email on invitations (email_key) where accepted_at is null and revoked_at is null;
call make_tenant_table('invitations');
-- Only to find the organization that a carried token belongs to.
grant select on invitations to portreeve_system;
create policy of_the_system on invitations for select to portreeve_system using (true);

-- The emergency stop.
create table gates (
    org_id uuid primary key references orgs,
    open boolean not null default true,
    reason text not null default '' constraint gates_reason_length check (length(reason) <= 500),
    changed_at timestamptz not null,
    changed_by uuid,
    version bigint not null default 1
);
call make_tenant_table('gates');
