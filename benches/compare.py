"""The gateway against the floor server: same machine, same run, A B A B.

For each workload it alternates the two for a number of pairs and reports the median of the pairwise ratios with their
spread, the CPU time per request of server and database, and the latency of the gateway. A run in which any answer has
a status over 399, a socket fails, or a written row can't be found, stops the whole measurement.
"""

import argparse
import base64
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PG_BIN = pathlib.Path(os.environ.get("ROSTERD_PG_BIN", "/usr/lib/postgresql/15/bin"))
SCRIPT = ROOT / "benches/load/scim.lua"
REPORT = ROOT / "BENCHMARKS.md"
BASE_PATH = "/scim/v2/connections/scim"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Reads first: the store they read is the same for every pair. What grows the store comes last.
WORKLOADS = ["get", "filter", "page", "patch", "member", "create"]
PEER_FOLDER = ROOT / "benches/peers/saml-jackson"
# What the peer can do as well. Goals: how many times its CPU time per request is that of the gateway.
PEER_GOALS = {"get": 8, "filter": 12, "page": 10, "patch": 5, "create": 10}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"{what} was not ready after {seconds} s")
        time.sleep(0.1)


def cpu_seconds(pid, with_reaped_children=False):
    """User and system time of a process so far, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if with_reaped_children else 13]) / TICKS_PER_SECOND


def peak_memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


class Postgres:
    """A cluster of its own in a temporary folder, with the settings it ships with. PostgreSQL refuses to run as root."""

    def __init__(self, folder):
        self.data, self.port = folder / "cluster", free_port()
        self.data.mkdir()
        self.prefix = []
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres")
            self.prefix = ["runuser", "-u", "postgres", "--"]
        initdb = [PG_BIN / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--no-locale", "-E", "UTF8"]
        subprocess.run([*self.prefix, *initdb], check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.log_path = folder / "postgres.log"
        self.start()

    def start(self):
        self.log = open(self.log_path, "a")
        options = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.data}"]
        self.process = subprocess.Popen(
            [*self.prefix, PG_BIN / "postgres", "-D", self.data, *options], stdout=self.log, stderr=self.log, cwd="/"
        )
        wait_for("PostgreSQL", lambda: self.psql("postgres", "SELECT 1", check=False) == "1")
        # With runuser in front, the server is its child; its own file names it either way.
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])

    def psql(self, database, sql, check=True):
        command = [PG_BIN / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-XAtc", sql, database]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            sys.exit(f"psql: {done.stderr}")
        return done.stdout.strip()

    def create_database(self, name):
        self.psql("postgres", f"CREATE DATABASE {name}")
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def cpu_seconds(self):
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        total = cpu_seconds(self.pid, with_reaped_children=True)
        for child in children:
            # One may end between the list and the look.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += cpu_seconds(child)
        return total

    def stop(self):
        os.kill(self.pid, signal.SIGINT)
        self.process.wait()
        self.log.close()


class Server:
    """The floor, the gateway or the peer, on a store of its own."""

    def __init__(self, name, folder, postgres, database=None):
        self.name, self.folder, self.postgres = name, folder, postgres
        folder.mkdir()
        self.port, self.token = free_port(), "none"
        self.log = open(folder / "log", "w")
        if postgres:
            self.database = re.sub(r"\W", "_", database or name)
            self.url = postgres.create_database(self.database)
        else:
            self.file = folder / "roster.db"
        start = {"gateway": self.start_gateway, "peer": self.start_peer}.get(name, self.start_floor)
        self.process = start()
        wait_for(name, self.listens)

    def start_floor(self):
        command = [RELEASE / "examples/floor", f"127.0.0.1:{self.port}", self.url if self.postgres else f"sqlite:{self.file}"]
        if self.name == "floor, each commit":
            command.append("each")
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def environment(self):
        """Of every command on this gateway."""
        settings = {
            "ROSTERD__DATABASE__URL": self.url if self.postgres else f"sqlite://{self.file}",
            "ROSTERD__SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "ROSTERD__SECRETS__KEY": base64.b64encode(bytes(range(32))).decode(),
            "ROSTERD__LOG__LEVEL": "warn",
            "ROSTERD__MAPPINGS__DIR": str(ROOT / "mappings"),
        }
        return {**os.environ, **settings}

    def start_gateway(self):
        environment = self.environment()
        bootstrap = [RELEASE / "rosterd", "bootstrap", "--json"]
        printed = subprocess.run(bootstrap, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        if printed.returncode != 0:
            sys.exit(f"rosterd bootstrap: {printed.stderr}")
        self.token = json.loads(printed.stdout)["scim_token"]
        return subprocess.Popen([RELEASE / "rosterd", "serve"], env=environment, cwd=self.folder, stdout=self.log, stderr=self.log)

    def start_peer(self):
        command = ["node", PEER_FOLDER / "server.mjs", f"127.0.0.1:{self.port}", self.url]
        environment = {**os.environ, "NODE_ENV": "production"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.token = json.loads(process.stdout.readline())["token"]
        return process

    def listens(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name} ended at once:\n{(self.folder / 'log').read_text()}")
        if self.name == "gateway":
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz").status == 200
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def users_stored(self):
        # The peer keeps everything in one table of keys; a user's begins with its kind.
        tables = {"gateway": "identities WHERE listed", "peer": "jackson_store WHERE namespace LIKE 'dsync:users%'"}
        sql = f"SELECT count(*) FROM {tables.get(self.name, 'users')}"
        if self.postgres:
            return int(self.postgres.psql(self.database, sql))
        with contextlib.closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchone()[0]

    def seed(self, users, groups):
        """Creates users and groups over HTTP and notes their ids for the load script."""
        lines = self.create_all(users, "/Users", seed_user, lambda number, id: f"user {id} {seed_user(number)['userName']}")
        lines += self.create_all(groups, "/Groups", seed_group, lambda number, id: f"group {id}")
        self.seed_file = self.folder / "seed"
        self.seed_file.write_text("".join(f"{line}\n" for line in lines))
        self.users, self.groups = users, groups

    def create_all(self, count, endpoint, body, line):
        """Creates what `body` makes of each number, eight at a time; what `line` makes of number and id, in order."""
        lines, lock = [], threading.Lock()

        def post(numbers):
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            headers = {"Content-Type": "application/scim+json", "Authorization": f"Bearer {self.token}"}
            for number in numbers:
                connection.request("POST", BASE_PATH + endpoint, json.dumps(body(number)), headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 201:
                    os._exit(self.complain(f"seeding {endpoint}: {answer.status} {text[:500]}"))
                with lock:
                    lines.append((number, line(number, json.loads(text)["id"])))
            connection.close()

        workers = [threading.Thread(target=post, args=(range(start, count, 8),)) for start in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return [line for _, line in sorted(lines)]

    def complain(self, text):
        print(f"{self.name}: {text}", file=sys.stderr)
        return 1

    def load(self, workload, seconds, connections, state=None):
        """One run of wrk; what it counted, with the CPU time that server and database took per request."""
        state = self.folder / f"{state or workload}.state"
        if workload == "member" and state.exists() and int(state.read_text()) * 2 > 0.9 * self.users * self.groups:
            sys.exit("member: too few groups for so long a run; raise --groups")
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", SCRIPT]
        command += [f"http://127.0.0.1:{self.port}", "--", workload, BASE_PATH, self.token, self.seed_file, state]
        stored = self.users_stored() if workload == "create" else 0
        server, database = cpu_seconds(self.process.pid), self.postgres.cpu_seconds() if self.postgres else 0
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        server = cpu_seconds(self.process.pid) - server
        database = self.postgres.cpu_seconds() - database if self.postgres else 0
        result = json.loads(printed.strip().splitlines()[-1])
        requests = result["requests"]
        if result["bad_statuses"] or result["socket_errors"] or not requests:
            sys.exit(f"{self.name}, {workload}: invalid run {result}")
        if workload == "create" and not requests <= self.users_stored() - stored <= requests + 2 * connections:
            sys.exit(f"{self.name}: {requests} creates were acknowledged, {self.users_stored() - stored} rows came")
        rate = requests * 1e6 / result["microseconds"]
        return Run(rate, server * 1e6 / requests, database * 1e6 / requests, result["p50_us"] / 1e3, result["p99_us"] / 1e3)

    def stop(self):
        self.process.send_signal(signal.SIGTERM if self.name == "gateway" else signal.SIGKILL)
        self.process.wait()
        self.log.close()


@dataclasses.dataclass
class Run:
    rate: float
    server_cpu_us: float
    database_cpu_us: float
    p50_ms: float
    p99_ms: float


def seed_user(number):
    name = f"seed-{number:07d}"
    work = {"value": f"{name}@load.example.com", "type": "work", "primary": True}
    return {
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": f"ext-{name}",
        "userName": f"{name}@load.example.com",
        "displayName": f"Ada Augusta {name}",
        "active": True,
        "name": {
            "formatted": f"Ms. Ada Augusta King-Lovelace {name}",
            "familyName": "King-Lovelace",
            "givenName": "Ada",
            "middleName": "Augusta",
            "honorificPrefix": "Ms.",
        },
        "title": "Principal Analyst",
        "preferredLanguage": "en-GB",
        "emails": [work, {"value": f"{name}@home.example.net", "type": "home"}],
        "phoneNumbers": [
            {"value": "+44 20 7946 0123", "type": "work", "primary": True},
            {"value": "+44 7700 900123", "type": "mobile"},
        ],
        "addresses": [
            {
                "type": "work",
                "streetAddress": "12 St James's Square, Second Floor",
                "locality": "London",
                "region": "Greater London",
                "postalCode": "SW1Y 4JH",
                "country": "GB",
                "primary": True,
            }
        ],
        "roles": [{"value": "analyst", "display": "Analyst", "type": "work", "primary": True}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": name,
            "costCenter": "CC-4711",
            "organization": "Analytical Engines plc",
            "division": "Computation",
            "department": "Numerical Research",
        },
    }


def seed_group(number):
    return {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": f"Load group {number:05d}"}


def median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)


def compare(subject, yardstick, workload, options):
    """Alternates the two after a warm-up of each; a line of the table."""
    for server in (yardstick, subject):
        server.load(workload, 2, options.connections)
    base, ours = [], []
    for _ in range(options.pairs):
        base.append(yardstick.load(workload, options.seconds, options.connections))
        ours.append(subject.load(workload, options.seconds, options.connections))
    ratios = sorted(b.rate / a.rate for a, b in zip(base, ours))
    in_database = bool(subject.postgres)

    def cpu(runs):
        server = f"{median(runs, 'server_cpu_us'):.0f}"
        return f"{server} + {median(runs, 'database_cpu_us'):.0f}" if in_database else server

    return [
        workload if yardstick.name == "floor" else f"{workload}, against {yardstick.name}",
        f"{median(base, 'rate'):,.0f}",
        f"{median(ours, 'rate'):,.0f}",
        f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
        cpu(base),
        cpu(ours),
        f"{median(ours, 'p50_ms'):.1f} / {median(ours, 'p99_ms'):.1f}",
    ]


def measure(store, options, folder):
    """Every workload on one store: the section of the report."""
    postgres = Postgres(folder) if store == "postgres" else None
    names = ["floor", "floor, each commit"] if store == "sqlite" and "create" in options.workloads else ["floor"]
    names.append("gateway" if options.subject == "gateway" else "floor again")
    servers = {}
    rows = []
    try:
        for name in names:
            servers[name] = Server(name, folder / re.sub(r"\W+", "-", name), postgres)
            print(f"{store}: seeding {name}", file=sys.stderr)
            servers[name].seed(options.users, options.groups)
        subject = servers[names[-1]]
        for workload in (workload for workload in WORKLOADS if workload in options.workloads):
            for name in names[:-1]:
                if name == "floor" or workload == "create":
                    rows.append(compare(subject, servers[name], workload, options))
                    print(f"{store}: " + " | ".join(rows[-1]), file=sys.stderr)
        peaks = [f"{server.name} {peak_memory_mib(server.process.pid):.0f} MiB" for server in (subject, servers["floor"])]
    finally:
        for server in servers.values():
            server.stop()
        if postgres:
            postgres.stop()
    title = "PostgreSQL" if postgres else "SQLite"
    unit = "server + database" if postgres else "database in process"
    head = ["workload", "floor, ops/s", "gateway, ops/s", "ratio (spread)", f"floor CPU µs/op, {unit}", "gateway CPU µs/op"]
    head.append("gateway p50 / p99 ms")
    table = [head, ["---"] * len(head), *rows]
    lines = [f"### {title}", "", *("| " + " | ".join(row) + " |" for row in table), ""]
    lines += [f"Peak memory: {', '.join(peaks)}.", ""]
    return "\n".join(line.replace("gateway", subject.name) for line in lines)


def rows_of_a_page(server):
    """How many users the page of the workload holds: the peer gives fewer than it is asked for."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{BASE_PATH}/Users?startIndex=1&count=100")
    request.add_header("Authorization", f"Bearer {server.token}")
    return len(json.load(urllib.request.urlopen(request))["Resources"])


