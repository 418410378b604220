"""A connected account whose provider goes away for long, in every way a provider is away, while agents go on calling: the account
has to outlive it, calls have to say what is the matter, and once the provider is back all goes on by itself."""
import collections
import random
import socket
import threading
import time

from faults.provider import Desk, Provider
from faults.tokens import LIVES_FOR, Tokens

# The ways, in the order in which they come and come again.
WAYS = ("refused", "503", "hangs", "page", "429")
PAGE = b"<!doctype html><title>Maintenance</title><p>We will be back soon.</p>"
CALLERS = 6
# Between two calls of a caller.
BREATH = (1.0, 4.0)
# How long one way lasts at the most: longer than the longest pause between two tries, which is 75 seconds.
TURN = 120.0
# After how long calls pass again once the provider is back, and for how long all of them then have to.
BACK_WITHIN = 120.0
STEADY_FOR = 20.0


def most_asked(seconds):
    """How often a token may be asked for: pauses grow to a minute within six tries, and what is lost may be sent once more."""
    return 2 * (8 + seconds / 60)


class Away(Provider):
    """A provider that can go away: then nothing that it is sent has any effect."""

    def __init__(self, lives_for):
        self.way, self.back, self.links, self.turned_away = None, threading.Event(), set(), []
        super().__init__(lives_for)
        self.RequestHandlerClass = ClosedDesk

    def get_request(self):
        link, address = super().get_request()
        self.links.add(link)
        return link, address

    def shutdown_request(self, request):
        self.links.discard(request)
        super().shutdown_request(request)

    def take(self, way):
        """Is away in this way from now on; with none, is back."""
        if way == "refused":
            self.shutdown()
            self.socket.close()
        before, self.way = self.way, way
        self.back.set()
        self.back = threading.Event()
        if before == "refused" and way != before:
            self.socket = socket.create_server(self.server_address, backlog=self.request_queue_size)
            threading.Thread(target=self.serve_forever, daemon=True).start()
        # As where processes are stopped and started, nobody keeps a connection.
        for link in list(self.links):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class ClosedDesk(Desk):
    def is_away(self):
        """Answers as a provider does that is away, where it is."""
        way, back = self.server.way, self.server.back
        if way is None:
            return False
        self.server.turned_away.append((time.monotonic(), way))
        self.close_connection = True
        if way == "hangs":
            back.wait(120)
        elif way == "503":
            self.answer(503, {"error": "temporarily_unavailable"})
        elif way == "429":
            self.answer(429, {"error": "slow_down"}, [("retry-after", "30")])
        elif way == "page":
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)
        return True

    def do_GET(self):
        if not self.is_away():
            super().do_GET()

    def do_POST(self):
        if self.server.way:
            self.rfile.read(int(self.headers["content-length"]))
        if not self.is_away():
            super().do_POST()


