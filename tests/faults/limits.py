"""A limit under load from everywhere, while replicas and Postgres are killed: never one call more than it allows."""
import json
import pathlib
import random
import threading
import time

from faults.calls import KINDS, Trial, records

ALLOWED = 1000
CALLERS = 200


class Limited(Trial):
    def document(self):
        limit = {"counter": "calls", "window": "month", "max": ALLOWED, "scope": "grant"}
        return {"version": "1", "default": "allow", "all_tools": {"limits": [limit]}}

    def load(self, number):
        dice, count, limited = random.Random(number), 0, 0
        # Whoever is told three times that there is no room stops asking.
        while limited < 3 and not self.over.is_set():
            count += 1
            kind = self.call(self.steady, dice.choice(self.replicas).port, f"load-{number}-{count}")
            limited += kind == "limited"
            if kind not in ("passed", "limited"):
                self.over.wait(0.05)

    def run(self, kills):
        self.set_up()
        threads = [threading.Thread(target=self.load, args=[number], daemon=True) for number in range(CALLERS)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if sum(self.killed.values()) < kills:
                time.sleep(self.dice.uniform(0.02, 0.3))
                self.kill(self.dice.choice(KINDS))
                self.until_ready()
            else:
                time.sleep(0.1)
        print(f"{CALLERS} callers in {time.monotonic() - began:.1f} s, {sum(self.killed.values())} kills", flush=True)
        self.until_ready()
        return self.judge_limit(kills)

    def judge_limit(self, kills):
        left = self.recover_calls()
        export = f"{self.folder}/record.jsonl"
        pathlib.Path(export).write_text(self.command("audit", "export", "--org", "acme"))
        intents = sum(record["action"] == "call.allowed" and (record.get("call") or {}).get("method") == "tools/call"
                      for record in records(export))
        arrived = len(pathlib.Path(self.upstream_log).read_text().splitlines())
        counted = self.counted()
        print(json.dumps({"allowed": ALLOWED, "forwarded": arrived, "intents": intents, "counted": counted,
                          "answers": dict(self.answers), "left by the dead": left}))
        is_kept = arrived <= ALLOWED and counted == intents == ALLOWED and arrived <= counted
        # Without kills nothing is lost on the way either.
        return is_kept and (kills > 0 or arrived == ALLOWED)


def run(seed, folder, kills):
    trial = Limited(folder, seed)
    try:
        return trial.run(kills)
    finally:
        trial.over.set()
        trial.keeper.end()
