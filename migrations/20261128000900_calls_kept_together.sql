-- Records of calls are linked before they come, and what they count is taken in one piece.
--
-- Whoever hands records in says behind which record of the chain it has linked them. Where the chain still ends there,
-- its links stand as they are; where it does not, they are linked here, as before. And where all of the records are
-- plain, none handed in again, none that uses an approval or holds a place, what they count is summed up beforehand: has
-- the sum room, then each has. Where it has none, or the epoch is another one, each is looked at by itself, as before.
--
-- The functions record_calls stay for replicas of the version before.
create function keep_calls(
    -- The end of the chain behind which the records are linked; null where that is not known.
    p_org uuid, p_replica uuid, p_seq bigint, p_hash bytea,
    -- Whether all are plain; then the epoch at which they were judged, and the sum of what they count, if any.
    p_is_plain boolean, p_epoch bigint, p_sum text,
    p_ids uuid[], p_ats timestamptz[], p_actions text[], p_actor_kinds text[], p_actor_ids text[], p_actor_names text[],
    p_user_ids uuid[], p_target_kinds text[], p_target_ids text[], p_target_names text[], p_decisions text[],
    p_request_ids uuid[], p_ips text[],
    -- The records with their hashes, and how many bytes stand before the number and up to its end.
    p_records bytea[], p_hashes bytea[], p_befores integer[], p_throughs integer[],
    p_opens boolean[], p_closes uuid[], p_epochs bigint[], p_again boolean[],
    -- What calls count, each text once, and for each record the place of its own.
    p_limits text[], p_limit_places integer[],
    p_approvals uuid[], p_settled uuid[], p_backs boolean[]
) returns table (epoch bigint, seqs bigint[], lacks text[], seq bigint, hash bytea)
language plpgsql set enable_seqscan = off as $$
declare
    v_count constant integer := cardinality(p_ids);
    v_label bytea;
    v_seq bigint;
    v_known bigint;
    v_hash bytea;
    v_epoch bigint;
    v_record bytea;
    v_limits jsonb;
    v_lack jsonb;
    v_all_stand boolean := false;
    v_seqs bigint[];
    v_lacks text[];
    v_records bytea[];
    v_prevs bytea[];
    v_hashes bytea[];
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
    if p_is_plain and (p_epoch is null or p_epoch = v_epoch) then
        v_all_stand := p_sum is null or reserve_limits(p_org, null, p_sum::jsonb, false) is null;
    end if;
    -- Ends before beginnings: what is given back in this very statement is there for the calls in it.
    if cardinality(p_settled) > 0 then
        perform settle_limits(p_org, p_settled, p_backs);
    end if;
    if v_all_stand and v_seq = p_seq and v_hash = p_hash then
        insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id, target_kind,
            target_id, target_name, decision, request_id, ip, record, prev_hash, hash)
        select p_org, p_seq + n.place, n.id, n.at, 'call', n.action, n.actor_kind, n.actor_id, n.actor_name, n.user_id,
            n.target_kind, n.target_id, n.target_name, n.decision, n.request_id, n.ip::inet, n.record, n.prev_hash, n.hash
        from unnest(p_ids, p_ats, p_actions, p_actor_kinds, p_actor_ids, p_actor_names, p_user_ids,
            p_target_kinds, p_target_ids, p_target_names, p_decisions, p_request_ids, p_ips, p_records,
            array_prepend(p_hash, p_hashes[1 : v_count - 1]), p_hashes)
            with ordinality as n (id, at, action, actor_kind, actor_id, actor_name, user_id, target_kind, target_id,
                target_name, decision, request_id, ip, record, prev_hash, hash, place);
        v_seq := p_seq + v_count;
        v_hash := p_hashes[v_count];
        insert into open_calls (org_id, id, replica_id, at)
        select p_org, n.id, p_replica, n.at from unnest(p_ids, p_ats, p_opens) as n (id, at, opens) where n.opens;
    else
        v_label := 'portreeve/audit/1'::bytea || uuid_send(p_org);
        v_seqs := array_fill(0::bigint, array[v_count]);
        v_lacks := array_fill(null::text, array[v_count]);
        v_records := array_fill(null::bytea, array[v_count]);
        v_prevs := v_records;
        v_hashes := v_records;
        for i in 1 .. v_count loop
            if not v_all_stand then
                -- An organization that is gone has no epoch, and nothing is allowed in it.
                continue when p_epochs[i] is not null and p_epochs[i] is distinct from v_epoch;
                if p_again[i] then
                    -- Planned anew each time: the plan of a young table would look through the organization's whole chain.
                    execute 'select e.seq from events e where e.org_id = $1 and e.id = $2' into v_known
                        using p_org, p_ids[i];
                    if v_known is not null then
                        v_seqs[i] := v_known;
                        continue;
                    end if;
                end if;
                v_limits := p_limits[p_limit_places[i]]::jsonb;
                if v_limits is not null then
                    v_lack := reserve_limits(p_org, p_ids[i], v_limits, p_approvals[i] is not null);
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
                    if v_limits is not null then
                        perform reserve_limits(p_org, p_ids[i], v_limits, false);
                    end if;
                end if;
            end if;
            v_seq := v_seq + 1;
            v_record := substr(p_records[i], 1, p_befores[i]) || convert_to(v_seq::text, 'UTF8')
                || substr(p_records[i], p_throughs[i] + 1);
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
        insert into open_calls (org_id, id, replica_id, at)
        select p_org, n.id, p_replica, n.at from unnest(v_seqs, p_ids, p_ats, p_opens) as n (seq, id, at, opens)
        where n.seq > 0 and n.opens;
    end if;
    update audit_heads h set seq = v_seq, hash = v_hash where h.org_id = p_org;
    -- Each by its whole key: to the statistics the table is empty, and a plan made by them would read all that was ever
    -- open in the organization and not yet swept away.
    delete from open_calls c where c.ctid = any (array(
        select (select o.ctid from open_calls o where o.org_id = p_org and o.id = k.id) from unnest(p_closes) as k (id)));
    return query select v_epoch, v_seqs, v_lacks, v_seq, v_hash;
end $$;
