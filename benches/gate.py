#!/usr/bin/env python3
"""What does the gate cost? Calls a fast server directly, through nginx as a plain reverse proxy, and through Portreeve.

usage: benches/gate.py [--seconds S] [--callers 1,16,64,256] [--tools small,small_stream,large,large_stream]
                       [--growth 10,1000,100000] [--json]

Everything runs on this machine, on ports of 127.0.0.1, with a Postgres cluster of its own under TMPDIR that keeps what it
commits (fsync on). Portreeve has everything on: token check, judgment by the snapshot, and the intent committed before a
call leaves. Needs release builds (cargo build --release; this script builds the two ends of the measurement itself),
Postgres server binaries, and nginx on the PATH, without which its column is left out.

Prints for each kind of answer and number of callers: calls per second, p50 and p99 in microseconds, processor time of
what is in between per 1,000 calls, that of Postgres, and the peak of memory. Ratios hold from machine to machine,
figures do not. With --growth, what a call costs with so many organizations, grants and tools in the database.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests"))
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
os.environ.setdefault("PORTREEVE_BIN", str(TARGET / "release/portreeve"))
from faults.site import ENV, Keeper, Postgres, Replica, free_port, send, until  # noqa: E402

PROGRAM = os.environ["PORTREEVE_BIN"]
MASTER_KEYS = "t1:q0pLx3Vd9m2sYb7TfKcWz5RhJ8nGuE1aQ4oI6tXvSgM="
TICKS = os.sysconf("SC_CLK_TCK")
HOST = "portreeve.example"


def build_ends():
    words = ["cargo", "build", "--release", "--locked", "--bench", "load", "--message-format", "json"]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"SQLX_OFFLINE": "true"}, check=True, stdout=subprocess.PIPE,
                          text=True)
    made = [json.loads(line) for line in done.stdout.splitlines()]
    return next(one["executable"] for one in made if one.get("target", {}).get("name") == "load" and one["executable"])


def children(pid):
    return [int(one) for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def spent(pids):
    """Processor time that these processes have had, in seconds."""
    total = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def peak(pids):
    """The most memory that these processes have held since it was last asked, in MB."""
    total = 0
    for pid in pids:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        try:
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            pass
    return total / 1024


class Nginx:
    """A plain reverse proxy that keeps connections."""

    def __init__(self, folder, upstream):
        self.port = free_port()
        conf = f"""
worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
    fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream stub {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{self.port};
        location / {{ proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
    }}
}}"""
        path = pathlib.Path(folder, "nginx.conf")
        path.write_text(conf)
        self.process = subprocess.Popen(["nginx", "-c", str(path)], stdin=subprocess.DEVNULL)
        until("nginx serves", lambda: send(self.port, "GET", "/", {}, None) is not None)

    def pids(self):
        return children(self.process.pid)


class Site:
    """Portreeve over a Postgres of its own, with an organization that has one server and one agent."""

    def __init__(self, folder, upstream):
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/postgres")
        self.postgres = Postgres(f"{folder}/postgres")
        settings = {"DATABASE_URL": self.postgres.url("portreeve_app"), "PORTREEVE_MASTER_KEYS": MASTER_KEYS,
                    "PORTREEVE_OWNER_DATABASE_URL": self.postgres.url("portreeve_owner"),
                    "PORTREEVE_BASE_URL": f"http://{HOST}", "PORTREEVE_EGRESS_ALLOW": "127.0.0.0/8"}
        self.postgres.start()
        self.keeper = Keeper([self.postgres])
        until("Postgres starts", lambda: self.postgres.sql("select 1", "postgres") == "1")
        self.postgres.sql("create role portreeve_owner login createrole", "postgres")
        self.postgres.sql("create database portreeve owner portreeve_owner", "postgres")
        self.command(settings, "migrate")
        made = json.loads(self.command(settings, "bootstrap", "--org", "acme", "--email", "ada@example.com", "--json"))
        self.key = made["api_key"]
        del settings["PORTREEVE_OWNER_DATABASE_URL"]
        self.replica = Replica(0, settings, folder)
        self.start()
        server = {"slug": "stub", "name": "stub", "transport": "http", "url": f"http://127.0.0.1:{upstream}/mcp",
                  "enabled": True}
        # With a sealed credential, as nearly every server has one.
        self.ask("servers", server)
        token = {"target": "header", "name": "Authorization", "template": "Bearer {value}", "value": "measured"}
        self.put("servers/stub/credentials", [token])
        self.ask("servers/stub/refresh", {})
        self.ask("servers/stub/tools/accept", {"tools": ["*"]})
        # As policies are: conditions on arguments, and a limit that never stops the measurement.
        rule = {"conditions": [{"path": "args.text", "op": "eq", "value": "never"}]}
        limit = {"counter": "calls", "window": "hour", "max": 1_000_000_000, "scope": "grant"}
        rules = {"deny_if": [rule, {"conditions": [{"path": "args.n", "op": "gt", "value": 1_000_000}]}], "limits": [limit]}
        document = {"version": "1", "default": "allow", "tools": {"*": {}, "small*": rules, "large*": rules}}
        self.ask("policies", {"name": "Measured", "document": document, "publish": True})
        grant = {"label": "load", "principal": {"user": made["user"]["id"]}, "servers": "all", "policy": "measured",
                 "class_ceiling": "financial"}
        self.grant = self.ask("grants", grant)["id"]
        self.token = self.ask(f"grants/{self.grant}/tokens", {"label": "load"})["token"]

    def command(self, settings, *words):
        done = subprocess.run([PROGRAM, *words], env=ENV | settings, cwd="/", text=True, capture_output=True, timeout=120)
        if done.returncode:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        self.replica.start()
        self.keeper.kept.append(self.replica)
        until("Portreeve is ready", self.replica.is_ready)

    def put(self, path, body):
        return self.ask(path, body, "PUT")

    def ask(self, path, body, method="POST"):
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        answer = send(self.replica.port, method, f"/api/v1/orgs/acme/{path}", headers, json.dumps(body))
        if not answer or answer[0] >= 300:
            sys.exit(f"{path}: {answer}")
        return json.loads(answer[1]) if answer[1] else {}


def drive(load, port, path, token, tool, callers, seconds):
    words = [load, "drive", f"http://127.0.0.1:{port}{path}", HOST, token, tool, str(callers), str(seconds)]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(load, way, tool, callers, seconds):
    """One line: what the calls saw, and what the processes in between used."""
    port, path, token, between, database = way
    drive(load, port, path, token, tool, callers, min(1.0, seconds / 4))
    used, used_by_database = spent(between()), spent(database())
    peak(between())
    line = drive(load, port, path, token, tool, callers, seconds)
    calls = max(line["calls"], 1)
    line["rate"] = line["calls"] / line["seconds"]
    line["cpu"] = (spent(between()) - used) / calls * 1e6
    line["database_cpu"] = (spent(database()) - used_by_database) / calls * 1e6
    line["peak"] = peak(between())
    return line


def compare(load, ways, args):
    lines = []
    for tool in args.tools:
        print(f"\n{tool}\n{'callers':>8} {'way':<10}{'calls/s':>9}{'p50 us':>9}{'p99 us':>9}{'CPU us':>8}{'x nginx':>8}"
              f"{'Postgres':>9}{'peak MB':>9}{'failed':>7}")
        for callers in args.callers:
            of_nginx = None
            for name, way in ways.items():
                line = measure(load, way, tool, callers, args.seconds)
                of_nginx = line["cpu"] if name == "nginx" else of_nginx
                ratio = f"{line['cpu'] / of_nginx:.2f}" if of_nginx and name != "direct" else ""
                print(f"{callers:>8} {name:<10}{line['rate']:>9.0f}{line['p50_us']:>9.0f}{line['p99_us']:>9.0f}"
                      f"{line['cpu']:>8.1f}{ratio:>8}{line['database_cpu']:>9.1f}{line['peak']:>9.1f}{line['failed']:>7}",
                      flush=True)
                lines.append({"tool": tool, "callers": callers, "way": name, **line})
    return lines


GROW = """
insert into orgs (id, slug, name, created_at, updated_at)
    select gen_random_uuid(), 'grown-' || n, 'Grown', now(), now() from generate_series({have} + 1, {want}) n;
