-- Limits: what was counted, in the very transaction that lets a call go.
--
-- Every record of an organization's calls holds its audit head, so what is counted here is counted one after the other:
-- no limit is exceeded on any number of replicas, and a count stands exactly where the record does.

create table limit_counts (
    org_id uuid not null references orgs,
    -- A digest of the policy, the counter, the span and whose it is.
    key bytea not null,
    began_at timestamptz not null,
    ends_at timestamptz not null,
    used numeric not null constraint limit_counts_not_negative check (used >= 0),
    -- For people who look at what was used.
    policy_id uuid not null,
    counter text not null,
    scope text not null constraint limit_counts_scope_known check (scope in ('grant', 'user', 'team', 'client', 'server', 'org')),
    scope_id text not null,
    span text not null,
    most numeric not null,
    primary key (org_id, key, began_at)
);
create index limit_counts_over on limit_counts (ends_at);
call make_tenant_table('limit_counts');
grant select, delete on limit_counts to portreeve_system;
create policy of_the_system on limit_counts to portreeve_system using (true) with check (true);

-- Where different values are counted: which were seen.
create table limit_values (
    org_id uuid not null references orgs,
    key bytea not null,
    began_at timestamptz not null,
    value bytea not null,
    ends_at timestamptz not null,
    primary key (org_id, key, began_at, value)
);
create index limit_values_over on limit_values (ends_at);
call make_tenant_table('limit_values');
grant select, delete on limit_values to portreeve_system;
create policy of_the_system on limit_values to portreeve_system using (true) with check (true);

-- What a call took that is given back when it ends, or when it ends in an error.
create table limit_holds (
    org_id uuid not null references orgs,
    call_id uuid not null,
    key bytea not null,
    began_at timestamptz not null,
    amount numeric not null,
    -- Only held while the call is under way: a place, not an amount.
    is_slot boolean not null,
    primary key (org_id, call_id, key)
);
create index limit_holds_slots on limit_holds (org_id, key) where is_slot;
call make_tenant_table('limit_holds');

-- Takes what a call counts, or says which limit has no room: the place in the array, what is used, and in how many seconds
-- there may be room again. Nothing is taken where one has none. With p_is_trial nothing is taken at all.
--
-- A limit is {k, a, m} with the digest, the amount and the most; v, a digest, where values are told apart; w or s, the
-- calendar's span or its seconds; g where the span slides; b where it is given back after an error; o where it only
-- counts; p, c, t, y, n for people. A place is {k, m, l: true}.
create function reserve_limits(p_org uuid, p_call uuid, p_limits jsonb, p_is_trial boolean) returns jsonb
language plpgsql set enable_seqscan = off as $$
declare
    -- The database's clock, which all replicas share.
    v_now constant timestamptz := clock_timestamp();
    v_limit jsonb;
    v_at integer := -1;
    v_key bytea;
    v_most numeric;
    v_amount numeric;
    v_used numeric;
    v_length interval;
    v_grain interval;
    v_began timestamptz;
    v_from timestamptz;
    v_ends timestamptz;
    v_oldest timestamptz;
    v_begans timestamptz[] := '{}';
    v_endings timestamptz[] := '{}';
    v_amounts numeric[] := '{}';
