-- What is given back is given back whole: of many calls that end in one statement each its own, and a value of a call that
-- failed is forgotten once no other call stands for it.

-- How many calls stand for a value.
alter table limit_values
    add column uses bigint not null default 1 constraint limit_values_are_used check (uses > 0);
-- The value, where different ones are counted.
alter table limit_holds add column value bytea;

-- As before, and counts how many calls stand for a value.
create or replace function reserve_limits(p_org uuid, p_call uuid, p_limits jsonb, p_is_trial boolean) returns jsonb
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
                insert into limit_values as x (org_id, key, began_at, value, ends_at)
                    values (p_org, v_key, v_begans[v_at], decode(v_limit ->> 'v', 'hex'), v_endings[v_at])
                    on conflict (org_id, key, began_at, value) do update set uses = x.uses + 1;
            end if;
        end if;
        if v_limit ? 'l' or v_limit ? 'b' then
            insert into limit_holds (org_id, call_id, key, began_at, amount, is_slot, value)
                values (p_org, p_call, v_key, v_begans[v_at], v_amounts[v_at], v_limit ? 'l',
                    decode(v_limit ->> 'v', 'hex'))
                on conflict do nothing;
        end if;
    end loop;
    return null;
end $$;

-- As before, but summed: one statement changes a row once only, however many calls give something back to it.
create or replace function settle_limits(p_org uuid, p_calls uuid[], p_backs boolean[]) returns void
language plpgsql set enable_seqscan = off as $$
begin
    update limit_counts n set used = greatest(0, n.used - b.amount)
    from (
        select h.key, h.began_at, sum(h.amount) as amount
        from (select distinct c.id from unnest(p_calls, p_backs) as c (id, is_back) where c.is_back) as c
        join limit_holds h on h.org_id = p_org and h.call_id = c.id and not h.is_slot and h.value is null
        group by h.key, h.began_at
    ) as b
    where n.org_id = p_org and n.key = b.key and n.began_at = b.began_at;
    with back as (
        select h.key, h.began_at, h.value, count(*) as uses
        from (select distinct c.id from unnest(p_calls, p_backs) as c (id, is_back) where c.is_back) as c
        join limit_holds h on h.org_id = p_org and h.call_id = c.id and h.value is not null
        group by h.key, h.began_at, h.value
    ), fewer as (
        update limit_values x set uses = x.uses - b.uses from back b
        where x.org_id = p_org and x.key = b.key and x.began_at = b.began_at and x.value = b.value and x.uses > b.uses
    ), gone as (
        delete from limit_values x using back b
        where x.org_id = p_org and x.key = b.key and x.began_at = b.began_at and x.value = b.value and x.uses <= b.uses
        returning x.key, x.began_at
    )
    update limit_counts n set used = greatest(0, n.used - g.count)
    from (select v.key, v.began_at, count(*) as count from gone v group by v.key, v.began_at) as g
    where n.org_id = p_org and n.key = g.key and n.began_at = g.began_at;
    delete from limit_holds h where h.org_id = p_org and h.call_id = any (p_calls);
end $$;
