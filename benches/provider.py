"""The OpenID provider against the floor server: same machine, same run, A B A B.

userinfo: an access token of one of many people for their claims; the floor looks one row up and answers it.
code, refresh: a code or a refresh token for tokens; the floor writes one row and signs once by RS256, which both have to.
People sign in through an OAuth provider of the script's own, so that sessions, codes and tokens are real ones. A run in which any
answer has a status over 399 or a socket fails stops the whole measurement.
"""

import argparse
import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from compare import BASE_PATH, ROOT, RELEASE, Postgres, Run, Server, circumstances, cpu_seconds, median, peak_memory_mib, write

SCRIPT = ROOT / "benches/load/provider.lua"
WORKLOADS = ["userinfo", "code", "refresh"]
CALLBACK = "https://app.example/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SCOPE = "openid profile email offline_access"


class Provider(http.server.BaseHTTPRequestHandler):
    """Signs in whoever the code says."""

    protocol_version = "HTTP/1.1"

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer({"access_token": form["code"][0], "token_type": "Bearer"})

    def do_GET(self):
        number = self.headers["Authorization"].split()[1]
        name = f"person{number}"
        self.answer({"id": number, "login": name, "name": f"Ada {name}", "email": f"{name}@load.example.com", "first_name": "Ada"})

    def log_message(self, *_):
        pass


