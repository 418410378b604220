-- Policies: documents with a draft and versions, and where they are attached.

create table policies (
    org_id uuid not null references orgs,
    id uuid not null,
    slug text not null,
    name text not null constraint policies_name_length check (length(name) between 1 and 100),
    description text not null default '' constraint policies_description_length check (length(description) <= 500),
    -- The server whose tools it is about, for whoever edits it; it decides nothing by that.
    server_id uuid,
    -- The number of the version in force; none until it is published for the first time.
    live integer,
    -- What is being written, in its canonical form, and from which version it was begun.
    draft text constraint policies_draft_length check (octet_length(draft) <= 1048576),
    draft_from integer,
    draft_by uuid,
    draft_at timestamptz,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1,
    primary key (org_id, id),
    constraint policies_slug_is_free unique (org_id, slug),
    constraint policies_draft_is_whole check ((draft is null) = (draft_at is null) and (draft is not null or (draft_from is null and draft_by is null))),
    constraint policies_server_is_here foreign key (org_id, server_id) references servers (org_id, id) on delete set null (server_id)
);
create index policies_of_server on policies (org_id, server_id) where server_id is not null;
call make_tenant_table('policies');

-- A version is never changed; a rollback is a new one with an old text.
create table policy_versions (
    org_id uuid not null,
    policy_id uuid not null,
    number integer not null constraint policy_versions_count_from_one check (number >= 1),
    document text not null,
    note text not null default '' constraint policy_versions_note_length check (length(note) <= 500),
    author_id uuid,
    author_name text not null,
    created_at timestamptz not null,
    -- The version whose text it took up again.
    restores integer,
    primary key (org_id, policy_id, number),
    constraint policy_versions_policy_is_here foreign key (org_id, policy_id) references policies (org_id, id) on delete cascade
);
call make_tenant_table('policy_versions');
-- What was once in force stays as it was.
revoke update on policy_versions from portreeve_app;

-- Which policy stands in which layer above the grants; a grant names its own.
create table policy_layers (
    org_id uuid not null references orgs,
    layer text not null constraint policy_layers_layer_known check (layer in ('org', 'team', 'server')),
    team_id uuid,
    server_id uuid,
    subject_id uuid generated always as (coalesce(team_id, server_id, org_id)) stored,
    policy_id uuid not null,
    primary key (org_id, layer, subject_id),
    constraint policy_layers_subject_fits check ((layer = 'team') = (team_id is not null) and (layer = 'server') = (server_id is not null)),
    constraint policy_layers_policy_is_here foreign key (org_id, policy_id) references policies (org_id, id),
    constraint policy_layers_team_is_here foreign key (org_id, team_id) references teams (org_id, id) on delete cascade,
    constraint policy_layers_server_is_here foreign key (org_id, server_id) references servers (org_id, id) on delete cascade
);
create index policy_layers_of_policy on policy_layers (org_id, policy_id);
call make_tenant_table('policy_layers');

alter table grants add column policy_id uuid;
alter table grants add constraint grants_policy_is_here foreign key (org_id, policy_id) references policies (org_id, id);
create index grants_of_policy on grants (org_id, policy_id) where policy_id is not null;

-- Agents that may call what their ceiling allows go on so: from now on a grant that no policy speaks for may do nothing.
alter table orgs no force row level security;
alter table grants no force row level security;
alter table policies no force row level security;
alter table policy_versions no force row level security;
insert into policies (org_id, id, slug, name, description, live, created_at, updated_at)
    select o.id, gen_random_uuid(), 'within-the-ceiling', 'Within the ceiling',
        'Every tool that the class ceiling of the grant allows. Made for the grants that were there before policies.',
        1, now(), now()
    from orgs o where exists (select from grants g where g.org_id = o.id);
insert into policy_versions (org_id, policy_id, number, document, author_name, created_at)
    select p.org_id, p.id, 1, '{"version":"1","default":"allow"}', 'Portreeve', now() from policies p;
update grants g set policy_id = (select p.id from policies p where p.org_id = g.org_id);
update orgs o set epoch = epoch + 1 where exists (select from policies p where p.org_id = o.id);
alter table orgs force row level security;
alter table grants force row level security;
alter table policies force row level security;
alter table policy_versions force row level security;
