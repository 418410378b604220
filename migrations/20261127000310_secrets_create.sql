-- Secrets: named values of the organization, of a team or of a person, which servers are sent. Values are sealed.

create table secrets (
    org_id uuid not null references orgs,
    id uuid not null,
    scope text not null constraint secrets_scope_known check (scope in ('org', 'team', 'user')),
    -- Whose it is, where it is not the organization's; it goes with them.
    team_id uuid,
    user_id uuid,
    name text not null constraint secrets_name_length check (length(name) between 1 and 100),
    description text not null default '' constraint secrets_description_length check (length(description) <= 500),
    sealed_value bytea not null,
    data_key_id uuid not null,
    rotate_after_days integer constraint secrets_rotate_after_days_range check (rotate_after_days between 1 and 3650),
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- When the present value came.
    rotated_at timestamptz not null,
    last_used_at timestamptz,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint secrets_have_one_owner check ((scope = 'team') = (team_id is not null) and (scope = 'user') = (user_id is not null)),
    constraint secrets_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete cascade,
    constraint secrets_person_is_here foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade
);
-- One name for one value of one owner.
create unique index secrets_name_is_free on secrets (org_id, coalesce(team_id, user_id, org_id), name);
create index secrets_of_team on secrets (org_id, team_id) where team_id is not null;
create index secrets_of_person on secrets (org_id, user_id) where user_id is not null;
create index secrets_by_name on secrets (org_id, name, id);
call make_tenant_table('secrets');

-- What takes its value from a secret names one.
alter table server_credentials add constraint server_credentials_secret_is_named
    check ((source in ('org_secret', 'team_secret', 'user_secret')) = (secret is not null));