def against_peer(options, folder):
    """The gateway and the closest peer by turns on PostgreSQL, CPU time per request: the section of the report."""
    postgres = Postgres(folder)
    servers = {}
    head = ["workload", "peer, ops/s", "gateway, ops/s", "peer CPU µs/op, server + database", "gateway CPU µs/op", "times (spread)", "goal"]
    rows = [head, ["---"] * len(head)]
    try:
        for name in ("peer", "gateway"):
            servers[name] = Server(name, folder / name, postgres)
            print(f"postgres: seeding {name}", file=sys.stderr)
            servers[name].seed(options.users, 0)
        peer, gateway = servers["peer"], servers["gateway"]
        for workload in (workload for workload in options.workloads if workload in PEER_GOALS):
            share = rows_of_a_page(gateway) / rows_of_a_page(peer) if workload == "page" else 1
            runs = {name: [] for name in servers}
            for server in servers.values():
                server.load(workload, 2, options.connections)
            for _ in range(options.pairs):
                for name, server in servers.items():
                    runs[name].append(server.load(workload, options.seconds, options.connections))
            cpu = {name: [run.server_cpu_us + run.database_cpu_us for run in each] for name, each in runs.items()}
            times = sorted(share * theirs / ours for theirs, ours in zip(cpu["peer"], cpu["gateway"]))
            both = {
                name: f"{median(each, 'server_cpu_us'):.0f} + {median(each, 'database_cpu_us'):.0f}" for name, each in runs.items()
            }
            rows.append([
                workload if share == 1 else f"{workload}, per row",
                f"{median(runs['peer'], 'rate'):,.0f}",
                f"{median(runs['gateway'], 'rate'):,.0f}",
                both["peer"],
                both["gateway"],
                f"**{statistics.median(times):.1f}** ({times[0]:.1f}–{times[-1]:.1f})",
                f"{PEER_GOALS[workload]}",
            ])
            print("postgres: " + " | ".join(rows[-1]), file=sys.stderr)
    finally:
        for server in servers.values():
            server.stop()
        postgres.stop()
    version = json.loads((PEER_FOLDER / "node_modules/@boxyhq/saml-jackson/package.json").read_text())["version"]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", f"Peer: @boxyhq/saml-jackson {version} on node {node}.", ""])