class Outage(Tokens):
    def __init__(self, folder, seed):
        self.said, self.tried = collections.Counter(), 0
        super().__init__(folder, seed)

    def make_provider(self):
        return Away(LIVES_FOR)

    def load(self, number):
        dice, count = random.Random(number), 0
        while not self.over.wait(dice.uniform(*BREATH)):
            count += 1
            way = self.provider.way
            kind = self.call(self.steady, dice.choice(self.replicas).port, f"load-{number}-{count}")
            # What was asked before it changed may be answered by what came before or after.
            if way == self.provider.way:
                self.said[way, kind] += 1

    def failures(self):
        """How often in a row it was asked for a token in vain, those times included that never reached the provider."""
        return int(self.postgres.sql("select failures from connections"))

    def last_through(self, way, seconds):
        """One way of being away, for so long; gives whether the account outlived it."""
        before, began, reached = self.failures(), time.monotonic(), len(self.provider.turned_away)
        self.provider.take(way)
        while time.monotonic() < began + seconds:
            state = self.account()["state"]
            if state == "needs_reauth":
                self.faults.append(f"{way}: has to be connected again after {time.monotonic() - began:.0f} s")
                return False
            time.sleep(1.0)
        tried = self.failures() - before
        self.tried += tried
        print(f"{way:8} {seconds:.0f} s, {state}: tried {tried} times, reached the provider "
              f"{len(self.provider.turned_away) - reached} times", flush=True)
        return True

    def come_back(self):
        """The provider is back, and nobody does anything; gives after how long calls passed on all replicas."""
        self.provider.take(None)
        began = time.monotonic()
        while time.monotonic() < began + BACK_WITHIN:
            if all(self.call(self.steady, replica.port, f"back-{at}-{time.monotonic():.3f}") == "passed"
                   for at, replica in enumerate(self.replicas)):
                return time.monotonic() - began
            time.sleep(1.0)
        self.faults.append(f"calls do not pass {BACK_WITHIN:.0f} s after the provider is back")
        return None

    def run(self, minutes, ways):
        self.set_up()
        callers = [threading.Thread(target=self.load, args=[number], daemon=True) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(STEADY_FOR)
        whole = minutes * 60.0
        turn = min(TURN, whole / len(ways))
        began, number, is_alive = time.monotonic(), 0, True
        while is_alive and time.monotonic() < began + whole - 1:
            left = began + whole - time.monotonic()
            is_alive = self.last_through(ways[number % len(ways)], min(turn, left))
            number += 1
        away_for = time.monotonic() - began
        returned = self.come_back() if is_alive else None
        steady_from = self.answers.copy()
        time.sleep(STEADY_FOR)
        unserved = {kind: count for kind, count in (self.answers - steady_from).items() if kind != "passed"}
        self.over.set()
        for caller in callers:
            caller.join(timeout=60)
        if returned is not None:
            print(f"back: calls pass on all replicas after {returned:.1f} s; for {STEADY_FOR:.0f} s after that, others than "
                  f"passed: {unserved}")
            if unserved:
                self.faults.append(f"calls did not pass although the provider was back: {unserved}")
        return self.judge_outage(away_for)

    def judge_outage(self, away_for):
        times = [at for at, _ in self.provider.turned_away]
        busiest = max((sum(start <= at < start + 1 for at in times) for start in times), default=0)
        by_way = dict(collections.Counter(way for _, way in self.provider.turned_away))
        during, before = collections.Counter(), collections.Counter()
        for (way, kind), count in self.said.items():
            (during if way else before)[kind] += count
        print(f"away for {away_for / 60:.1f} minutes; tried for a token {self.tried} times; requests that reached the provider "
              f"{len(times)}, at most {busiest} within a second; {by_way}")
        print(f"calls while it was away {dict(during)}, otherwise {dict(before)}; waited for at the longest "
              f"{max(self.waits):.1f} s; the account is {self.account()['state']} now")
        # What it is sent while it is away has no effect and is not counted here.
        twice = sum(len(at) > 1 for at in self.provider.presented.values())
        print(f"refresh tokens that took effect twice {twice}, families revoked {self.provider.revoked}")
        # A token that lives when the provider goes away is used until it ends.
        strange = {kind: count for kind, count in during.items() if kind not in ("passed", "provider_away")}
        if strange or not during["provider_away"]:
            self.faults.append(f"calls were told something else than that the provider is away: {strange}")
        if during["passed"] > CALLERS * 3 or not before["passed"]:
            self.faults.append("calls passed when they cannot have, or never did")
        if max(self.tried, len(times)) > most_asked(away_for) or busiest > 3:
            self.faults.append(f"more than {most_asked(away_for):.0f} token requests, or more than 3 within a second")
        if twice or self.provider.revoked:
            self.faults.append("a refresh token took effect twice")
        self.faults += [f"a token stands in {name}" for name in self.leaks()]
        for fault in self.faults:
            print(f"unexpected: {fault}")
        return not self.faults


def run(seed, folder, minutes, ways):
    trial = Outage(folder, seed)
    try:
        return trial.run(minutes, ways)
    finally:
        trial.over.set()
        trial.keeper.end()
