-- Records of calls are looked for only where they are handed in again, and what is read is read by keys.
--
-- Looking for each outcome cost as much as keeping it; and where the plan was made while the tables were young, it went
-- through the organization's whole chain each time, until the database next gathered its statistics. Only a replica
-- whose connection broke hands a record in again, and it says so. Plans that read whole tables are ruled out here, for
-- those of young tables are kept: open_calls looks empty to the statistics and is full of rows that just ended.
--
-- The function without the last parameter stays for replicas of the version before.
create function record_calls(
    p_org uuid, p_replica uuid, p_ids uuid[], p_ats timestamptz[], p_epochs bigint[], p_opens boolean[],
    p_closes uuid[], p_actions text[], p_actor_kinds text[], p_actor_ids text[], p_actor_names text[],
    p_user_ids uuid[], p_target_kinds text[], p_target_ids text[], p_target_names text[], p_decisions text[],
    p_request_ids uuid[], p_ips text[], p_heads bytea[], p_tails bytea[],
    p_again boolean[]
) returns table (epoch bigint, seqs bigint[])
language plpgsql set enable_seqscan = off as $$
declare
    v_label constant bytea := 'portreeve/audit/1'::bytea || uuid_send(p_org);
    v_seq bigint;
    v_known bigint;
    v_hash bytea;
    v_epoch bigint;
    v_record bytea;
    v_seqs bigint[] := array_fill(0::bigint, array[cardinality(p_ids)]);
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
    return query select v_epoch, v_seqs;
end $$;
