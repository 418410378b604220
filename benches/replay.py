#!/usr/bin/env python3
"""How long does it take to try a draft on the calls of a week?

usage: replay.py [PROGRAM] [CALLS]

PROGRAM is a portreeve binary (target/release/portreeve), CALLS how many calls the organization's agents made in the week
(50,000). Starts the program on a folder of its own under TMPDIR with its private Postgres, makes servers, grants and
policies through the API and tools and calls by SQL, tries drafts of several kinds, and removes the folder. Needs psql on
the PATH.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/portreeve")
calls = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
ROUNDS = 5

# The tools of one server: a third of each of three classes.
TOOLS = """
insert into tools (org_id, server_id, name, definition, fingerprint, accepted_definition, accepted_fingerprint, state, class,
    severity, class_reason, class_by, first_seen_at, seen_at)
select org_id, id, 'tool_' || n, t.text, sha256(t.text::bytea), t.text, sha256(t.text::bytea), 'reviewed',
    (array['read', 'write', 'destructive'])[n % 3 + 1], 'low', 'made up', 'rule', now(), now()
from servers, generate_series(0, 99) n,
    lateral (select '{"name":"tool_' || n || '","inputSchema":{"type":"object"}}' as text) t
"""

# A busy week: each call with its outcome behind it, a refusal in fifty, arguments that are all different.
CALLS = """
with numbered as (select n, (array[%(grants)s])[n %% %(many)s + 1] as grant_id, (array[%(servers)s])[n %% 4 + 1] as server_id
    from generate_series(1, %(calls)s) n)
insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id, target_kind, target_id,
    target_name, decision, request_id, ip, record, prev_hash, hash)
select '%(org)s', %(head)s + n * 2 + x.side, gen_random_uuid(), now() - (%(calls)s - n) * interval '600000 seconds' / %(calls)s,
    'call', case when x.side = 1 then 'call.answered' when n %% 50 = 0 then 'call.refused' else 'call.allowed' end,
    'grant', grant_id, 'Agent', null, 'tool', server_id || '/tool_' || n %% 100, 'tool_' || n %% 100,
    case when x.side = 1 then 'done' when n %% 50 = 0 then 'refused' else 'allowed' end,
    gen_random_uuid(), ('10.0.' || n %% 200 || '.7')::inet,
    convert_to('{"action":"call.allowed","actor":{"id":"' || grant_id || '","kind":"grant","name":"Agent"},"call":{"arguments":{"digest":"'
        || encode(sha256(n::text::bytea), 'hex') || '","keys":["owner","repo","title"]},"class":"write","client":{"name":"claude-code","version":"2.1"},"decided":{"effect":"allow","layer":"grant","policy":"x","rule":"/default","version":1},"grant":"'
        || grant_id || '","method":"tools/call","server":"' || server_id || '","subject":"tool_' || n %% 100
        || '","token":"x","trace":{"reached":"record"},"padding":"' || repeat('x', 300) || '"}}', 'UTF8'),
    decode(repeat('cd', 32), 'hex'), decode(repeat('ef', 32), 'hex')
from numbered, (values (0), (1)) x (side)
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


folder = tempfile.mkdtemp(prefix="portreeve-replay-")
os.chmod(folder, 0o755)
data = os.path.join(folder, "data")
port = free_port()
env = {"PATH": os.environ["PATH"], "HOME": folder, "PORTREEVE_DATA_DIR": data, "PORTREEVE_METRICS_LISTEN": "off",
       "PORTREEVE_LISTEN": f"127.0.0.1:{port}"}
log = open(os.path.join(folder, "log"), "w+")
server = subprocess.Popen([program, "serve"], env=env, stdout=log, stderr=log)


def psql(statement):
    with open(os.path.join(data, "keys", "database")) as file:
        password = file.readline().strip()
    with open(os.path.join(data, "postgres", "cluster", "postmaster.pid")) as file:
        lines = file.read().splitlines()
    words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", lines[4], "-p", lines[3], "-U", "portreeve_keeper",
             "-d", "portreeve", "-c", statement]
    done = subprocess.run(words, env={**env, "PGPASSWORD": password}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def ready():
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    sys.exit("it does not get ready")


def ask(method, path, body=None):
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/orgs/acme/{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def measure():
    deny = {"deny_if": [{"conditions": [{"path": "args.title", "op": "regex", "value": "secret"}]}]}
    by_time = {"deny_if": [{"conditions": [{"path": "time", "op": "gte", "value": "18:00"}]}]}
    by_place = {"require": [{"conditions": [{"path": "ip", "op": "cidr", "value": "10.0.0.0/17"}]}]}
    drafts = {
        "one tool denied": {"tools": {"tool_7": {"action": "deny"}}},
        "writing asked for": {"tools": {"class:write": {"action": "require_approval"}}},
        "a rule for each call's time": {"all_tools": by_time},
        "a rule for each call's place": {"all_tools": by_place},
        "a rule on arguments": {"all_tools": deny},
    }
    worst = 0.0
    for name, draft in drafts.items():
        ask("PUT", "policies/crew/draft", {"document": {"version": "1", "default": "allow", **draft}})
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            found = ask("POST", "policies/crew/replay", {})
            times.append((time.perf_counter() - began) * 1000)
        times.sort()
        worst = max(worst, times[-1])
        counts = {name: count for name, count in found["counts"].items() if count}
        print(f"{name:30} {found['calls']:6} calls   p50 {times[len(times) // 2]:7.0f} ms   max {times[-1]:7.0f} ms   "
              f"ended {found['ended']}   {counts}", flush=True)
    print(f"slowest: {worst:.0f} ms (wanted: 3,000 ms for 50,000 calls)")


try:
    ready()
    words = [program, "bootstrap", "--org", "acme", "--email", "ada@example.com", "--json"]
    made = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
    made = json.loads(made[made.index('{"'):])
    key = made["api_key"]
    servers = [ask("POST", "servers", {"slug": f"server-{n}", "name": f"Server {n}", "transport": "http",
                                       "url": f"https://mcp-{n}.example.com/mcp"})["id"] for n in range(4)]
    opened = {"version": "1", "default": "allow"}
    for slug in ("crew", "open"):
        ask("POST", "policies", {"name": slug, "slug": slug, "document": opened, "publish": True})
    ask("PUT", "layers", {"org": "crew"})
    grants = [ask("POST", "grants", {"label": f"Agent {n}", "principal": {"user": made["user"]["id"]}, "servers": "all",
                                     "policy": "open", "class_ceiling": "financial"})["id"] for n in range(50)]
    psql(TOOLS)
    org = psql("select id from orgs")
    head = psql("select max(seq) from events where org_id = (select id from orgs)")
    quoted = lambda ids: ", ".join(f"'{one}'" for one in ids)
    psql(CALLS % {"org": org, "head": head, "calls": calls, "grants": quoted(grants), "many": len(grants),
                  "servers": quoted(servers)})
    psql(f"update audit_heads set seq = seq + {2 * calls + 1} where org_id = '{org}'")
    psql("vacuum analyze events")
    measure()
finally:
    server.terminate()
    server.wait(60)
    shutil.rmtree(folder, ignore_errors=True)
