#!/usr/bin/env python3
"""How long does the audit list take where an organization has very many events?

usage: audit_list.py [PROGRAM] [EVENTS]

PROGRAM is a portreeve binary (target/release/portreeve), EVENTS how many events the organization has (10,000,000; that
takes about 10 GB of disk and some minutes to make). Starts the program on a folder of its own under TMPDIR with its
private Postgres, makes the events by SQL, asks for the list through the API with each filter, and removes the folder.
Needs psql on the PATH.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/portreeve")
events = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
ROUNDS = 40

# An installation that has been busy for a year: 200 agents, 400 tools, a refusal in fifty, a person in a thousand
# events that an administrator made.
SEED = """
insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id, target_kind, target_id,
    target_name, decision, request_id, ip, record, prev_hash, hash)
select '{org}', {head} + n, gen_random_uuid(), now() - ({events} - n) * interval '3 seconds',
    case when n % 1000 = 0 then 'admin' when n % 700 = 0 then 'auth' else 'call' end,
    case when n % 1000 = 0 then 'team.updated' when n % 700 = 0 then 'session.opened' when n % 50 = 0 then 'call.refused'
        when n % 2 = 0 then 'call.allowed' else 'call.answered' end,
    'agent', 'grt_' || n % 200, 'Agent ' || n % 200, null, 'tool', 'srv_' || n % 20 || '/tool_' || n % 400,
    'server-' || n % 20 || '/tool_' || n % 400,
    case when n % 50 = 0 then 'refused' when n % 2 = 0 then 'allowed' else 'done' end,
    gen_random_uuid(), ('10.0.' || n % 200 || '.7')::inet, decode(repeat('ab', 300), 'hex'),
    decode(repeat('cd', 32), 'hex'), decode(repeat('ef', 32), 'hex')
from generate_series(1, {events}) n
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


folder = tempfile.mkdtemp(prefix="portreeve-audit-list-")
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


def measure(key):
    def ask(query):
        address = f"http://127.0.0.1:{port}/api/v1/orgs/acme/events?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as answer:
            body = json.load(answer)
        return (time.perf_counter() - began) * 1000, body

    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - events * 3 / 2))
    cases = {
        "all, newest first": {},
        "one kind": {"kind": "call"},
        "a rare kind": {"kind": "admin"},
        "refusals": {"decision": "refused"},
        "a rare action": {"action": "team."},
        "an action that never was": {"action": "vault."},
        "a tool": {"tool": "server-7/tool_7"},
        "a request": {"request": "req_" + "0" * 26},
        "up to half a year ago": {"to": day},
        "words in a few names": {"q": "agent 177"},
        "words in no name": {"q": "nowhere at all"},
    }
    worst = 0.0
    for name, query in cases.items():
        try:
            times, found = [], 0
            for _ in range(ROUNDS):
                took, body = ask({"limit": 50, **query})
                times.append(took)
                found = len(body["items"])
            times.sort()
            middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
            worst = max(worst, late)
            print(f"{name:28} {found:3} events   p50 {middle:8.1f} ms   p95 {late:8.1f} ms", flush=True)
        except urllib.error.HTTPError as refused:
            print(f"{name:28} refused: {refused.read()[:200]!r}", flush=True)
    print(f"slowest p95: {worst:.1f} ms (wanted: 150 ms)")


try:
    ready()
    words = [program, "bootstrap", "--org", "acme", "--email", "ada@example.com", "--json"]
    made = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
    made = json.loads(made[made.index('{"'):])
    org = psql("select id from orgs")
    head = psql("select max(seq) from events where org_id = (select id from orgs)")
    began = time.time()
    indexes = psql("select indexdef from pg_indexes where tablename = 'events' and indexname like 'events_by_%'").splitlines()
    for index in indexes:
        psql("drop index " + index.split(" ")[2])
    psql(SEED.format(org=org, head=head, events=events))
    for index in indexes:
        psql(index)
    psql(f"update audit_heads set seq = seq + {events} where org_id = '{org}'")
    psql("vacuum analyze events")
    print(f"{events:,} events made in {time.time() - began:.0f} s, "
          f"{psql('select pg_size_pretty(pg_total_relation_size(' + chr(39) + 'events' + chr(39) + '))')}", flush=True)
    measure(made["api_key"])
finally:
    server.terminate()
    server.wait(60)
    shutil.rmtree(folder, ignore_errors=True)
