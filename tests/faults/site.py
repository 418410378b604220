"""Replicas of Portreeve over one Postgres, each of which may be killed, and a server behind them that keeps a log."""
import glob
import http.client
import http.server
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("PORTREEVE_BIN", str(ROOT / "target/debug/portreeve"))
# Nothing of the caller's settings: they could name a database that is not to be killed.
ENV = {name: value for name, value in os.environ.items() if name == "PATH"}
PATIENCE = 60.0


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def send(port, method, path, headers, body, timeout=20):
    """One request on a connection of its own: status and text, or None where the connection broke."""
    try:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        link.request(method, path, body, headers)
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, text
    except (OSError, http.client.HTTPException):
        return None


def until(what, holds, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"in vain for {patience:.0f} s: {what}")
        time.sleep(0.05)


class Postgres:
    """A cluster of its own, which is started again as often as it is killed."""

    def __init__(self, folder):
        self.folder = folder
        self.data = f"{folder}/data"
        own = os.path.expanduser("~/.local/share/portreeve-postgres/bin")
        known = [os.environ.get("PORTREEVE_PG_BIN_DIR", ""), own, *glob.glob("/usr/lib/postgresql/*/bin")]
        found = [path for path in known if os.path.exists(f"{path}/initdb")]
        linked = shutil.which("initdb")
        if linked:
            found.append(os.path.dirname(os.path.realpath(linked)))
        if not found:
            raise SystemExit("no Postgres server binaries: apt-get install -y --no-install-recommends postgresql")
        self.bin = found[0] if os.environ.get("PORTREEVE_PG_BIN_DIR") else found[-1]
        self.user = {}
        if os.geteuid() == 0:
            other = pwd.getpwnam("postgres" if any(p.pw_name == "postgres" for p in pwd.getpwall()) else "nobody")
            self.user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            os.chown(folder, other.pw_uid, other.pw_gid)
        words = [f"{self.bin}/initdb", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8", "-U", "super", "-D"]
        subprocess.run([*words, self.data], env=ENV, cwd="/", check=True, stdout=subprocess.DEVNULL, **self.user)
        self.process = None

    def start(self):
        # What an earlier postmaster left behind still ends by itself; until then another one refuses to start.
        log = open(f"{self.folder}.log", "ab")
        words = [f"{self.bin}/postgres", "-D", self.data, "-k", self.folder, "-c", "listen_addresses=",
                 "-c", "max_connections=200"]
        self.process = subprocess.Popen(words, env=ENV, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        **self.user)
        log.close()

    def sql(self, text, database="portreeve"):
        words = [f"{self.bin}/psql", "-h", self.folder, "-U", "super", "-d", database, "-Atqc", text]
        done = subprocess.run(words, env=ENV, cwd="/", capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else None

    def backends(self):
        pid = self.process.pid
        try:
            return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def url(self, role):
        return f"postgres://{role}:any@localhost/portreeve?host={self.folder}"


class Replica:
    """One process of Portreeve on a port that it keeps."""

    def __init__(self, number, settings, folder):
        self.port = free_port()
        self.settings = settings
        self.log = f"{folder}/replica-{number}.log"
        self.process = None

    def start(self):
        log = open(self.log, "ab")
        words = ["serve", "--listen", f"127.0.0.1:{self.port}", "--metrics-listen", "off"]
        self.process = subprocess.Popen([PROGRAM, *words], env=ENV | self.settings, cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

    def is_ready(self):
        answer = send(self.port, "GET", "/readyz", {}, None, timeout=5)
        return answer is not None and answer[0] == 200


class Keeper(threading.Thread):
    """Starts what has ended, as a supervisor would."""

    def __init__(self, kept):
        super().__init__(daemon=True)
        self.kept, self.over, self.started_again = kept, threading.Event(), 0
        self.lock = threading.Lock()

    def run(self):
        while not self.over.is_set():
            with self.lock:
                for one in self.kept:
                    if one.process.poll() is not None:
                        self.started_again += 1
                        one.start()
            self.over.wait(0.05)

    def end(self):
        """Ends everything, the database last."""
        self.over.set()
        with self.lock:
            for one in reversed(self.kept):
                if one.process and one.process.poll() is None:
                    one.process.send_signal(signal.SIGTERM if isinstance(one, Replica) else signal.SIGINT)
                    try:
                        one.process.wait(timeout=40)
                    except subprocess.TimeoutExpired:
                        one.process.kill()


class Upstream(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A server with one tool. Every call is in its log before anything else is done about it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, log, answerer=None):
        super().__init__(("127.0.0.1", 0), answerer or Answerer)
        self.log = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mcp"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Whoever calls may be killed meanwhile."""


class Answerer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    TOOL = {"name": "note", "description": "Keeps a marker.", "annotations": {"readOnlyHint": True},
            "inputSchema": {"type": "object", "properties": {"marker": {"type": "string"}}}}
    CACHE = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, marker = message.get("method"), None
        if not self.admits():
            return
        if method == "tools/call":
            marker = message["params"]["arguments"]["marker"]
            os.write(self.server.log, f"{time.monotonic():.6f} {marker}\n".encode())
            # Most are answered at once; some are on their way when somebody dies.
            time.sleep((0.0, 0.0, 0.01, 0.15)[zlib.crc32(marker.encode()) % 4])
            result = {"content": [{"type": "text", "text": marker}], "resultType": "complete"}
        elif method == "tools/list":
            result = {"tools": [self.TOOL], **self.CACHE}
        elif method == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **self.CACHE}
        else:
            result = {"resultType": "complete"}
        text = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result})
        kind = "application/json"
        if marker and zlib.crc32(marker.encode()) % 3 == 0:
            kind, text = "text/event-stream", f"data: {text}\n\n"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def admits(self):
        """Whether whoever asks is let in; who is not is answered here."""
        return True

    def do_GET(self):
        self.send_response(405)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Its own log is enough."""
