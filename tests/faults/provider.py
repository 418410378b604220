"""A strict authorization server: agrees at once, gives tokens that live for moments, and ends all tokens of an account where a
refresh token is presented twice."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import secrets
import socketserver
import threading
import time
import urllib.parse

CLIENT = {"client_id": "trial", "client_secret": "trial-client-secret"}
ACCOUNT = {"sub": "ada", "id": "ada", "name": "Ada", "email": "ada@example.com"}
# All tokens begin like this, so that they are found where none may be.
MARK = "trialtoken-"


class Family:
    """All tokens that came of one agreement."""

    def __init__(self):
        self.is_revoked = False


class Provider(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, lives_for):
        super().__init__(("127.0.0.1", 0), Desk)
        self.lives_for, self.lock = lives_for, threading.Lock()
        self.codes, self.access, self.refresh = {}, {}, {}
        # Of each refresh token, when it was presented; and when anything at all was asked for, by what came of it.
        self.presented, self.asked = {}, []
        self.revoked = 0
        # By how many seconds tokens that were shown had ended.
        self.late = []
        # Told after each refresh that was answered: when, and by which process it was asked for.
        self.on_refresh, self.suspects = None, lambda: []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Whoever asks may be killed meanwhile."""

    def says_of(self, token):
        """`alive`, `ended`, `revoked`, or `never given`."""
        with self.lock:
            if token not in self.access:
                return "never given"
            family, ends = self.access[token]
            late = time.monotonic() - ends
            if late < 0:
                return "revoked" if family.is_revoked else "alive"
            self.late.append(late)
            return "ended"

    def agree(self, asked):
        code = MARK + secrets.token_urlsafe(24)
        with self.lock:
            self.codes[code] = asked
        return code

    def give(self, family):
        access, refresh = (MARK + secrets.token_urlsafe(24) for _ in range(2))
        self.access[access] = (family, time.monotonic() + self.lives_for)
        self.refresh[refresh] = family
        return 200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer",
                     "expires_in": int(self.lives_for)}

    def trade(self, form):
        """Status and answer to a request for tokens."""
        at = time.monotonic()
        with self.lock:
            status, answer = self.answer(form, at)
            self.asked.append((at, form.get("grant_type"), answer.get("error", "given")))
        return status, answer

    def answer(self, form, at):
        refused = 400, {"error": "invalid_grant"}
        if any(form.get(name) != value for name, value in CLIENT.items()):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            token = form.get("refresh_token")
            family = self.refresh.get(token)
            if family is None:
                return refused
            times = self.presented.setdefault(token, [])
            times.append(at)
            if len(times) > 1 and not family.is_revoked:
                family.is_revoked = True
                self.revoked += 1
            return refused if family.is_revoked else self.give(family)
        if form.get("grant_type") == "authorization_code":
            asked = self.codes.pop(form.get("code"), None)
            proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            is_whole = asked and asked.get("redirect_uri") == form.get("redirect_uri") and asked.get(
                "code_challenge") == base64.urlsafe_b64encode(proof).decode().rstrip("=")
            return self.give(Family()) if is_whole else refused
        return 400, {"error": "unsupported_grant_type"}


class Desk(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in [*headers, ("content-type", "application/json"), ("content-length", str(len(text)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path == "/authorize" and asked.get("client_id") == CLIENT["client_id"] and "redirect_uri" in asked:
            back = {"code": self.server.agree(asked), "state": asked.get("state", "")}
            self.answer(302, {}, [("location", f"{asked['redirect_uri']}?{urllib.parse.urlencode(back)}")])
        elif path == "/me" and self.server.says_of(bearer(self.headers)) == "alive":
            self.answer(200, ACCOUNT)
        else:
            self.answer(401 if path == "/me" else 404, {"error": "refused"})

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        kind, _, words = self.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            name, _, secret = base64.b64decode(words).decode().partition(":")
            form |= {"client_id": urllib.parse.unquote(name), "client_secret": urllib.parse.unquote(secret)}
        listener = self.server.on_refresh
        asker = process_at(self.client_address[1], self.server.suspects()) if listener else None
        status, body = self.server.trade(form)
        self.answer(status, body)
        if listener and status == 200 and form.get("grant_type") == "refresh_token":
            listener(time.monotonic(), asker)

    def log_message(self, *_):
        """What counts is kept by the server."""


def bearer(headers):
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind == "Bearer" else ""


def process_at(port, suspects):
    """Which of these processes holds the connection that comes from this port, if one does."""
    sockets = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == port:
            sockets.add(f"socket:[{words[9]}]")
    for pid in suspects:
        folder = f"/proc/{pid}/fd"
        try:
            for name in os.listdir(folder):
                if os.readlink(f"{folder}/{name}") in sockets:
                    return pid
        except OSError:
            continue
    return None
