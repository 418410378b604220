"""Somebody at a browser without script: keeps cookies, fills in forms, follows nothing by itself."""
import html.parser
import http.client
import urllib.parse


class Forms(html.parser.HTMLParser):
    """The forms of a page: by their address, what each would send."""

    def __init__(self, page):
        super().__init__()
        self.found, self.fields, self.select = {}, None, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        has = dict(attributes)
        if tag == "form":
            self.fields = self.found.setdefault(has.get("action"), {})
        elif self.fields is None:
            return
        elif tag == "input":
            self.fields[has.get("name")] = has.get("value") or ""
        elif tag == "select":
            self.select = has.get("name")
        elif tag == "option" and ("selected" in has or self.select not in self.fields):
            self.fields[self.select] = has.get("value") or ""

    def handle_endtag(self, tag):
        if tag == "form":
            self.fields = None


class Person:
    def __init__(self, port_of, origin):
        """`port_of` names the port of a replica that stands, for each request anew."""
        self.port_of, self.origin, self.cookies = port_of, origin, {}

    def ask(self, method, path, body=None):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"host": self.origin.split("//")[1], "cookie": cookies}
        if body is not None:
            headers |= {"origin": self.origin, "content-type": "application/x-www-form-urlencoded"}
        link = http.client.HTTPConnection("127.0.0.1", self.port_of(), timeout=30)
        link.request(method, path, body, headers)
        answer = link.getresponse()
        text = answer.read().decode()
        link.close()
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer, text

    def submit(self, page, action, words):
        """Sends the form of a page with these words in it."""
        forms = Forms(page).found
        if action not in forms:
            raise RuntimeError(f"the page has no form for {action}: {page[:2000]}")
        return self.ask("POST", action, urllib.parse.urlencode(forms[action] | words))

    def sign_in(self, email, password):
        _, page = self.ask("GET", "/login")
        _, page = self.submit(page, "/login", {"email": email})
        answer, page = self.submit(page, "/login/password", {"password": password})
        if answer.status != 303:
            raise RuntimeError(f"nobody is signed in: {answer.status} {page[:2000]}")

    def connect(self, path):
        """Connects an account: to the provider, which agrees at once, and back."""
        _, page = self.ask("GET", path)
        answer, page = self.submit(page, path.split("?")[0], {})
        onward = urllib.parse.urlsplit((answer.headers.get("refresh") or "").partition("url=")[2])
        if not onward.hostname:
            raise RuntimeError(f"no way to the provider: {answer.status} {page[:2000]}")
        link = http.client.HTTPConnection(onward.hostname, onward.port, timeout=30)
        link.request("GET", f"{onward.path}?{onward.query}")
        there = link.getresponse()
        words = there.read().decode()
        link.close()
        back = there.headers.get("location") or ""
        if not back.startswith(f"{self.origin}/"):
            raise RuntimeError(f"the provider did not agree: {there.status} {back or words}")
        answer, page = self.ask("GET", back[len(self.origin):])
        if answer.status != 303:
            raise RuntimeError(f"nothing was connected: {answer.status} {page[:2000]}")
