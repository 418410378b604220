#!/usr/bin/env python3
"""Does the time of a refused sign-in, or of asking for a reset link, tell whether an address is known?

usage: quiet_door.py BASE_URL KNOWN_EMAIL [SAMPLES]

Run it against an installation that trusts this machine as a proxy (--trusted-proxies 127.0.0.0/8): every request
then comes from an address of its own, so that no limit is met. Known and unknown addresses take turns. Prints the
two-sample Kolmogorov-Smirnov statistic and its p; fails where p <= 0.01.
"""
import http.client
import math
import re
import sys
import time
import urllib.parse

base, known, samples = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 200
site = urllib.parse.urlsplit(base)
link = http.client.HTTPConnection(site.hostname, site.port)
count = 0


def ask(method, path, headers, body=None):
    link.request(method, path, body, headers)
    answer = link.getresponse()
    return answer, answer.read()


page, text = ask("GET", "/login", {})
cookie = page.getheader("set-cookie").split(";")[0]
csrf = re.search(rb'name="csrf" value="([^"]+)"', text)[1].decode()


def timed(path, fields):
    global count
    count += 1
    place = f"10.{count >> 16 & 255}.{count >> 8 & 255}.{count & 255}"
    headers = {"cookie": cookie, "origin": base, "x-forwarded-for": place,
               "content-type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode({"csrf": csrf, **fields})
    start = time.perf_counter()
    answer, _ = ask("POST", path, headers, body)
    return time.perf_counter() - start, answer.status


def kolmogorov_smirnov(a, b):
    a, b = sorted(a), sorted(b)
    i = j = 0
    most = 0.0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            i += 1
        else:
            j += 1
        most = max(most, abs(i / len(a) - j / len(b)))
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (root + 0.12 + 0.11 / root) * most
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)) if x > 0.2 else 1.0
    return most, min(max(p, 0.0), 1.0)


worst = 1.0
for path, fields in [("/login/password", {"password": "not the password"}), ("/forgot", {})]:
    times, statuses = {known: [], "nobody@unknown.example": []}, set()
    for turn in range(samples + 10):
        order = list(times) if turn % 2 else list(times)[::-1]
        for email in order:
            seconds, status = timed(path, {"email": email, **fields})
            statuses.add(status)
            if turn >= 10:
                times[email].append(seconds)
    most, p = kolmogorov_smirnov(*times.values())
    medians = [sorted(each)[samples // 2] * 1000 for each in times.values()]
    print(f"{path}: status {statuses}, medians known {medians[0]:.2f} ms, unknown {medians[1]:.2f} ms, "
          f"D = {most:.3f}, p = {p:.3f}")
    worst = min(worst, p)
sys.exit(worst <= 0.01)