insert into grants (org_id, id, label, user_id, all_servers, class_ceiling, created_at, updated_at, policy_id)
    select g.org_id, gen_random_uuid(), 'grown', g.user_id, true, 'read', now(), now(), g.policy_id
    from grants g, generate_series({have} + 1, {want}) n where g.label = 'load';
insert into grant_tokens (org_id, id, grant_id, label, token_hash, tail, created_at, expires_at)
    select org_id, gen_random_uuid(), id, 'grown', sha256(id::text::bytea), 'grown', now(), now() + interval '1 day'
    from grants g where label = 'grown'
        and not exists (select from grant_tokens t where t.org_id = g.org_id and t.grant_id = g.id);
insert into tools select (jsonb_populate_record(t, jsonb_build_object('name', 'grown_' || n))).*
    from tools t, generate_series({have} + 1, {want}) n where t.name = 'small';
update orgs set epoch = epoch + 1 where slug = 'acme';
analyze;
"""


def grow(load, site, way, args):
    print(f"\ngrowth: organizations, grants of the agent's own organization, and tools of the called server\n"
          f"{'each':>8}{'callers':>9}{'calls/s':>9}{'p50 us':>9}{'CPU us':>8}{'Postgres':>9}{'peak MB':>9}{'failed':>7}")
    have, lines = 0, []
    for want in args.growth:
        for statement in GROW.format(have=have, want=want).split(";\n"):
            words = [f"{site.postgres.bin}/psql", "-h", site.postgres.folder, "-U", "super", "-d", "portreeve", "-qc"]
            done = subprocess.run([*words, statement], env=ENV, cwd="/", capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"cannot grow: {done.stderr}")
        have = want
        for callers in args.callers:
            line = measure(load, way, "small", callers, args.seconds)
            print(f"{want:>8}{callers:>9}{line['rate']:>9.0f}{line['p50_us']:>9.0f}{line['cpu']:>8.1f}"
                  f"{line['database_cpu']:>9.1f}{line['peak']:>9.1f}{line['failed']:>7}", flush=True)
            lines.append({"each": want, "callers": callers, **line})
    return lines


def main():
    numbers = lambda text: [int(one) for one in text.split(",") if one]  # noqa: E731
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--callers", type=numbers, default=[1, 16, 64, 256])
    parser.add_argument("--tools", type=lambda text: text.split(","), default=["small", "small_stream", "large", "large_stream"])
    parser.add_argument("--growth", type=numbers, default=[])
    parser.add_argument("--json", action="store_true", help="print all figures as JSON in the end")
    args = parser.parse_args()
    load = build_ends()
    folder = tempfile.mkdtemp(prefix="portreeve-gate-")
    site = nginx = None
    stub = subprocess.Popen([load, "stub"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(stub.stdout.readline())
        site = Site(folder, port)
        nobody = lambda: []  # noqa: E731
        ways = {"direct": (port, "/mcp", "-", nobody, nobody)}
        if shutil.which("nginx"):
            nginx = Nginx(folder, port)
            ways["nginx"] = (nginx.port, "/mcp", "-", nginx.pids, nobody)
        else:
            print("nginx is not installed: its lines are left out")
        gate = (site.replica.port, "/mcp/acme/stub", site.token, lambda: [site.replica.process.pid], site.postgres.backends)
        ways["portreeve"] = gate
        time.sleep(2)
        at_rest = peak(gate[3]())
        print(f"Portreeve at rest: {at_rest:.1f} MB; binary {os.path.getsize(PROGRAM) / 2**20:.1f} MB")
        lines = {"compared": compare(load, ways, args), "grown": grow(load, site, gate, args) if args.growth else []}
        if args.json:
            print(json.dumps(lines))
    finally:
        stub.terminate()
        if nginx:
            nginx.process.terminate()
            nginx.process.wait(timeout=20)
        if site:
            site.keeper.end()
        stub.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