begin
    for v_limit in select l.value from jsonb_array_elements(p_limits) as l loop
        v_at := v_at + 1;
        v_key := decode(v_limit ->> 'k', 'hex');
        v_most := (v_limit ->> 'm')::numeric;
        v_amount := coalesce((v_limit ->> 'a')::numeric, 1);
        if v_limit ? 'l' then
            select count(*) into v_used from limit_holds h where h.org_id = p_org and h.key = v_key and h.is_slot;
            v_began := v_now;
            v_ends := v_now;
        else
            if v_limit ? 's' then
                v_length := make_interval(secs => (v_limit ->> 's')::double precision);
            else
                v_length := ('1 ' || (v_limit ->> 'w'))::interval;
            end if;
            if v_limit ? 'g' then
                -- Counted in sixtieths of the span; a sixtieth counts until all of it is over, so never too much passes.
                v_grain := greatest(v_length / 60, interval '1 second');
                v_began := date_bin(v_grain, v_now, timestamptz '2000-01-01 00:00:00+00');
                v_from := v_now - v_length - v_grain;
                v_ends := v_began + v_grain + v_length;
            elsif v_limit ? 's' then
                v_began := date_bin(v_length, v_now, timestamptz '2000-01-01 00:00:00+00');
                v_from := v_began;
                v_ends := v_began + v_length;
            else
                v_began := date_trunc(v_limit ->> 'w', v_now, 'UTC');
                v_from := v_began;
                v_ends := (v_began at time zone 'UTC' + v_length) at time zone 'UTC';
            end if;
            if v_limit ? 'v' then
                select count(distinct x.value), min(x.began_at) into v_used, v_oldest from limit_values x
                    where x.org_id = p_org and x.key = v_key and x.began_at >= v_from;
                if exists (select from limit_values x where x.org_id = p_org and x.key = v_key
                        and x.began_at >= v_from and x.value = decode(v_limit ->> 'v', 'hex')) then
                    v_amount := 0;
                else
                    v_amount := 1;
                end if;
            else
                select coalesce(sum(n.used), 0), min(n.began_at) into v_used, v_oldest from limit_counts n
                    where n.org_id = p_org and n.key = v_key and n.began_at >= v_from;
            end if;
        end if;
        if v_used + v_amount > v_most and not v_limit ? 'o' then
            if v_limit ? 'g' and v_oldest is not null then
                v_ends := v_oldest + v_grain + v_length;
            end if;
            return jsonb_build_object('at', v_at, 'used', v_used::text,
                'retry', case when v_limit ? 'l' then 1 else greatest(1, ceil(extract(epoch from v_ends - v_now))) end);
        end if;
        v_begans := v_begans || v_began;
        v_endings := v_endings || v_ends;
        v_amounts := v_amounts || v_amount;
    end loop;
    if p_is_trial then
        return null;
    end if;
    v_at := 0;
    for v_limit in select l.value from jsonb_array_elements(p_limits) as l loop
        v_at := v_at + 1;
        v_key := decode(v_limit ->> 'k', 'hex');
        if not v_limit ? 'l' then
            insert into limit_counts as n (org_id, key, began_at, ends_at, used, policy_id, counter, scope, scope_id, span, most)
                values (p_org, v_key, v_begans[v_at], v_endings[v_at], v_amounts[v_at], (v_limit ->> 'p')::uuid,
                    v_limit ->> 'c', v_limit ->> 't', v_limit ->> 'y', v_limit ->> 'n', (v_limit ->> 'm')::numeric)
                on conflict (org_id, key, began_at) do update set used = n.used + excluded.used, most = excluded.most;
            if v_limit ? 'v' then
                insert into limit_values (org_id, key, began_at, value, ends_at)
                    values (p_org, v_key, v_begans[v_at], decode(v_limit ->> 'v', 'hex'), v_endings[v_at])
                    on conflict do nothing;
            end if;
        end if;
        if v_limit ? 'l' or v_limit ? 'b' then
            insert into limit_holds (org_id, call_id, key, began_at, amount, is_slot)
                values (p_org, p_call, v_key, v_begans[v_at], v_amounts[v_at], v_limit ? 'l')
                on conflict do nothing;
        end if;
    end loop;
    return null;
end $$;

-- Ends what calls held: places are free again, and what an error is not to count is given back.
create function settle_limits(p_org uuid, p_calls uuid[], p_backs boolean[]) returns void
language plpgsql set enable_seqscan = off as $$
begin
    update limit_counts n set used = greatest(0, n.used - h.amount)
    from unnest(p_calls, p_backs) as c (call_id, is_back)
    join limit_holds h on h.org_id = p_org and h.call_id = c.call_id and not h.is_slot
    where c.is_back and n.org_id = p_org and n.key = h.key and n.began_at = h.began_at;
    delete from limit_holds h where h.org_id = p_org and h.call_id = any (p_calls);
end $$;

-- As before, and with the record: what the call counts, the approval it uses up, and what ended calls give back. A call
-- that has no room or no approval any more is not recorded; p_limits and p_approvals are null for calls without.
create function record_calls(
    p_org uuid, p_replica uuid, p_ids uuid[], p_ats timestamptz[], p_epochs bigint[], p_opens boolean[],
    p_closes uuid[], p_actions text[], p_actor_kinds text[], p_actor_ids text[], p_actor_names text[],
    p_user_ids uuid[], p_target_kinds text[], p_target_ids text[], p_target_names text[], p_decisions text[],
    p_request_ids uuid[], p_ips text[], p_heads bytea[], p_tails bytea[],
    p_again boolean[], p_limits text[], p_approvals uuid[], p_settled uuid[], p_backs boolean[]
) returns table (epoch bigint, seqs bigint[], lacks text[])
language plpgsql set enable_seqscan = off as $$
declare
    v_label constant bytea := 'portreeve/audit/1'::bytea || uuid_send(p_org);
    v_seq bigint;
    v_known bigint;
    v_hash bytea;
    v_epoch bigint;
    v_record bytea;
    v_lack jsonb;
    v_seqs bigint[] := array_fill(0::bigint, array[cardinality(p_ids)]);
    v_lacks text[] := array_fill(null::text, array[cardinality(p_ids)]);
    v_records bytea[] := array_fill(null::bytea, array[cardinality(p_ids)]);
    v_prevs bytea[] := v_records;
    v_hashes bytea[] := v_records;