class Gateway:
    """The gateway with people who are signed in and an application."""

    def __init__(self, server, people):
        self.server = server
        self.client = self.cli("client", "create", "load", "--redirect-uri", CALLBACK, "--json")
        idp = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        threading.Thread(target=idp.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{idp.server_port}"
        (server.folder / "secret").write_text("a-secret")
        options = {
            "authorization_url": f"{at}/authorize", "token_url": f"{at}/token", "profile_url": f"{at}/profile",
            "client_id": "load", "user_id_path": "id", "allow_plaintext": "true",
        }
        line = [part for option in options.items() for part in ("--set", "=".join(option))]
        self.cli("connection", "create", "idp", "--kind", "oauth2", "--secret", "client_secret=file:secret", "--json", *line)
        self.sessions = [self.sign_in(number) for number in range(people)]
        pair = f"{self.client['client_id']}:{self.client['client_secret']}"
        self.basic = "Basic " + base64.b64encode(pair.encode()).decode()

    def cli(self, *arguments):
        command = [RELEASE / "rosterd", *arguments]
        done = subprocess.run(command, env=self.server.environment(), cwd=self.server.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"rosterd {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    def ask(self, connection, method, path, body=None, headers=()):
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer, answer.read()

    def connect(self):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.port))

    def sign_in(self, number):
        with self.connect() as connection:
            begun, _ = self.ask(connection, "GET", "/login/idp?return_to=/session")
            state = urllib.parse.parse_qs(urllib.parse.urlsplit(begun.getheader("Location")).query)["state"][0]
            cookie = begun.getheader("Set-Cookie").split(";")[0]
            back = urllib.parse.urlencode({"code": number, "state": state})
            entered, text = self.ask(connection, "GET", f"/login/callback/idp?{back}", headers={"Cookie": cookie}.items())
            cookies = [line.split(";")[0] for line in entered.headers.get_all("Set-Cookie") or []]
            session = [line for line in cookies if line.startswith("rosterd_session=")]
            if not session:
                sys.exit(f"nobody is signed in: {entered.status} {text[:400]}")
            return session[0]

    def codes(self, count):
        """So many codes, of everybody in turn."""
        asked = {
            "client_id": self.client["client_id"], "redirect_uri": CALLBACK, "response_type": "code", "scope": SCOPE,
            "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }
        path = f"/authorize?{urllib.parse.urlencode(asked)}"
        found = [None] * count

        def get(numbers):
            with self.connect() as connection:
                for number in numbers:
                    cookie = {"Cookie": self.sessions[number % len(self.sessions)]}
                    answer, text = self.ask(connection, "GET", path, headers=cookie.items())
                    query = urllib.parse.urlsplit(answer.getheader("Location") or "").query
                    found[number] = urllib.parse.parse_qs(query).get("code", [f"none: {answer.status} {text[:300]}"])[0]

        workers = [threading.Thread(target=get, args=(range(start, count, 4),)) for start in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(code is None or code.startswith("none") for code in found):
            sys.exit(f"no code: {found[:3]}")
        return found

    def tokens(self, count, name):
        """One kind of token of so many exchanges."""
        lines = []
        with self.connect() as connection:
            for code in self.codes(count):
                fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
                headers = {"Authorization": self.basic, "Content-Type": "application/x-www-form-urlencoded"}
                answer, text = self.ask(connection, "POST", "/oauth/token", urllib.parse.urlencode(fields), headers.items())
                if answer.status != 200:
                    sys.exit(f"no tokens: {answer.status} {text[:400]}")
                lines.append(json.loads(text)[name])
        return lines


def load(server, workload, path, authorization, lines, options):
    """One run of wrk; what it counted, with the CPU time that server and database took per request."""
    file = server.folder / f"{workload}.lines"
    file.write_text("".join(f"{line}\n" for line in lines))
    command = ["wrk", "-t2", f"-c{options.connections}", f"-d{options.seconds}s", "--timeout", "30s", "-s", SCRIPT]
    command += [f"http://127.0.0.1:{server.port}", "--", workload, path, authorization, file]
    if server.postgres:
        # As PostgreSQL does by itself within a minute: a table without statistics is read by whatever index comes first.
        server.postgres.psql(server.database, "ANALYZE")
    ours, database = cpu_seconds(server.process.pid), server.postgres.cpu_seconds() if server.postgres else 0
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = cpu_seconds(server.process.pid) - ours
    database = server.postgres.cpu_seconds() - database if server.postgres else 0
    result = json.loads(printed.strip().splitlines()[-1])
    requests = result["requests"]
    if result["bad_statuses"] or result["socket_errors"] or result["ended_early"] or not requests:
        sys.exit(f"{server.name}, {workload}: invalid run {result}")
    rate = requests * 1e6 / result["microseconds"]
    return Run(rate, ours * 1e6 / requests, database * 1e6 / requests, result["p50_us"] / 1e3, result["p99_us"] / 1e3)


def measure(store, options, folder):
    """Every workload on one store: the section of the report."""
    postgres = Postgres(folder) if store == "postgres" else None
    servers = {}
    rows = []
    try:
        for name in ("floor", "gateway"):
            servers[name] = Server(name, folder / name, postgres)
        floor, subject = servers["floor"], servers["gateway"]
        small = lambda number: {"userName": f"person{number}", "name": f"Ada person{number}", "email": f"person{number}@load.example.com"}
        ids = floor.create_all(options.people, "/Users", small, lambda _, id: id)
        gateway = Gateway(subject, options.people)
        access = gateway.tokens(options.people, "access_token")
        of_floor = {
            "userinfo": lambda: load(floor, "userinfo", BASE_PATH + "/Users/%s", "none", ids, options),
            "code": lambda: load(floor, "floor", BASE_PATH + "/token", "none", [], options),
        }
        of_floor["refresh"] = of_floor["code"]
        of_gateway = {
            "userinfo": lambda: load(subject, "userinfo", "/userinfo", "none", access, options),
            # More than it can use in that time.
            "code": lambda: load(subject, "code", "/oauth/token", gateway.basic, gateway.codes(options.seconds * 4_000), options),
            "refresh": lambda: load(subject, "refresh", "/oauth/token", gateway.basic, gateway.tokens(64, "refresh_token"), options),
        }
        for workload in options.workloads:
            runs = {"floor": [], "gateway": []}
            for pair in range(options.pairs + 1):
                for name, each in (("floor", of_floor), ("gateway", of_gateway)):
                    run = each[workload]()
                    # The first of each warms up.
                    if pair:
                        runs[name].append(run)
            ratios = sorted(ours.rate / base.rate for base, ours in zip(runs["floor"], runs["gateway"]))

            def cpu(each):
                server = f"{median(each, 'server_cpu_us'):.0f}"
                return f"{server} + {median(each, 'database_cpu_us'):.0f}" if postgres else server

            rows.append([
                workload,
                f"{median(runs['floor'], 'rate'):,.0f}",
                f"{median(runs['gateway'], 'rate'):,.0f}",
                f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
                cpu(runs["floor"]),
                cpu(runs["gateway"]),
                f"{median(runs['gateway'], 'p50_ms'):.1f} / {median(runs['gateway'], 'p99_ms'):.1f}",
            ])
            print(f"{store}: " + " | ".join(rows[-1]), file=sys.stderr)
        peak = f"Peak memory: gateway {peak_memory_mib(subject.process.pid):.0f} MiB."
    finally:
        for server in servers.values():
            server.stop()
        if postgres:
            postgres.stop()
    unit = "server + database" if postgres else "database in process"
    head = ["workload", "floor, ops/s", "gateway, ops/s", "ratio (spread)", f"floor CPU µs/op, {unit}", "gateway CPU µs/op"]
    head.append("gateway p50 / p99 ms")
    table = [head, ["---"] * len(head), *rows]
    title = "PostgreSQL" if postgres else "SQLite"
    return "\n".join([f"### {title}, applications", "", *("| " + " | ".join(row) + " |" for row in table), "", peak, ""])


def arguments():
    parser = argparse.ArgumentParser(prog="benches/provider.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    several = lambda text: text.split(",")
    parser.add_argument("--stores", type=several, default=["sqlite", "postgres"], help="sqlite,postgres")
    parser.add_argument("--workloads", type=several, default=WORKLOADS, help=",".join(WORKLOADS))
    parser.add_argument("--pairs", type=int, default=5, help="pairs per workload (5)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run (2)")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (16)")
    parser.add_argument("--people", type=int, default=200, help="people who are signed in (200)")
    parser.add_argument("--write", action="store_true", help="put the tables into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    told = (
        f"- {options.people} people with a session each; {options.connections} connections; "
        f"{options.pairs} pairs of {options.seconds} s per workload after a warm-up"
    )
    sections = [circumstances(options, "benches/provider.sh", told)]
    for store in options.stores:
        with tempfile.TemporaryDirectory(prefix="rosterd-bench-") as folder:
            # PostgreSQL runs as a user of its own and has to get through.
            os.chmod(folder, 0o755)
            sections.append(measure(store, options, pathlib.Path(folder)))
    report = "\n".join(sections)
    print(report)
    if options.write:
        write(report, "provider")


if __name__ == "__main__":
    main()
