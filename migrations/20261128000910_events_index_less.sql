-- Nearly all events are intents and outcomes of calls, and each index that takes them in is paid for by every call. Kinds
-- and actions are indexed only where they are rare: a common one is found by reading the newest events. A moment is found
-- by halving, for a chain grows with time. And what is indexed by a name and the place in the chain grows at its end now
-- and no longer at its beginning, where pages were split in half; it is read backwards as fast.
drop index events_newest;
drop index events_by_kind;
create index events_by_kind on events (org_id, kind, seq) where kind <> 'call';
drop index events_by_action;
create index events_by_action on events (org_id, action, seq) where action not in ('call.allowed', 'call.answered');
drop index events_by_user;
create index events_by_user on events (org_id, user_id, seq) where user_id is not null;
drop index events_by_actor;
create index events_by_actor on events (org_id, actor_id, seq) where actor_id is not null;
drop index events_by_target;
create index events_by_target on events (org_id, target_id, seq) where target_id is not null;
-- Few rows stand in it at any time, and it is read once a minute.
drop index open_calls_by_age;

-- The place of the last event of a chain before a moment, 0 where there is none. Clocks of replicas differ, so what stands
-- near to it may be of either side: whoever asks leaves a day to spare.
create function events_before(p_org uuid, p_at timestamptz) returns bigint
language plpgsql stable strict set enable_seqscan = off as $$
declare
    v_below bigint := 0;
    v_above bigint;
    v_seq bigint;
    v_at timestamptz;
begin
    select e.seq + 1 into v_above from events e where e.org_id = p_org order by e.seq desc limit 1;
    -- Below stands what is before the moment, and at `v_above` what is not.
    while v_above - v_below > 1 loop
        select e.seq, e.at into v_seq, v_at from events e
        where e.org_id = p_org and e.seq >= (v_below + v_above) / 2 order by e.seq limit 1;
        if v_seq is null or v_seq >= v_above then
            -- Nothing stands in the upper half.
            v_above := (v_below + v_above) / 2;
        elsif v_at < p_at then
            v_below := v_seq;
        else
            v_above := (v_below + v_above) / 2;
        end if;
    end loop;
    return v_below;
end $$;
