"""Calls that wait for a human, as held streams, as tasks and in rounds, while replicas and Postgres are killed."""
import collections
import json
import os
import pathlib
import random
import subprocess
import threading
import time
import zlib

from faults.calls import KINDS, SAYS_OF_ITSELF, VERSION, Trial, digest, records
from faults.site import ENV, PROGRAM, Answerer, Upstream, send

CALLERS = 6
TASKS = "io.modelcontextprotocol/tasks"


class Asking(Answerer):
    """`ask` answers at once; `round` wants input first. Each arrival is in the log with its round."""

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, params = message.get("method"), message.get("params") or {}
        if method == "tools/call":
            marker, state = params["arguments"]["marker"], params.get("requestState")
            name = params["name"]
            os.write(self.server.log, f"{time.monotonic():.6f} {marker} {name} {state or '-'}\n".encode())
            time.sleep((0.0, 0.01, 0.15, 0.6)[zlib.crc32(marker.encode()) % 4])
            if name == "round" and not state:
                result = {"resultType": "input_required", "inputRequests": {}, "requestState": f"state-of-{marker}"}
            else:
                result = {"content": [{"type": "text", "text": marker}], "resultType": "complete"}
        elif method == "tools/list":
            result = {"tools": [self.TOOL | {"name": name} for name in ("ask", "round")], **self.CACHE}
        elif method == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **self.CACHE}
        else:
            result = {"resultType": "complete"}
        text = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Waits(Trial):
    patience = 30

    def make_upstream(self):
        return Upstream(self.upstream_log, Asking)

    def document(self):
        limit = {"counter": "calls", "window": "month", "max": 1_000_000_000, "scope": "org"}
        return {"version": "1", "default": "require_approval", "all_tools": {"limits": [limit]}}

    def set_up(self):
        self.install()
        self.add_server()
        self.accept_tools()
        # Of a service account, so that the owner may decide over the API: nobody decides for themselves.
        self.ask("POST", "service-accounts", {"slug": "robot", "name": "Robot", "role": "member"})
        self.ask("POST", "policies", {"name": "Open", "document": self.document(), "publish": True})
        grant = {"label": "load", "principal": {"service_account": "robot"}, "servers": "all", "policy": "open",
                 "class_ceiling": "financial"}
        self.steady = self.mint(self.ask("POST", "grants", grant)["id"])
        self.tasks, self.done, self.lost, self.twice = {}, collections.Counter(), collections.Counter(), []

    def say(self, port, method, params, capabilities=None, patience=None):
        said = SAYS_OF_ITSELF | {"io.modelcontextprotocol/clientCapabilities": capabilities or {}}
        params = dict(params)
        params["_meta"] = said | params.pop("_meta", {})
        name = params.get("name") or params.get("taskId")
        headers = {"authorization": f"Bearer {self.steady.text}", "content-type": "application/json",
                   "accept": "application/json, text/event-stream", "host": "portreeve.example",
                   "mcp-protocol-version": VERSION, "mcp-method": method, "mcp-name": name}
        answer = send(port, "POST", "/mcp/acme/notes", headers,
                      json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), patience or self.patience)
        if answer is None or answer[0] != 200:
            return None if answer is None else {"status": answer[0], "text": answer[1].decode()[:200]}
        for line in reversed(answer[1].decode().splitlines()):
            line = line.removeprefix("data: ")
            if line.startswith("{") and ('"result"' in line or '"error"' in line):
                return json.loads(line)
        return None

    def port(self):
        return random.choice(self.replicas).port

    # One agent of each kind. A call that got no answer is made again with the same arguments, as agents do.

    def until_done(self, kind, marker, one):
        end = time.monotonic() + 90
        while time.monotonic() < end and not self.over.is_set():
            if one():
                self.done[kind] += 1
                return
            time.sleep(0.05)
        if not self.over.is_set():
            self.faults.append(f"{kind} {marker} never came to an end")

    def held(self, marker):
        params = {"name": "ask", "arguments": {"marker": marker}, "_meta": {"progressToken": marker}}

        def one():
            answer = self.say(self.port(), "tools/call", params)
            return answer and text_of(answer.get("result")) == marker
        self.until_done("held", marker, one)

    def tasked(self, marker):
        can = {"extensions": {TASKS: {}}}
        task = []

        def one():
            if not task:
                answer = self.say(self.port(), "tools/call", {"name": "ask", "arguments": {"marker": marker}}, can)
                result = (answer or {}).get("result") or {}
                if result.get("resultType") == "task":
                    task.append(result["taskId"])
                return False
            answer = self.say(self.port(), "tasks/get", {"taskId": task[0]}, can)
            result = (answer or {}).get("result") or {}
            if result.get("status") not in ("completed", "failed", "cancelled"):
                time.sleep(0.1)
                return False
            text = text_of(result.get("result"))
            self.tasks[marker] = text
            if text != marker:
                self.lost[json.dumps(result)[:160] if "portreeve/decision" not in json.dumps(result) else
                          result["result"]["_meta"]["portreeve/decision"]["code"]] += 1
            # What came of it is told again, by every replica that stands.
            again = self.say(self.port(), "tasks/get", {"taskId": task[0]}, can)
            if again and (again.get("result") or {}).get("status") == "completed" and text_of(again["result"]["result"]) != text:
                self.faults.append(f"task {marker} was told {text!r} and then {again['result']!r}")
            return True
        self.until_done("task", marker, one)

    def rounds(self, marker):
        state = []

        def one():
            params = {"name": "round", "arguments": {"marker": marker}}
            if not state:
                answer = self.say(self.port(), "tools/call", params)
                result = (answer or {}).get("result") or {}
                if result.get("resultType") == "input_required":
                    state.append(result["requestState"])
                return False
            params |= {"requestState": state[0], "inputResponses": {}}
            # The same round from all replicas at once: one of them goes on, the others are new calls that ask.
            answers = []
            threads = [threading.Thread(target=lambda at=replica.port: answers.append(self.say(at, "tools/call", params)))
                       for replica in self.replicas]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            state.clear()
            return any(text_of((answer or {}).get("result")) == marker for answer in answers)
        self.until_done("round", marker, one)

    def load(self, number):
        count = 0
        while not self.over.is_set():
            count += 1
            (self.held, self.tasked, self.rounds)[(number + count) % 3](f"w{number}-{count}")

    def approve(self):
        try:
            while not self.over.is_set():
                for waiting in self.ask("GET", "approvals?state=pending&limit=100")["items"]:
                    # Some wait longer than others.
                    if self.decider.random() < 0.7:
                        self.ask("POST", f"approvals/{waiting['id']}/decide", {"decision": "approve_once"})
                time.sleep(0.2)
        except RuntimeError as error:
            self.faults.append(str(error))

    def run(self, kills):
        self.set_up()
        self.decider = random.Random(self.dice.random())
        threads = [threading.Thread(target=self.load, args=[number], daemon=True) for number in range(CALLERS)]
        threads.append(threading.Thread(target=self.approve, daemon=True))
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while sum(self.killed.values()) < kills and not self.faults:
            time.sleep(self.dice.uniform(0.3, 2.0))
            self.kill(self.dice.choice(KINDS))
            self.until_ready()
        print(f"{sum(self.killed.values())} kills in {time.monotonic() - began:.0f} s", flush=True)
        time.sleep(5)
        self.over.set()
        for thread in threads:
            thread.join(timeout=60)
        self.until_ready()
        return self.judge()

    def judge(self):
        left = self.recover_calls()
        export = f"{self.folder}/record.jsonl"
        pathlib.Path(export).write_text(self.command("audit", "export", "--org", "acme"))
        verified = subprocess.run([PROGRAM, "audit", "verify", export], env=ENV, text=True, capture_output=True, timeout=300)
        intents, outcomes, by_approval = {}, collections.defaultdict(list), collections.defaultdict(list)
        fresh = collections.Counter()
        for record in records(export):
            call = record.get("call") or {}
            if record["action"] == "call.allowed" and call.get("method") == "tools/call":
                intents[record["id"]] = (call.get("arguments") or {}).get("digest")
                if call.get("approval"):
                    by_approval[call["approval"]].append(record["id"])
                else:
                    fresh[(call.get("arguments") or {}).get("digest")] += 1
            elif call.get("intent"):
                outcomes[call["intent"]].append(record["action"])
        arrivals = [line.split() for line in pathlib.Path(self.upstream_log).read_text().splitlines()]
        times = collections.Counter(marker for _, marker, *_ in arrivals)
        digests = collections.Counter(intents.values())
        approved = collections.Counter(intents[ids[0]] for ids in by_approval.values())
        unrecorded = [m for m, n in times.items() if digests[digest(m)] < n]
        reused = [a for a, ids in by_approval.items() if len(ids) > 1]
        went_on = collections.Counter(m for _, m, name, state in arrivals if state != "-")
        first = collections.Counter(m for _, m, name, state in arrivals if state == "-")
        # An intent without an approval goes on from a round of one with it, each of which is good for one.
        unapproved = [m for m in times if fresh[digest(m)] > approved[digest(m)]]
        beyond = [m for m, n in first.items() if n > approved[digest(m)]]
        ended = [i for i in intents if len(outcomes[i]) != 1]
        wrong = [m for m, text in self.tasks.items() if text == m and times[m] < 1]
        unknown_ran = sum(1 for m, text in self.tasks.items() if text != m and times[m])
        counted, in_db = self.counted(), len(by_approval)
        print(f"killed {dict(self.killed)}; done {dict(self.done)}; task results that are no answer {dict(self.lost)} "
              f"(of these carried out {unknown_ran})")
        print(f"arrivals {len(arrivals)} (went on from a round {sum(went_on.values())}), intents {len(intents)}, approvals used "
              f"{in_db}, counted by the limit {counted}; left by the dead {left}")
        print(f"without an intent {len(unrecorded)}; approvals used twice {len(reused)}; arrived without an approval {len(beyond)}; "
              f"rounds beyond approvals {len(unapproved)}; intents without exactly one outcome {len(ended)}; tasks told done and "
              f"never made {len(wrong)}")
        if counted != in_db:
            self.faults.append(f"{in_db} calls were agreed to and {counted} counted")
        for fault in self.faults:
            print("unexpected:", fault)
        print((verified.stdout + verified.stderr).strip())
        return not (self.faults or unrecorded or reused or beyond or unapproved or ended or wrong) and not verified.returncode


def text_of(result):
    return (((result or {}).get("content") or [{}])[0]).get("text")


def run(seed, folder, kills):
    trial = Waits(folder, seed)
    try:
        return trial.run(kills)
    finally:
        trial.over.set()
        trial.keeper.end()
