"""Calls of agents through three replicas, while replicas and Postgres are killed and authority is taken back."""
import collections
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

from faults.site import ENV, PATIENCE, PROGRAM, Keeper, Postgres, Replica, Upstream, send, until

REPLICAS = 3
CALLERS = 6
MASTER_KEYS = "t1:q0pLx3Vd9m2sYb7TfKcWz5RhJ8nGuE1aQ4oI6tXvSgM="
KINDS = ["replica"] * 8 + ["two replicas"] * 2 + ["Postgres"] * 4 + ["a backend of Postgres"] * 3 + [
    "everything", "a replica that starts", "a replica that starts"]
VERSION = "2026-07-28"
SAYS_OF_ITSELF = {"io.modelcontextprotocol/protocolVersion": VERSION,
                  "io.modelcontextprotocol/clientCapabilities": {},
                  "io.modelcontextprotocol/clientInfo": {"name": "trial", "version": "1"}}


class Stops:
    """When what was not to pass: from the answer that took authority back until it was asked to be given again."""

    def __init__(self):
        self.spans = []

    def begin(self):
        self.spans.append([time.monotonic(), float("inf")])

    def end(self):
        self.spans[-1][1] = time.monotonic()

    def forbids(self, began, arrived):
        """Whether a call that began and arrived at these moments lies between the two."""
        return any(start < began and arrived < end for start, end in self.spans)


class Token:
    def __init__(self, text, id):
        self.text, self.id, self.stops = text, id, Stops()


