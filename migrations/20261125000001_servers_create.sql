-- Upstream MCP servers: where they are, what requests to them carry, what they offer, how they have been doing.

create table servers (
    org_id uuid not null references orgs,
    id uuid not null,
    slug text not null constraint servers_slug_length check (length(slug) between 2 and 40),
    name text not null constraint servers_name_length check (length(name) between 1 and 100),
    description text not null default '' constraint servers_description_length check (length(description) <= 500),
    transport text not null constraint servers_transport_known check (transport in ('http', 'sse', 'stdio', 'openapi')),
    url text not null constraint servers_url_length check (length(url) between 1 and 2000),
    enabled boolean not null default true,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Rises with what people change, not with what a refresh learns: nobody's open form goes stale by itself.
    version bigint not null default 1,
    -- What the server says of itself, as last heard; nothing here is to be trusted.
    era text constraint servers_era_known check (era in ('legacy', 'modern')),
    protocol_version text constraint servers_protocol_version_length check (length(protocol_version) <= 40),
    server_name text constraint servers_server_name_length check (length(server_name) <= 200),
    server_version text constraint servers_server_version_length check (length(server_version) <= 200),
    -- The wire object as it came: text, for jsonb would lose the order of members and the writing of numbers.
    capabilities text,
    instructions text,
    -- The last time the catalogue was read, and the last time that was tried.
    refreshed_at timestamptz,
    refresh_tried_at timestamptz,
    refresh_error text constraint servers_refresh_error_length check (length(refresh_error) <= 1000),
    refresh_error_since timestamptz,
    refresh_failures integer not null default 0,
    refresh_due_at timestamptz not null,
    primary key (org_id, id),
    constraint servers_slug_is_free unique (org_id, slug),
    constraint servers_fail_since_a_time check ((refresh_error is null) = (refresh_error_since is null)),
    constraint servers_era_has_a_version check ((era is null) = (protocol_version is null))
);
create index servers_due on servers (refresh_due_at) where enabled;
call make_tenant_table('servers');
-- Only to learn whose catalogue is due for a look.
grant select on servers to portreeve_system;
create policy of_the_system on servers for select to portreeve_system using (true);

-- What requests to a server carry besides the caller's message. Values are sealed and never leave again.
create table server_credentials (
    org_id uuid not null,
    id uuid not null,
    server_id uuid not null,
    position integer not null,
    target text not null constraint server_credentials_target_known check (target in ('header', 'query', 'env')),
    name text not null constraint server_credentials_name_length check (length(name) between 1 and 200),
    source text not null constraint server_credentials_source_known
        check (source in ('static', 'oauth', 'org_secret', 'team_secret', 'user_secret')),
    provider text,
    secret text,
    template text not null default '{value}' constraint server_credentials_template_length check (length(template) between 7 and 500),
    sealed_value bytea,
    data_key_id uuid,
    primary key (org_id, id),
    constraint server_credentials_sealed_whole check ((sealed_value is null) = (data_key_id is null)),
    constraint server_credentials_static_has_a_value check ((source = 'static') = (sealed_value is not null)),
    foreign key (org_id, server_id) references servers (org_id, id) on delete cascade
);
-- Names of headers mean the same in any case.
create unique index server_credentials_name_is_free on server_credentials (org_id, server_id, target, lower(name));
call make_tenant_table('server_credentials');

-- The reviewed catalogue. A tool's row outlives the tool, so that one that returns is held against what was accepted.
create table tools (
    org_id uuid not null,
    server_id uuid not null,
    name text not null constraint tools_name_length check (length(name) between 1 and 256),
    title text constraint tools_title_length check (length(title) <= 300),
    -- The exact wire object as last seen, and the digest of its canonical form.
    definition text not null,
    fingerprint bytea not null constraint tools_fingerprint_length check (octet_length(fingerprint) = 32),
    -- What a person accepted. Only a tool that is seen with this digest may be called.
    accepted_definition text,
    accepted_fingerprint bytea constraint tools_accepted_fingerprint_length check (octet_length(accepted_fingerprint) = 32),
    -- What a person refused, so that it stays refused when it vanishes and returns.
    refused_fingerprint bytea constraint tools_refused_fingerprint_length check (octet_length(refused_fingerprint) = 32),
    -- What a caller was shown in place of the definition above.
    variant_fingerprint bytea constraint tools_variant_fingerprint_length check (octet_length(variant_fingerprint) = 32),
    variant_seen_at timestamptz,
    state text not null constraint tools_state_known check (state in ('new', 'reviewed', 'changed', 'refused', 'gone')),
    class text not null constraint tools_class_known check (class in ('read', 'write', 'execute', 'destructive', 'financial')),
    severity text not null constraint tools_severity_known check (severity in ('low', 'medium', 'high')),
    class_reason text not null constraint tools_class_reason_length check (length(class_reason) <= 1000),
    class_by text not null constraint tools_class_by_known check (class_by in ('rule', 'annotation', 'admin')),
    enabled boolean not null default true,
    required_scopes text[] not null default '{}',
    first_seen_at timestamptz not null,
    seen_at timestamptz not null,
    reviewed_at timestamptz,
    reviewed_by uuid,
    version bigint not null default 1,
    primary key (org_id, server_id, name),
    constraint tools_accepted_whole check ((accepted_definition is null) = (accepted_fingerprint is null)),
    constraint tools_variant_whole check ((variant_fingerprint is null) = (variant_seen_at is null)),
    constraint tools_reviewed_is_what_was_accepted check (state <> 'reviewed' or coalesce(fingerprint = accepted_fingerprint, false)),
    foreign key (org_id, server_id) references servers (org_id, id) on delete cascade
);
call make_tenant_table('tools');

-- Prompts, resources and resource templates as last seen; they are judged by their server, so nobody reviews them.
create table catalogue_items (
    org_id uuid not null,
    server_id uuid not null,
    kind text not null constraint catalogue_items_kind_known check (kind in ('prompt', 'resource', 'template')),
    key text not null constraint catalogue_items_key_length check (length(key) between 1 and 2000),
    definition text not null,
    fingerprint bytea not null constraint catalogue_items_fingerprint_length check (octet_length(fingerprint) = 32),
    seen_at timestamptz not null,
    primary key (org_id, server_id, kind, key),
    foreign key (org_id, server_id) references servers (org_id, id) on delete cascade
);
call make_tenant_table('catalogue_items');

-- Two weeks of answers to "are you well?".
create table server_checks (
    org_id uuid not null,
    server_id uuid not null,
    at timestamptz not null,
    ok boolean not null,
    latency_ms integer not null constraint server_checks_latency_range check (latency_ms >= 0),
    -- Where it ended, and why, when it did not go well.
    step text constraint server_checks_step_length check (length(step) <= 40),
    cause text constraint server_checks_cause_length check (length(cause) <= 1000),
    primary key (org_id, server_id, at),
    constraint server_checks_fail_somewhere check (ok = (step is null)),
    foreign key (org_id, server_id) references servers (org_id, id) on delete cascade
);
create index server_checks_age on server_checks (at);
call make_tenant_table('server_checks');
grant select, delete on server_checks to portreeve_system;
create policy of_the_system on server_checks to portreeve_system using (true) with check (true);