def circumstances(options, script, *more):
    """What a reader needs to run the same."""

    def first_line(*command):
        if not shutil.which(command[0]):
            return f"no {command[0]} here"
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        return next(iter((done.stdout or done.stderr).splitlines()), "").strip()

    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    changed = ", with changes" if shutil.which("git") and first_line("git", "status", "--porcelain") else ""
    return "\n".join(
        [
            f"- Command: `{' '.join([script, *sys.argv[1:]])}`",
            f"- Commit: {first_line('git', 'rev-parse', '--short', 'HEAD')}{changed}; {time.strftime('%Y-%m-%d')}",
            f"- Machine: {os.cpu_count()} cores, {cpu[1] if cpu else 'unknown CPU'}; Linux {os.uname().release}",
            f"- {first_line('rustc', '--version')}; {first_line(PG_BIN / 'postgres', '--version')}; {first_line('wrk', '--version').split(' [')[0]}",
            *more,
            "",
        ]
    )


def write(report, mark):
    """Puts the report between the two marks of that name in BENCHMARKS.md."""
    text = REPORT.read_text()
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, rest = text.split(begin)
    _, after = rest.split(end)
    REPORT.write_text(f"{before}{begin}\n{report}{end}{after}")
    print(f"written to {REPORT.name}", file=sys.stderr)