begin
    perform set_config('portreeve.org', p_org::text, true);
    select h.seq, h.hash into v_seq, v_hash from audit_heads h where h.org_id = p_org for update;
    if not found then
        insert into audit_heads (org_id, seq, hash)
            values (p_org, 0, sha256('portreeve/audit-genesis/1'::bytea || uuid_send(p_org)))
            on conflict do nothing;
        select h.seq, h.hash into v_seq, v_hash from audit_heads h where h.org_id = p_org for update;
    end if;
    -- After the lock: whoever changed what is decided by holds it until the change is committed.
    select o.epoch into v_epoch from orgs o where o.id = p_org;
    -- Ends before beginnings: what is given back in this very statement is there for the calls in it.
    if cardinality(p_settled) > 0 then
        perform settle_limits(p_org, p_settled, p_backs);
    end if;
    for i in 1 .. cardinality(p_ids) loop
        -- An organization that is gone has no epoch, and nothing is allowed in it.
        continue when p_epochs[i] is not null and p_epochs[i] is distinct from v_epoch;
        if p_again[i] then
            -- Planned anew each time: the plan of a young table would look through the organization's whole chain.
            execute 'select e.seq from events e where e.org_id = $1 and e.id = $2' into v_known using p_org, p_ids[i];
            if v_known is not null then
                v_seqs[i] := v_known;
                continue;
            end if;
        end if;
        if p_limits[i] is not null then
            v_lack := reserve_limits(p_org, p_ids[i], p_limits[i]::jsonb, p_approvals[i] is not null);
            if v_lack is not null then
                v_lacks[i] := v_lack::text;
                continue;
            end if;
        end if;
        if p_approvals[i] is not null then
            update approvals a set uses = a.uses + 1, used_at = clock_timestamp(), version = a.version + 1
            where a.org_id = p_org and a.id = p_approvals[i] and a.state = 'approved'
                and a.valid_until > p_ats[i] and (not a.is_single or a.uses = 0);
            if not found then
                v_lacks[i] := '{"approval": true}';
                continue;
            end if;
            if p_limits[i] is not null then
                perform reserve_limits(p_org, p_ids[i], p_limits[i]::jsonb, false);
            end if;
        end if;
        v_seq := v_seq + 1;
        v_record := p_heads[i] || convert_to(v_seq::text, 'UTF8') || p_tails[i];
        v_seqs[i] := v_seq;
        v_records[i] := v_record;
        v_prevs[i] := v_hash;
        v_hash := sha256(v_label || int8send(v_seq) || v_hash || int8send(length(v_record)) || v_record);
        v_hashes[i] := v_hash;
    end loop;
    insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id, target_kind,
        target_id, target_name, decision, request_id, ip, record, prev_hash, hash)
    select p_org, n.seq, n.id, n.at, 'call', n.action, n.actor_kind, n.actor_id, n.actor_name, n.user_id,
        n.target_kind, n.target_id, n.target_name, n.decision, n.request_id, n.ip::inet, n.record, n.prev_hash, n.hash
    from unnest(v_seqs, p_ids, p_ats, p_actions, p_actor_kinds, p_actor_ids, p_actor_names, p_user_ids,
        p_target_kinds, p_target_ids, p_target_names, p_decisions, p_request_ids, p_ips, v_records, v_prevs, v_hashes)
        as n (seq, id, at, action, actor_kind, actor_id, actor_name, user_id, target_kind, target_id, target_name,
            decision, request_id, ip, record, prev_hash, hash)
    where n.record is not null;
    update audit_heads h set seq = v_seq, hash = v_hash where h.org_id = p_org;
    insert into open_calls (org_id, id, replica_id, at)
    select p_org, n.id, p_replica, n.at from unnest(v_seqs, p_ids, p_ats, p_opens) as n (seq, id, at, opens)
    where n.seq > 0 and n.opens;
    -- Each by its whole key: to the statistics the table is empty, and a plan made by them would read all that was ever
    -- open in the organization and not yet swept away.
    delete from open_calls c where c.ctid = any (array(
        select (select o.ctid from open_calls o where o.org_id = p_org and o.id = k.id) from unnest(p_closes) as k (id)));
    return query select v_epoch, v_seqs, v_lacks;
end $$;
