-- A call that its server answers with a question is made again with the answer. It is the same call and was counted: from
-- each of its rounds it goes on once.

create table call_rounds (
    org_id uuid not null references orgs,
    -- The intent of the round that was gone on from.
    id uuid not null,
    at timestamptz not null,
    primary key (org_id, id)
);
create index call_rounds_over on call_rounds (at);
call make_tenant_table('call_rounds');
grant select, delete on call_rounds to portreeve_system;
create policy of_the_system on call_rounds to portreeve_system using (true) with check (true);

-- As before, and takes note of the round that a call goes on from, {r} with its intent; where another call went on from
-- it before, says that.
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
        if v_limit ? 'r' then
            if exists (select from call_rounds r where r.org_id = p_org and r.id = (v_limit ->> 'r')::uuid) then
                return jsonb_build_object('round', true);
            end if;
            continue;
        end if;
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
        if v_limit ? 'r' then
            insert into call_rounds (org_id, id, at) values (p_org, (v_limit ->> 'r')::uuid, v_now);
            continue;
        end if;
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