class Trial:
    # For how many seconds a call is waited for.
    patience = 20

    def __init__(self, folder, seed):
        self.folder, self.dice = folder, random.Random(seed)
        os.mkdir(f"{folder}/postgres")
        self.postgres = Postgres(f"{folder}/postgres")
        self.upstream_log = f"{folder}/upstream.log"
        self.upstream = self.make_upstream()
        settings = {"DATABASE_URL": self.postgres.url("portreeve_app"), "PORTREEVE_MASTER_KEYS": MASTER_KEYS,
                    "PORTREEVE_OWNER_DATABASE_URL": self.postgres.url("portreeve_owner"),
                    "PORTREEVE_BASE_URL": "http://portreeve.example", "PORTREEVE_EGRESS_ALLOW": "127.0.0.0/8"}
        self.settings = settings
        self.replicas = [Replica(number, settings, folder) for number in range(REPLICAS)]
        self.keeper = Keeper([self.postgres, *self.replicas])
        self.over = threading.Event()
        self.lock = threading.Lock()
        # Of each call by its marker: the token, when it began, and whether its result came back.
        self.calls, self.answers = {}, collections.Counter()
        self.gate, self.grant_stops = Stops(), Stops()
        self.tokens, self.taken_back = [], collections.Counter()
        self.faults, self.killed = [], collections.Counter()
        self.recoveries = []

    def make_upstream(self):
        return Upstream(self.upstream_log)

    def command(self, *words, **more):
        done = subprocess.run([PROGRAM, *words], env=ENV | self.settings, cwd="/", text=True, capture_output=True,
                              timeout=120, **more)
        if done.returncode:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    # Setting up

    def install(self, *words, **more):
        """An organization with an owner, served by all replicas; gives what making it gave."""
        self.postgres.start()
        until("Postgres starts", lambda: self.postgres.sql("select 1", "postgres") == "1")
        self.postgres.sql("create role portreeve_owner login createrole", "postgres")
        self.postgres.sql("create database portreeve owner portreeve_owner", "postgres")
        self.command("migrate")
        # Those that serve know nothing of the owner.
        del self.settings["PORTREEVE_OWNER_DATABASE_URL"]
        email = ["--email", "ada@example.com"]
        made = json.loads(self.command("bootstrap", "--org", "acme", *email, "--json", *words, **more))
        self.key = made["api_key"]
        for replica in self.replicas:
            replica.start()
        self.keeper.start()
        self.until_ready()
        return made

    def add_server(self):
        server = {"slug": "notes", "name": "notes", "transport": "http", "url": self.upstream.url, "enabled": True}
        self.ask("POST", "servers", server)

    def accept_tools(self):
        self.ask("POST", "servers/notes/refresh", {})
        self.ask("POST", "servers/notes/tools/accept", {"tools": ["*"]})

    def open_grant(self, made):
        """A grant for the owner with an open policy; gives what it was made of."""
        policy = {"name": "Open", "document": self.document(), "publish": True}
        self.ask("POST", "policies", policy)
        grant = {"label": "load", "principal": {"user": made["user"]["id"]}, "servers": "all", "policy": "open",
                 "class_ceiling": "financial"}
        self.steady = self.mint(self.ask("POST", "grants", grant)["id"])
        return grant

    def set_up(self):
        made = self.install()
        self.add_server()
        self.accept_tools()
        grant = self.open_grant(made)
        self.grant = self.ask("POST", "grants", grant | {"label": "taken back"})["id"]

    def document(self):
        """Everything is allowed, and counted by a limit that nobody reaches."""
        limit = {"counter": "calls", "window": "month", "max": 1_000_000_000, "scope": "org"}
        return {"version": "1", "default": "allow", "all_tools": {"limits": [limit]}}

    def counted(self):
        return int(self.postgres.sql("select coalesce(sum(used), 0)::bigint from limit_counts") or 0)

    def until_ready(self):
        until("all replicas are ready", lambda: all(replica.is_ready() for replica in self.replicas))

    def ask(self, method, path, body=None):
        """Asks any replica until one has answered. What was not answered is asked again, as the same request; where
        nobody can tell what became of it, as another one, which finds it done or does it."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        deadline, text = time.monotonic() + PATIENCE * 2, None if body is None else json.dumps(body)
        key = fresh_key()
        while time.monotonic() < deadline:
            with_key = headers | ({"idempotency-key": key} if method == "POST" else {})
            answer = send(random.choice(self.replicas).port, method, f"/api/v1/orgs/acme/{path}", with_key, text)
            if answer and answer[0] < 300:
                return json.loads(answer[1]) if answer[1] else {}
            if answer and answer[0] == 409 and b"first_attempt_open" in answer[1]:
                key = fresh_key()
            elif answer and (answer[0] == 409 or answer[0] == 404 and method == "DELETE"):
                return {}
            elif answer and answer[0] < 500 and answer[0] != 429:
                raise RuntimeError(f"{method} {path} was answered {answer[0]} {answer[1][:300]}")
            time.sleep(0.1)
        raise RuntimeError(f"{method} {path} was not answered, at last {answer}")

    def mint(self, grant):
        made = self.ask("POST", f"grants/{grant}/tokens", {"label": "trial"})
        return Token(made["token"], made["id"])

    # Load

    def call(self, token, port, marker):
        params = {"name": "note", "arguments": {"marker": marker}, "_meta": SAYS_OF_ITSELF}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        headers = {"authorization": f"Bearer {token.text}", "content-type": "application/json",
                   "accept": "application/json, text/event-stream", "host": "portreeve.example", "mcp-protocol-version": VERSION,
                   "mcp-method": "tools/call", "mcp-name": "note"}
        with self.lock:
            self.calls[marker] = (token, time.monotonic())
        answer = send(port, "POST", "/mcp/acme/notes", headers, body, self.patience)
        kind = self.kind_of(answer, marker)
        with self.lock:
            self.answers[kind] += 1
        return kind

    def kind_of(self, answer, marker):
        """What became of a call, in a word."""
        if answer is None:
            return "no answer"
        if answer[0] != 200:
            return str(answer[0])
        text = answer[1].decode()
        return ("passed" if f'"text": "{marker}"' in text else "denied" if "DENIED" in text
                else "limited" if "[LIMIT]" in text else "failed")

    def load(self, number):
        dice, count = random.Random(number), 0
        while not self.over.is_set():
            with self.lock:
                token = dice.choice([self.steady, *self.tokens[-3:]])
            count += 1
            kind = self.call(token, dice.choice(self.replicas).port, f"load-{number}-{count}")
            if kind != "passed":
                self.over.wait(0.05)

    # Authority taken back, and tried again on each replica

    def try_all(self, what, token, count):
        for at, replica in enumerate(self.replicas):
            if self.call(token, replica.port, f"{what}-{count}-{at}") == "passed":
                self.faults.append(f"{what} {count}: a call passed on replica {at}")

    def take_back(self):
        try:
            for count in range(1 << 30):
                if self.over.is_set():
                    return
                what = ("token", "grant", "gate")[count % 3]
                token = self.mint(self.grant)
                with self.lock:
                    self.tokens.append(token)
                self.over.wait(0.3)
                if what == "token":
                    self.ask("DELETE", f"grants/{self.grant}/tokens/{token.id}")
                    token.stops.begin()
                    self.try_all(what, token, count)
                elif what == "grant":
                    self.ask("POST", f"grants/{self.grant}/suspend", {"reason": "a trial"})
                    self.grant_stops.begin()
                    self.try_all(what, token, count)
                    self.grant_stops.end()
                    self.ask("POST", f"grants/{self.grant}/resume", {})
                else:
                    self.ask("PUT", "gate", {"open": False, "reason": "a trial"})
                    self.gate.begin()
                    self.try_all(what, self.steady, count)
                    self.gate.end()
                    self.ask("PUT", "gate", {"open": True})
                self.taken_back[what] += 1
                # A grant has only so many tokens that live.
                for old in self.tokens[:-3]:
                    self.ask("DELETE", f"grants/{self.grant}/tokens/{old.id}")
                with self.lock:
                    del self.tokens[:-3]
        except RuntimeError as error:
            self.faults.append(str(error))

    # Kills

    def kill(self, kind):
        replicas = self.dice.sample(self.replicas, REPLICAS)
        if kind == "a replica that starts":
            self.hit(replicas[0].process.pid, "replica")
            time.sleep(self.dice.uniform(0.1, 1.0))
            self.hit(replicas[0].process.pid, "replica")
        count = {"replica": 1, "two replicas": 2, "everything": REPLICAS}.get(kind, 0)
        for replica in replicas[:count]:
            self.hit(replica.process.pid, "replica")
        if kind in ("Postgres", "everything"):
            self.hit(self.postgres.process.pid, "Postgres")
        if kind == "a backend of Postgres":
            for pid in self.dice.sample(self.postgres.backends(), 1) if self.postgres.backends() else []:
                self.hit(pid, "backend")

    def hit(self, pid, what):
        try:
            os.kill(pid, signal.SIGKILL)
            self.killed[what] += 1
        except ProcessLookupError:
            pass

    def run(self, kills):
        self.set_up()
        threads = [threading.Thread(target=self.load, args=[number], daemon=True) for number in range(CALLERS)]
        threads.append(threading.Thread(target=self.take_back, daemon=True))
        for thread in threads:
            thread.start()
        began, said = time.monotonic(), 0
        while sum(self.killed.values()) < kills and not self.faults:
            time.sleep(self.dice.uniform(0.05, 1.0))
            killed_at = time.monotonic()
            self.kill(self.dice.choice(KINDS))
            # Every third is hit again before it stands.
            if self.dice.random() < 0.67:
                self.until_ready()
                self.recoveries.append(time.monotonic() - killed_at)
            if sum(self.killed.values()) // 50 > said:
                said = sum(self.killed.values()) // 50
                print(f"{sum(self.killed.values())} kills after {time.monotonic() - began:.0f} s", flush=True)
        self.over.set()
        for thread in threads:
            thread.join(timeout=PATIENCE * 3)
        self.until_ready()
        # Whatever was away and whatever was left half done, calls pass again.
        for at, replica in enumerate(self.replicas):
            if self.call(self.steady, replica.port, f"last-{at}") != "passed":
                self.faults.append(f"replica {at} does not serve at the end")
        print(f"{sum(self.killed.values())} kills in {time.monotonic() - began:.0f} s", flush=True)
        return self.judge()

    # Judgment

    def recover_calls(self):
        """Lets an hour pass for what dead replicas left, so that nobody has to wait for it, and waits for the job."""
        # Outcomes that living replicas still have to write come first.
        alive = "select count(*) from open_calls where replica_id in (select id from replicas where seen_at > now() - interval '20 s')"
        left_by_living = time.monotonic() + 30
        while self.postgres.sql(alive) != "0" and time.monotonic() < left_by_living:
            time.sleep(0.5)
        left = self.postgres.sql("select count(*) from open_calls")
        self.postgres.sql("update replicas set seen_at = seen_at - interval '1 hour' where seen_at < now() - interval '20 s'")
        self.postgres.sql("update open_calls set at = at - interval '1 hour'")
        self.postgres.sql("delete from replicas where seen_at < now() - interval '30 minutes'")
        until("calls of dead replicas are closed", lambda: self.postgres.sql("select count(*) from open_calls") == "0", 200)
        return left

    def judge(self):
        left = self.recover_calls()
        export = f"{self.folder}/record.jsonl"
        pathlib.Path(export).write_text(self.command("audit", "export", "--org", "acme"))
        verified = subprocess.run([PROGRAM, "audit", "verify", export], env=ENV, text=True, capture_output=True,
                                  timeout=300)
        intents, outcomes = {}, collections.defaultdict(list)
        for record in records(export):
            call = record.get("call") or {}
            if record["action"] == "call.allowed":
                intents[record["id"]] = (call.get("arguments") or {}).get("digest")
            elif call.get("intent"):
                outcomes[call["intent"]].append(record["action"])
        arrivals = [line.split() for line in pathlib.Path(self.upstream_log).read_text().splitlines()]
        times = collections.Counter(marker for _, marker in arrivals)
        digests = collections.Counter(intents.values())
        unrecorded = [marker for marker, count in times.items() if digests[digest(marker)] < count]
        repeated = [marker for marker, count in times.items() if count > 1]
        late = [(marker, self.calls[marker][1], float(at)) for at, marker in arrivals
                if self.is_forbidden(*self.calls[marker], float(at))]
        open_ended = [intent for intent in intents if not outcomes[intent]]
        twice = [intent for intent in intents if len(outcomes[intent]) > 1]
        kinds = collections.Counter(action for intent in intents for action in outcomes[intent])
        print(f"killed: {dict(self.killed)}; processes started again {self.keeper.started_again}")
        print(f"calls sent {len(self.calls)}: {dict(self.answers)}")
        print(f"calls that reached the upstream {len(arrivals)}, without an intent {len(unrecorded)}, more than once "
              f"{len(repeated)}")
        print(f"intents {len(intents)}, without an outcome {len(open_ended)}, with two {len(twice)}; {dict(kinds)}; "
              f"left by the dead {left}")
        counted = self.counted()
        if counted != len(intents):
            self.faults.append(f"{len(intents)} intents are on record, and {counted} were counted")
        print(f"counted by the limit {counted}")
        print(f"taken back: {dict(self.taken_back)}; calls that passed afterwards {len(late)}")
        for fault in [*self.faults, *map(str, late[:10]), *unrecorded[:10], *repeated[:10], *open_ended[:10], *twice[:10]]:
            print(f"unexpected: {fault}")
        print((verified.stdout + verified.stderr).strip())
        if self.recoveries:
            self.recoveries.sort()
            print(f"all replicas ready again: median {self.recoveries[len(self.recoveries) // 2]:.2f} s, longest "
                  f"{self.recoveries[-1]:.2f} s")
        is_tried = self.answers["passed"] and all(self.taken_back[what] for what in ("token", "grant", "gate"))
        if not is_tried:
            print("unexpected: not everything was tried")
        return bool(is_tried and verified.returncode == 0
                    and not (self.faults or unrecorded or repeated or late or open_ended or twice))

    def is_forbidden(self, token, began, arrived):
        of_grant = token is not self.steady and self.grant_stops.forbids(began, arrived)
        return of_grant or any(stops.forbids(began, arrived) for stops in (token.stops, self.gate))


def fresh_key():
    return f"trial-{random.getrandbits(64):x}"


def digest(marker):
    return hashlib.sha256(json.dumps({"marker": marker}, separators=(",", ":")).encode()).hexdigest()


def records(export):
    for line in pathlib.Path(export).read_text().splitlines():
        line = json.loads(line)
        if line["type"] == "event":
            yield line["record"]


def run(seed, folder, kills):
    trial = Trial(folder, seed)
    try:
        return trial.run(kills)
    finally:
        trial.over.set()
        trial.keeper.end()
