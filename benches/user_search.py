"""What searches of users cost at a million of them, on SQLite: python3 benches/user_search.py [--users N] [--binary PATH]

Starts a gateway on an empty database, stops it, writes users with their identities and searchable values into the database as
the gateway would, starts it again, and asks each search several times over HTTP. Prints a table: the median and the slowest in
milliseconds, status, and how many match. The same is asked of a hundredth of the users first: what an index serves has to stay flat.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROUNDS = 7
BATCH = 20_000
NOW = 1_700_000_000_000_000
SEARCHES = [
    ("nobody asks", {}),
    ("the same, counted", {"include_totals": "true"}),
    ("last page by number", {"page": "19"}),
    ("sorted by name", {"sort": "name:1"}),
    ("sorted by last_login, backwards", {"sort": "last_login:-1"}),
    ("email", {"q": 'email:"P777@big.example" OR email:p778@*', "include_totals": "true"}),
    ("name", {"q": 'name:"person 777"', "include_totals": "true"}),
    ("beginning of a name", {"q": "name:person\\ 777*", "include_totals": "true"}),
    ("part of a name", {"q": "name:*son\\ 777*"}),
    ("a word", {"q": "given777", "include_totals": "true"}),
    ("username", {"q": "username:u777", "include_totals": "true"}),
    ("user_id", {"q": 'user_id:"scim|scim|e777"', "include_totals": "true"}),
    ("domain of a customer", {"q": "email.domain:d0.example", "include_totals": "true"}),
    ("domain of a tenth", {"q": "email.domain:big.example", "include_totals": "true"}),
    ("metadata of a hundredth", {"q": 'app_metadata.plan:"gold"', "include_totals": "true"}),
    ("metadata of most", {"q": 'app_metadata.plan:"free"', "include_totals": "true"}),
    ("the same, sorted by name", {"q": 'app_metadata.plan:"free"', "sort": "name:1"}),
    ("blocked", {"q": "blocked:true"}),
    ("connection", {"connection": "scim", "include_totals": "true"}),
    ("a second of created_at", {"q": 'created_at:"2023-11-14T22:13:20.777Z"', "include_totals": "true"}),
    ("value and no index", {"q": 'email.domain:d0.example AND NOT name:*777* AND NOT email_verified:true', "include_totals": "true"}),
    ("no index, page only", {"q": "NOT email_verified:true"}),
    ("no index, counted", {"q": "NOT email_verified:true", "include_totals": "true"}),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.port = binary, folder, free_port()
        self.environment = dict(
            os.environ,
            ROSTERD__SERVER__LISTEN=f"127.0.0.1:{self.port}",
            ROSTERD__DATABASE__URL=f"sqlite://{folder}/roster.db",
        )
        made = subprocess.run([binary, "bootstrap", "--json"], env=self.environment, cwd=folder, capture_output=True, text=True, check=True)
        self.token = json.loads(made.stdout)["admin_token"]

    def fill(self, users):
        database = sqlite3.connect(self.folder / "roster.db")
        database.execute("PRAGMA synchronous = OFF")
        (connection,) = database.execute("SELECT id FROM connections").fetchone()
        (known,) = database.execute("SELECT coalesce(max(total), 0) FROM counters WHERE kind = 'profile'").fetchone()
        for base in range(known, users, BATCH):
            rows = [row(number, connection) for number in range(base, min(users, base + BATCH))]
            write = database.executemany
            write(
                "INSERT INTO users (tenant_id, id, user_id, email, email_key, username_key, blocked, doc, provenance, created_at, updated_at, "
                "logins_count, email_order) VALUES ('default', ?, ?, ?, ?, ?, ?, ?, '{}', ?, ?, ?, ?)",
                [user for user, _, _ in rows],
            )
            write(
                "INSERT INTO identities (tenant_id, id, connection_id, profile_id, external_id, user_name, user_name_key, state, listed, "
                "last_source, first_seen, last_seen, created_at, updated_at) VALUES ('default', ?, ?, ?, ?, ?, ?, 'active', 1, 'scim', 0, 0, 0, 0)",
                [identity for _, identity, _ in rows],
            )
            write("INSERT INTO user_values VALUES ('default', ?, ?, ?)", [value for _, _, values in rows for value in values])
            database.commit()
        database.execute("DELETE FROM counters WHERE kind = 'profile'")
        database.execute("INSERT INTO counters VALUES ('default', '', 'profile', 0, ?)", (users,))
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def up(self):
        self.process = subprocess.Popen([self.binary, "serve"], env=self.environment, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz").read()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the gateway does not start")

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def ask(self, parameters):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v2/users?{urllib.parse.urlencode(parameters)}")
        request.add_header("authorization", f"Bearer {self.token}")
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request) as answer:
                status, body = answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            status, body = error.code, {}
        return (time.monotonic() - began) * 1_000, status, body.get("total", "") if isinstance(body, dict) else ""


def row(number, connection):
    """One user, one identity, the values that are made of the document (model::user_search)."""
    profile = f"019a0000-{(number >> 16) & 0xFFFF:04x}-7{(number >> 8) & 0xFF:03x}-8000-{number:012x}"
    domain = f"d{number // 20_000}.example" if number % 10 else "big.example"
    plan = "free" if number % 100 else "gold"
    given, family = f"Given{number % 5_000}", f"Family{number % 9_000}"
    document = {
        "email": f"p{number}@{domain}", "name": f"Person {number}", "given_name": given, "family_name": family, "username": f"u{number}",
        "app_metadata": {"plan": plan},
    }
    at = NOW + number * 1_000
    user = (
        profile, f"scim|scim|e{number}", document["email"], document["email"], document["username"], number % 50 == 0, json.dumps(document),
        at, at, number % 7, document["email"],
    )
    identity = (f"019a1{profile[5:]}", connection, profile, f"e{number}", document["username"], document["username"])
    values = [
        ("name", f"person {number}"), ("nickname", f"p{number}"), ("given_name", given.lower()), ("family_name", family.lower()),
        ("email.domain", domain), ("username", document["username"]), ("app_metadata.plan", f"s{plan}"),
    ]
    return user, identity, [(attribute, key, profile) for attribute, key in values]


def measure(gateway, users):
    began = time.monotonic()
    gateway.fill(users)
    print(f"\n{users:,} users (filled in {time.monotonic() - began:.0f} s)\n")
    print("| search | median ms | slowest ms | status | matches |\n|---|---|---|---|---|")
    gateway.up()
    try:
        for name, parameters in SEARCHES:
            asked = [gateway.ask(parameters) for _ in range(ROUNDS)]
            times, (_, status, total) = [took for took, _, _ in asked], asked[-1]
            print(f"| {name} | {statistics.median(times):.1f} | {max(times):.1f} | {status} | {total} |", flush=True)
    finally:
        gateway.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--binary", default="target/release/rosterd")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(pathlib.Path(arguments.binary).resolve(), pathlib.Path(folder))
        for users in (arguments.users // 100, arguments.users):
            measure(gateway, users)


if __name__ == "__main__":
    main()
