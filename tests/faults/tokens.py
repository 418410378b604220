"""A connected account under load on all replicas, while replicas are killed as a new token is on its way to them: its provider
ends the account where a refresh token comes twice, and its tokens live for moments."""
import collections
import pathlib
import queue
import random
import re
import threading
import time

from faults.calls import Trial
from faults.person import Person
from faults.provider import CLIENT, MARK, Provider, bearer
from faults.site import Answerer, Upstream

CALLERS = 50
# How long the tokens live, and how much of that a replica uses before it fetches another.
LIVES_FOR = 2.0
USED_FOR = LIVES_FOR / 2
# Between two calls of a caller, so that the machine is busy with tokens rather than with callers.
BREATH = 0.25
# Of kills, how many come right after the provider answered, and within which time.
AIMED = 0.8
MOMENT = 0.020
# A replica that died with a refresh token holds others up until its lease ends.
SETTLES_WITHIN = 90.0
# A token that is used until it ends may end on its way to the server, which is not far.
LATEST = 1.0
# What is asked for within a second beyond this is a loop: a new token, a second try, and what connecting takes.
MOST_IN_A_SECOND = 4
# What a call is answered that could not be made.
SAID = re.compile(r"account_needs_reauth|account_not_connected|provider_away|HTTP 401")
PASSWORD = "a gate that keeps its word 7"
ACCOUNT = "/me/accounts/acme/connect/hub"


