-- The append-only record: one hash chain per organization and one for the instance, with signed checkpoints.
-- No foreign key to orgs: the record outlives what it speaks of, and the instance's chain has no organization.

create table audit_heads (
    org_id uuid primary key,
    seq bigint not null,
    hash bytea not null,
    -- How far the newest checkpoint reaches and when it was made: a job finds the chains that are due by these.
    checkpoint_seq bigint not null default 0,
    checkpoint_at timestamptz
);

create table events (
    org_id uuid not null,
    seq bigint not null constraint events_seq_positive check (seq > 0),
    id uuid not null,
    at timestamptz not null,
    kind text not null constraint events_kind_known check (kind in ('admin', 'auth', 'call')),
    -- Compared by bytes, so that a prefix of the name can use the index.
    action text collate "C" not null,
    actor_kind text not null,
    actor_id text,
    actor_name text not null,
    user_id uuid,
    target_kind text,
    target_id text,
    target_name text,
    decision text not null,
    request_id uuid,
    ip inet,
    -- The canonical bytes that the hash covers; the columns above repeat parts of it for searching.
    record bytea not null,
    prev_hash bytea not null,
    hash bytea not null,
    primary key (org_id, seq),
    constraint events_id_is_new unique (org_id, id)
);
create index events_newest on events (org_id, at desc, seq desc);
create index events_by_kind on events (org_id, kind, seq desc);
create index events_by_user on events (org_id, user_id, seq desc) where user_id is not null;
create index events_by_action on events (org_id, action, seq desc);
create index events_by_actor on events (org_id, actor_id, seq desc) where actor_id is not null;
create index events_by_request on events (org_id, request_id) where request_id is not null;
create index events_by_target on events (org_id, target_id, seq desc) where target_id is not null;

create table audit_checkpoints (
    org_id uuid not null,
    -- Counts the checkpoints of a chain from 1; several of the instance's may reach to the same record.
    number bigint not null constraint audit_checkpoints_number_positive check (number > 0),
    seq bigint not null constraint audit_checkpoints_seq_counts check (seq >= 0),
    at timestamptz not null,
    -- Whether it lists every chain of the installation; only the instance's do.
    is_global boolean not null,
    -- The signed bytes, the signature over them and the key that made it.
    body bytea not null,
    signature bytea not null,
    signing_key_id uuid not null,
    primary key (org_id, number)
);
create index audit_checkpoints_by_seq on audit_checkpoints (org_id, seq, number);
create index audit_checkpoints_global on audit_checkpoints (org_id, number desc) where is_global;

create table signing_keys (
    id uuid primary key,
    public_key bytea not null,
    sealed_private bytea not null,
    data_key_id uuid not null,
    created_at timestamptz not null,
    retired_at timestamptz
);
grant select, insert, update on signing_keys to portreeve_system;
grant select (id, public_key, created_at, retired_at) on signing_keys to portreeve_app;

-- Data keys seal values; each is itself wrapped by a master key that never enters the database.
create table data_keys (
    org_id uuid not null,
    id uuid not null,
    master_key_id text not null,
    wrapped bytea,
    -- About how many values it sealed; a key retires long before its random nonces could repeat.
    seals bigint not null default 0,
    created_at timestamptz not null,
    retired_at timestamptz,
    -- Destroying a key makes everything it sealed unreadable.
    destroyed_at timestamptz,
    primary key (org_id, id),
    constraint data_keys_destroyed_is_empty check ((wrapped is null) = (destroyed_at is not null))
);
create unique index data_keys_one_active on data_keys (org_id) where retired_at is null and destroyed_at is null;
create index data_keys_by_master on data_keys (master_key_id) where destroyed_at is null;

do $$
declare target regclass;
begin
    foreach target in array array['audit_heads', 'events', 'audit_checkpoints', 'data_keys']::regclass[] loop
        execute format('alter table %s enable row level security', target);
        execute format('alter table %s force row level security', target);
        execute format(
            'create policy of_this_org on %s to portreeve_app
             using (org_id = (select current_org())) with check (org_id = (select current_org()))', target);
    end loop;
end $$;

-- The application appends; nobody who serves requests can change or remove what stands.
grant select, insert on events to portreeve_app, portreeve_system;
grant select, insert on audit_checkpoints to portreeve_app, portreeve_system;
grant select, insert, update on audit_heads to portreeve_app, portreeve_system;
grant select, insert, update on data_keys to portreeve_app, portreeve_system;

create policy of_the_instance on events to portreeve_system using (org_id = instance_scope()) with check (org_id = instance_scope());
-- Checkpoints of the whole installation list every chain with its head; re-wrapping visits every key.
create policy of_the_system on audit_heads to portreeve_system using (true) with check (org_id = instance_scope());
create policy of_the_instance on audit_checkpoints to portreeve_system using (org_id = instance_scope()) with check (org_id = instance_scope());
create policy of_the_system on data_keys to portreeve_system using (true) with check (true);

create function refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'the audit record is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger events_are_append_only before update or delete on events for each row execute function refuse_change();
create trigger events_stay before truncate on events for each statement execute function refuse_change();
create trigger checkpoints_are_append_only before update or delete on audit_checkpoints for each row execute function refuse_change();
create trigger checkpoints_stay before truncate on audit_checkpoints for each statement execute function refuse_change();

-- A head moves forward or stays; going back would let new records take the numbers of old ones.
create function refuse_return() returns trigger
language plpgsql as $$
begin
    if new.seq < old.seq or new.checkpoint_seq < old.checkpoint_seq or new.org_id <> old.org_id then
        raise exception 'an audit chain only grows' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger heads_only_advance before update on audit_heads for each row execute function refuse_return();
create trigger heads_stay before delete on audit_heads for each row execute function refuse_change();
create trigger heads_stay_all before truncate on audit_heads for each statement execute function refuse_change();