def arguments():
    parser = argparse.ArgumentParser(prog="benches/run.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    several = lambda text: text.split(",")
    parser.add_argument("--stores", type=several, default=["sqlite", "postgres"], help="sqlite,postgres")
    parser.add_argument("--workloads", type=several, default=WORKLOADS, help=",".join(WORKLOADS))
    parser.add_argument("--pairs", type=int, default=5, help="pairs per workload (5)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (16)")
    parser.add_argument("--users", type=int, default=5_000, help="users before the first run (5000)")
    parser.add_argument("--groups", type=int, default=400, help="groups that the member workload fills (400)")
    parser.add_argument(
        "--subject",
        choices=["gateway", "floor"],
        default="gateway",
        help="`floor` measures the floor against itself: what the method calls a difference where there is none",
    )
    parser.add_argument(
        "--peer", action="store_true", help="measure against the closest peer instead of the floor (needs node and npm)"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    load = (
        f"- {options.users:,} users and {options.groups} groups before the first run; {options.connections} connections; "
        f"{options.pairs} pairs of {options.seconds} s per workload after a warm-up"
    )
    sections = [circumstances(options, "benches/run.sh", load)]
    if options.peer:
        subprocess.run(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=PEER_FOLDER, check=True)
    for store in [] if options.peer else options.stores:
        with tempfile.TemporaryDirectory(prefix="rosterd-bench-") as folder:
            # PostgreSQL runs as a user of its own and has to get through.
            os.chmod(folder, 0o755)
            sections.append(measure(store, options, pathlib.Path(folder)))
    if options.peer:
        with tempfile.TemporaryDirectory(prefix="rosterd-bench-") as folder:
            os.chmod(folder, 0o755)
            sections.append(against_peer(options, pathlib.Path(folder)))
    report = "\n".join(sections)
    print(report)
    if options.write:
        write(report, "peer" if options.peer else "floor")


if __name__ == "__main__":
    main()