class Tokens(Trial):
    # Longer than a call waits where the replica that fetches a token died: twenty seconds, and what lies around them.
    patience = 30

    def __init__(self, folder, seed):
        self.provider = self.make_provider()
        self.arrivals, self.waits = collections.Counter(), []
        super().__init__(folder, seed)
        self.kills, self.settled, self.refreshed = [], [], queue.Queue()
        self.person = Person(self.standing, self.settings["PORTREEVE_BASE_URL"])
        self.provider.suspects = lambda: [replica.process.pid for replica in self.replicas]

    def make_provider(self):
        return Provider(LIVES_FOR)

    def make_upstream(self):
        provider, arrivals, lock = self.provider, self.arrivals, threading.Lock()

        class Guarded(Answerer):
            """Lets in who shows a token that lives."""

            def admits(self):
                says = provider.says_of(bearer(self.headers))
                with lock:
                    arrivals[says] += 1
                if says != "alive":
                    self.send_response(401)
                    self.send_header("www-authenticate", 'Bearer error="invalid_token"')
                    self.send_header("content-length", "0")
                    self.end_headers()
                return says == "alive"

        return Upstream(self.upstream_log, Guarded)

    def standing(self):
        """The port of a replica that answers."""
        self.until_ready()
        return self.dice.choice(self.replicas).port

    def set_up(self):
        made = self.install("--password-stdin", input=PASSWORD)
        at = self.provider.url
        addresses = {"authorize_url": f"{at}/authorize", "token_url": f"{at}/token", "userinfo_url": f"{at}/me"}
        self.ask("POST", "providers", {"name": "Hub", "slug": "hub"} | addresses | CLIENT)
        self.add_server()
        carried = {"target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
                   "template": "Bearer {value}"}
        self.ask("PUT", "servers/notes/credentials", [carried])
        self.person.sign_in("ada@example.com", PASSWORD)
        self.person.connect(ACCOUNT)
        self.accept_tools()
        self.open_grant(made)

    def document(self):
        return {"version": "1", "default": "allow"}

    def account(self):
        """The account as the API tells of it."""
        items = self.ask("GET", "connections")["items"]
        if len(items) != 1:
            raise RuntimeError(f"there is not one account but {len(items)}")
        return items[0]

    # Load

    def kind_of(self, answer, marker):
        kind = super().kind_of(answer, marker)
        waited = time.monotonic() - self.calls[marker][1]
        self.waits.append(waited)
        if kind == "no answer" and waited > self.patience - 1:
            self.faults.append(f"{marker} was not answered within {self.patience} s")
        if kind not in ("denied", "failed"):
            return kind
        said = SAID.search(answer[1].decode())
        if not said and len(self.faults) < 10:
            self.faults.append(f"{marker} was answered {answer[1][:400]}")
        return said[0] if said else kind

    def load(self, number):
        dice, count = random.Random(number), 0
        while not self.over.wait(dice.uniform(0, 2 * BREATH)):
            count += 1
            self.call(self.steady, dice.choice(self.replicas).port, f"load-{number}-{count}")

    # Kills

    def kill_one(self):
        """Kills the replica that was just given a new token, or, at times, any one at any moment."""
        pid, when = None, "at any moment"
        if self.dice.random() < AIMED:
            self.refreshed = queue.Queue()
            self.provider.on_refresh = lambda *words: self.refreshed.put(words)
            try:
                answered_at, pid = self.refreshed.get(timeout=SETTLES_WITHIN)
            except queue.Empty:
                raise RuntimeError("no new token was asked for") from None
            finally:
                self.provider.on_refresh = None
            time.sleep(max(0.0, answered_at + self.dice.uniform(0, MOMENT) - time.monotonic()))
            whom = "any one, for who asked was not found" if pid is None else "the one that asked"
            when = f"of {whom}, {(time.monotonic() - answered_at) * 1000:.1f} ms after the answer"
        else:
            time.sleep(self.dice.uniform(0, 1.0))
        self.kills.append(time.monotonic())
        self.hit(pid or self.dice.choice(self.replicas).process.pid, "replica")
        return when

    def settle(self, number, when):
        """Waits until the account serves again or wants to be connected again, and then connects it."""
        began = time.monotonic()
        self.until_ready()
        outcome = None
        while not outcome and time.monotonic() < began + SETTLES_WITHIN:
            if all(self.call(self.steady, replica.port, f"after-{number}-{at}-{time.monotonic():.3f}") == "passed"
                   for at, replica in enumerate(self.replicas)) and self.is_renewed(began):
                outcome = "serves again"
            elif self.account()["state"] == "needs_reauth":
                outcome = "needs_reauth"
            else:
                time.sleep(0.2)
        waited = time.monotonic() - began
        self.settled.append((outcome, waited))
        print(f"kill {number}, {when}: {outcome or 'neither'} after {waited:.1f} s", flush=True)
        if not outcome:
            self.faults.append(f"{waited:.0f} s after kill {number} the account is {self.account()['state']}")
        elif outcome == "needs_reauth":
            self.person.connect(ACCOUNT)
        return outcome

    def is_renewed(self, since):
        """Whether a new token was given after this: until then an old one may serve that nobody can renew."""
        return any(at > since and what == "given" for at, _, what in list(self.provider.asked))

    def run(self, kills, seconds):
        self.set_up()
        threads = [threading.Thread(target=self.load, args=[number], daemon=True) for number in range(CALLERS)]
        # While it was set up it was asked without a token too.
        self.arrivals.clear()
        self.began = time.monotonic()
        for thread in threads:
            thread.start()
        for number in range(kills):
            time.sleep(self.dice.uniform(0, seconds / kills))
            if not self.settle(number + 1, self.kill_one()):
                break
        time.sleep(max(0.0, self.began + seconds - time.monotonic()))
        self.over.set()
        for thread in threads:
            thread.join(timeout=60)
        self.ended = time.monotonic()
        self.until_ready()
        for at, replica in enumerate(self.replicas):
            if self.call(self.steady, replica.port, f"last-{at}") != "passed":
                self.faults.append(f"replica {at} does not serve at the end")
        return self.judge_tokens(kills)

    # Judgment

    def judge_tokens(self, kills):
        asked = [one for one in self.provider.asked if self.began <= one[0] <= self.ended]
        times = [at for at, _, _ in asked]
        # A token is renewed after half its life at the earliest, whoever asks; what comes sooner has to have another reason.
        sooner = sum(later - at < 0.9 * USED_FOR and kind == "refresh_token" for at, (later, kind, _) in zip(times, asked[1:]))
        busiest = max((sum(start <= at < start + 1 for at in times) for start in times), default=0)
        twice = {token: at for token, at in self.provider.presented.items() if len(at) > 1}
        unexplained = [at for at in twice.values() if not all(
            any(first <= killed < second for killed in self.kills) for first, second in zip(at, at[1:]))]
        often = sum(len(at) > 2 for at in twice.values())
        unserved = {kind: count for kind, count in self.answers.items() if kind != "passed"}
        outcomes = collections.Counter(outcome or "neither" for outcome, _ in self.settled)
        latest = max(self.provider.late, default=0.0)
        waits = sorted(waited for _, waited in self.settled)
        print(f"{CALLERS} callers for {self.ended - self.began:.0f} s; {len(self.kills)} kills; processes started again "
              f"{self.keeper.started_again}")
        print(f"calls passed {self.answers['passed']}, others {unserved}; waited for at the longest {max(self.waits):.1f} s")
        print(f"reached the server, by token: {dict(self.arrivals)}; "
              f"ended at the most {latest * 1000:.0f} ms before")
        print(f"token requests {len(asked)}, sooner than their lifetime explains {sooner}, at most {busiest} within a second; "
              f"{dict(collections.Counter(f'{kind} {what}' for _, kind, what in asked))}")
        print(f"refresh tokens presented twice {len(twice)}, of these without a kill in between {len(unexplained)}, more often "
              f"{often}; families revoked {self.provider.revoked}")
        if self.settled:
            print(f"after a kill: {dict(outcomes)}; median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s")
        if unexplained or often:
            self.faults.append(f"presented again: {unexplained[:5]}, kills at {self.kills}")
        if self.provider.revoked > kills or not kills and unserved:
            self.faults.append(f"{self.provider.revoked} families revoked and {unserved} with {kills} kills")
        if sooner > kills + 2 or busiest > MOST_IN_A_SECOND:
            self.faults.append("more token requests than can be explained")
        if not kills and len(asked) < 3 or not self.answers["passed"]:
            self.faults.append("not everything was tried")
        if self.arrivals["never given"] or latest > LATEST:
            self.faults.append("a call carried a token that was never given, or that had ended for long")
        self.faults += [f"a token stands in {name}" for name in self.leaks()]
        for fault in self.faults:
            print(f"unexpected: {fault}")
        return not self.faults

    def leaks(self):
        """Where tokens stand that may stand nowhere: logs and the record."""
        export = f"{self.folder}/record.jsonl"
        pathlib.Path(export).write_text(self.command("audit", "export", "--org", "acme"))
        return [path for path in (export, *(replica.log for replica in self.replicas))
                if MARK in pathlib.Path(path).read_text(errors="replace")]


def run(seed, folder, kills, seconds):
    trial = Tokens(folder, seed)
    try:
        return trial.run(kills, seconds)
    finally:
        trial.over.set()
        trial.keeper.end()
