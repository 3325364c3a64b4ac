"""What does it cost to follow a directory?

An OpenLDAP of its own holds so many people and groups of 200. Yardstick R, on the same machine in the same run: the time
`ldapsearch` takes to read all of it page by page, and a raw insert of the very rows that the first run wrote, into the same
tables with the same indexes, 500 people per transaction, flushed as the gateway flushes. Against it: a first run, a full run
that finds nothing new and has to write nothing, a run after 100 changes. Then a gateway that follows the directory by itself
beside requests: its memory, and what a run does to the 99th percentile of answers.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import compare
from compare import BASE_PATH, RELEASE, Postgres, Server, free_port, wait_for

SUFFIX = "dc=example,dc=test"
ADMIN, SYNC, PASSWORD = f"cn=admin,{SUFFIX}", f"uid=sync,ou=svc,{SUFFIX}", "s3cret-of-the-directory"
MEMBERS_EACH, CHANGES, TOGETHER = 200, 100, 500
# Times of R, seconds, MiB over idle, times of the percentile without a run.
GOALS = {"first": 2.0, "unchanged": 1.5, "delta": 0.5, "memory": 64, "p99": 1.5}
# What a first run writes, parents first: every row of these is inserted again for R. What belongs to nobody goes last.
WRITTEN = ["users", "identities", "identity_values", "user_values", "blocks", "history", "log", "outbox", "groups", "members",
           "unresolved_members", "counters"]
# The run's own books, which every run writes.
BOOKS = {"runs", "run_items", "leases", "sync_state", "mapping_versions"}
PROBES, PROBES_PER_SECOND = 4, 25


class Directory:
    """A slapd with people and groups, on a loopback port."""

    def __init__(self, folder, people):
        self.folder, self.people, self.port = folder, people, free_port()
        (folder / "db").mkdir(parents=True)
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "nis", "inetorgperson"))
        (folder / "slapd.conf").write_text(f"""{schemas}modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
pidfile {folder}/slapd.pid
sizelimit size.soft=500 size.hard=1000 size.pr=1000 size.prtotal=unlimited
database mdb
suffix {SUFFIX}
rootdn {ADMIN}
rootpw secret
directory {folder}/db
maxsize 4294967296
dbnosync
index objectClass,entryUUID,entryCSN,modifyTimestamp,uid,cn,member eq
limits dn.exact="{SYNC}" size=unlimited size.prtotal=unlimited time=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
overlay syncprov
syncprov-sessionlog 10000
""")
        with open(folder / "people.ldif", "w") as ldif:
            ldif.writelines(self.entries())
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", folder / "slapd.conf", "-l", folder / "people.ldif"], check=True)
        self.log = open(folder / "log", "w")
        command = ["/usr/sbin/slapd", "-d", "0", "-f", folder / "slapd.conf", "-h", self.url()]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        ask = ["ldapwhoami", "-x", "-H", self.url(), "-D", SYNC, "-w", PASSWORD]
        wait_for("slapd", lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0)

    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    def entries(self):
        yield f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: Example\ndc: example\n\n"
        for ou in ("people", "groups", "svc"):
            yield f"dn: ou={ou},{SUFFIX}\nobjectClass: organizationalUnit\nou: {ou}\n\n"
        yield f"dn: {SYNC}\nobjectClass: account\nobjectClass: simpleSecurityObject\nuid: sync\nuserPassword: {PASSWORD}\n\n"
        for number in range(self.people):
            yield (
                f"dn: {self.dn(number)}\nobjectClass: inetOrgPerson\nuid: u{number:06}\ncn: Ada King {number}\nsn: King {number}\n"
                f"givenName: Ada\ndisplayName: Ada Augusta King {number}\nmail: u{number:06}@example.test\n"
                f"employeeNumber: {number}\ntelephoneNumber: +49 30 {number + 100_000:06}\ntitle: Principal Analyst\n"
                f"departmentNumber: {number % 97}\npreferredLanguage: en-GB\n\n"
            )
        for group in range(self.groups()):
            yield f"dn: cn=g{group:04},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: g{group:04}\n"
            for member in range(MEMBERS_EACH):
                yield f"member: {self.dn((group * 977 + member * 31) % self.people)}\n"
            yield "\n"

    def groups(self):
        return max(1, self.people // 1_000)

    def dn(self, number):
        return f"uid=u{number:06},ou=people,{SUFFIX}"

    def dump(self):
        """Seconds that reading everything takes, as the sync reads it: who reads does nothing else."""
        began = time.monotonic()
        for base, what in (("people", "(objectClass=inetOrgPerson)"), ("groups", "(objectClass=groupOfNames)")):
            command = ["ldapsearch", "-LLL", "-x", "-H", self.url(), "-D", SYNC, "-w", PASSWORD, "-E", "pr=1000/noprompt"]
            command += ["-b", f"ou={base},{SUFFIX}", what, "*", "entryUUID", "modifyTimestamp"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def change(self, mark):
        """So many people are called otherwise."""
        ldif = "".join(
            f"dn: {self.dn(number * (self.people // CHANGES))}\nchangetype: modify\nreplace: displayName\ndisplayName: {mark} {number}\n\n"
            for number in range(CHANGES)
        )
        command = ["ldapmodify", "-x", "-H", self.url(), "-D", ADMIN, "-w", "secret"]
        subprocess.run(command, input=ldif, text=True, check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Follower(Server):
    """A gateway that is set up to follow a directory, at first not by itself."""

    def __init__(self, folder, postgres, directory):
        super().__init__("gateway", folder, postgres, folder.name)
        self.directory = directory
        self.down()
        # An empty one, for the raw insert, and for measuring again.
        self.connect()
        self.empty = self.copy("empty")

    def environment(self):
        return {**super().environment(), "PASSWORD": PASSWORD}

    def connect(self):
        options = {
            "server": "openldap", "url": self.directory.url(), "allow_plaintext": "true", "bind_dn": SYNC, "page_size": "1000",
            "user_base": f"ou=people,{SUFFIX}", "group_base": f"ou=groups,{SUFFIX}", "schedule": "off",
        }
        sets = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
        self.command("connection", "create", "corp", "--kind", "ldap", *sets, "--secret", "bind_password=env:PASSWORD")

    def command(self, *arguments):
        """What it printed, and how long it took."""
        began = time.monotonic()
        done = subprocess.run(
            [RELEASE / "rosterd", *arguments], env=self.environment(), cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"rosterd {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout, time.monotonic() - began

    def sync(self, *more):
        """The report of a run, and its seconds."""
        printed, took = self.command("sync", "corp", "--json", *more)
        return json.loads(printed), took

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def up(self):
        self.process = self.start_again()
        wait_for("gateway", self.listens)

    def start_again(self):
        return subprocess.Popen([RELEASE / "rosterd", "serve"], env=self.environment(), cwd=self.folder, stdout=self.log, stderr=self.log)

    # Rows.

    def copy(self, name):
        """The name of a copy of the database as it is now."""
        if self.postgres:
            self.postgres.psql("postgres", f"CREATE DATABASE {self.database}_{name} TEMPLATE {self.database}")
            return f"{self.database}_{name}"
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return shutil.copy(self.file, self.folder / f"{name}.db")

    def rows(self, query):
        if self.postgres:
            text = self.postgres.psql(self.database, f"SELECT to_json(r) FROM ({query}) r")
            return [tuple(json.loads(line).values()) for line in text.splitlines()]
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query).fetchall()

    def change_rows(self, sql):
        if self.postgres:
            self.postgres.psql(self.database, sql)
        else:
            with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection, connection:
                connection.execute(sql)

    def tables(self):
        if self.postgres:
            return [name for (name,) in self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")]
        return [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]

    def columns(self, table):
        if self.postgres:
            query = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        else:
            query = f"SELECT name FROM pragma_table_info('{table}')"
        return [name for (name,) in self.rows(query)]

    def completed_at(self):
        return self.rows("SELECT completed_at FROM sync_state")

    def is_running(self):
        return self.rows("SELECT count(*) AS n FROM runs WHERE kind = 'sync' AND state = 'running'")[0][0] > 0

    def footprint(self):
        """Rows and versions of every table but the books: equal if nothing was written."""
        told = {}
        for table in sorted(set(self.tables()) - BOOKS):
            of = ["count(*)"] + ["sum(version)"] * ("version" in self.columns(table))
            told[table] = self.rows(f"SELECT {', '.join(f'{one} AS c{at}' for at, one in enumerate(of))} FROM {table}")
        return told


def in_batches(follower):
    """The rows of the first run as batches: lists of (table, columns, rows), 500 people with all that is theirs in each."""
    persons = {}
    for number, (identity, profile) in enumerate(follower.rows("SELECT id, profile_id FROM identities ORDER BY created_at, id")):
        persons[identity] = persons[profile] = number // TOGETHER
    last = max(persons.values())
    batches = [[] for _ in range(last + 1)]
    # Groups come after people, as many rows at a time.
    later = []
    owners = {"users": "id", "identities": "id", "identity_values": "identity_id", "user_values": "profile_id",
              "blocks": "profile_id", "history": "profile_id", "log": "profile_id", "outbox": "profile_id"}
    for table in WRITTEN:
        columns = follower.columns(table)
        order = "ORDER BY " + ("created_at, id" if {"created_at", "id"} <= set(columns) else "1, 2, 3")
        of_batch, rest = collections.defaultdict(list), []
        at = columns.index(owners[table]) if table in owners else None
        for row in follower.rows(f"SELECT {', '.join(columns)} FROM {table} {order}"):
            batch = persons.get(row[at]) if at is not None else None
            (rest if batch is None else of_batch[batch]).append(row)
        for batch, rows in of_batch.items():
            batches[batch].append((table, columns, rows))
        later += [[(table, columns, rest[start : start + TOGETHER])] for start in range(0, len(rest), TOGETHER)]
    return batches + later


def raw_insert(follower):
    """Seconds that the same rows take without a gateway, into a database as it was before the first run; how many rows."""
    batches = in_batches(follower)
    rows = sum(len(rows) for batch in batches for _, _, rows in batch)
    # What was there before is there: a row of it is no row of the run.
    if follower.postgres:
        return raw_insert_postgres(follower, batches), rows
    with contextlib.closing(sqlite3.connect(follower.empty, isolation_level=None)) as connection:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        for table in WRITTEN:
            connection.execute(f"DELETE FROM {table}")
        began = time.monotonic()
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            for table, columns, some in batch:
                places = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", some)
            connection.execute("COMMIT")
        return time.monotonic() - began, rows


def raw_insert_postgres(follower, batches):
    def literal(value):
        if value is None:
            return "NULL"
        if isinstance(value, (bool, int)):
            return str(value)
        return "'" + value.replace("'", "''") + "'"

    script = follower.folder / "raw.sql"
    with open(script, "w") as file:
        for batch in batches:
            file.write("BEGIN;\n")
            for table, columns, some in batch:
                values = ",\n".join(f"({', '.join(map(literal, row))})" for row in some)
                file.write(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values};\n")
            file.write("COMMIT;\n")
    postgres = follower.postgres
    postgres.psql(follower.empty, ";".join(f"DELETE FROM {table}" for table in reversed(WRITTEN)))
    command = [compare.PG_BIN / "psql", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "postgres", "-XAq"]
    command += ["-v", "ON_ERROR_STOP=1", "-f", script, follower.empty]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    script.unlink()
    return took


class Probes:
    """Requests at their times, however late answers are: half of them read, half of them change somebody."""

    def __init__(self, follower):
        self.follower = follower
        self.users = [line.split()[1] for line in follower.seed_file.read_text().splitlines()]

    def p99(self, goes_on):
        """Milliseconds from when a request was due to its answer, the 99th percentile; until `goes_on` says no."""
        took, ends, faults = [[] for _ in range(PROBES)], threading.Event(), []

        def probe(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.follower.port, timeout=60)
            headers = {"Authorization": f"Bearer {self.follower.token}", "Content-Type": "application/scim+json"}
            schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
            due = time.monotonic() + number / PROBES / PROBES_PER_SECOND
            count = 0
            while not ends.is_set():
                time.sleep(max(0, due - time.monotonic()))
                user = self.users[(number + count * PROBES) % len(self.users)]
                operation = {"op": "replace", "path": "title", "value": f"Title {number} {count}"}
                body = json.dumps({"schemas": [schema], "Operations": [operation]}) if count % 2 else None
                connection.request("PATCH" if body else "GET", f"{BASE_PATH}/Users/{user}", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    faults.append(answer.status)
                took[number].append((time.monotonic() - due) * 1e3)
                due, count = due + 1 / PROBES_PER_SECOND, count + 1
            connection.close()

        threads = [threading.Thread(target=probe, args=(number,)) for number in range(PROBES)]
        for thread in threads:
            thread.start()
        while goes_on():
            time.sleep(0.05)
        ends.set()
        for thread in threads:
            thread.join()
        if faults:
            sys.exit(f"beside a run requests were answered {collections.Counter(faults)}")
        everything = sorted(one for some in took for one in some)
        return statistics.quantiles(everything, n=100)[98], len(everything)


def status_mib(pid, field):
    return int(re.search(rf"{field}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def begin_peak_anew(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def run_times(store, options, folder, postgres):
    """A first run, one without news, one after changes, and R."""
    directory = Directory(folder / "directory", options.people)
    follower = Follower(folder / "times", postgres, directory)
    try:
        dump = statistics.median(directory.dump() for _ in range(3))
        report, first = follower.sync()
        if report["summary"]["people"].get("created") != options.people:
            sys.exit(f"{store}: the first run came to {report}")
        raw, rows = raw_insert(follower)
        print(f"{store}: dump {dump:.2f} s, {rows:,} rows inserted in {raw:.2f} s, first run {first:.2f} s", file=sys.stderr)
        before = follower.footprint()
        unchanged = statistics.median(follower.sync("--full")[1] for _ in range(3))
        if follower.footprint() != before:
            sys.exit(f"{store}: a run without news wrote rows")
        deltas, kinds, idle = [], set(), []
        for mark in ("Eve", "Ann", "Zoe"):
            idle.append(follower.sync()[1])
            directory.change(mark)
            report, took = follower.sync()
            if report["summary"]["people"].get("updated") != CHANGES:
                sys.exit(f"{store}: a run after {CHANGES} changes came to {report}")
            deltas.append(took)
            kinds.add(report.get("kind") or report["summary"].get("kind", "full"))
        delta = statistics.median(deltas)
        print(f"{store}: unchanged {unchanged:.2f} s, {CHANGES} changes {delta:.2f} s ({kinds})", file=sys.stderr)
    finally:
        follower.stop()
        directory.stop()
    yardstick = dump + raw
    return {
        "rows": rows, "dump": dump, "raw": raw, "r": yardstick, "first": first, "unchanged": unchanged, "delta": delta,
        "nothing": statistics.median(idle), "kind": ", ".join(sorted(kinds)),
    }


def beside_requests(store, options, folder, postgres, people):
    """A gateway that follows a directory by itself: memory before and at most, p99 before and beside runs."""
    directory = Directory(folder / f"directory-{people}", people)
    follower = Follower(folder / f"beside_{people}", postgres, directory)
    try:
        follower.command("connection", "update", "corp", "--set", "schedule=24h")
        follower.up()
        follower.seed(1_000, 0)
        probes = Probes(follower)
        probes.p99(lasting(2))
        alone, _ = probes.p99(lasting(options.seconds))
        idle = status_mib(follower.process.pid, "VmRSS")
        told = {"idle": idle, "alone": alone}
        for what, due in (
            ("first", "UPDATE connections SET created_at = 1, updated_at = 1 WHERE name = 'corp'"),
            ("unchanged", "UPDATE sync_state SET next_at = 1, full_at = 1"),
        ):
            begin_peak_anew(follower.process.pid)
            before = follower.completed_at()
            follower.change_rows(due)
            wait_for("a run", lambda: follower.is_running() or follower.completed_at() != before, 120)
            least = lasting(1)
            p99, count = probes.p99(lambda: least() or follower.completed_at() == before)
            told[what] = {"peak": status_mib(follower.process.pid, "VmHWM"), "p99": p99, "requests": count}
            print(f"{store}, {people:,} people, {what} run: {told[what]}, idle {idle:.0f} MiB, alone {alone:.1f} ms", file=sys.stderr)
        failed = follower.rows("SELECT state, summary FROM runs WHERE state <> 'done'")
        if failed:
            sys.exit(f"{store}: {failed}")
    finally:
        follower.stop()
        directory.stop()
    return told


def lasting(seconds):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def measure(store, options, folder):
    """The sections of one store, and what misses its goal."""
    postgres = Postgres(folder) if store == "postgres" else None
    try:
        times = run_times(store, options, folder, postgres)
        sizes = sorted({max(1_000, options.people // 10), options.people})
        beside = {people: beside_requests(store, options, folder, postgres, people) for people in sizes}
    finally:
        if postgres:
            postgres.stop()
    title, missed = "PostgreSQL" if postgres else "SQLite", []

    def judged(goal, value, text):
        if value > GOALS[goal]:
            missed.append(f"{title}, {goal}: {text} of {GOALS[goal]}")
        return f"**{text}**"

    rows = [["run over " + f"{options.people:,} people", "seconds", "of R", "goal"], ["---"] * 4]
    rows.append(["R: all of it read by `ldapsearch`, " + f"{times['rows']:,} rows inserted",
                 f"{times['dump']:.2f} + {times['raw']:.2f}", "1", ""])
    for what, name in (("first", "first run"), ("unchanged", "full run that finds nothing new and writes nothing")):
        share = times[what] / times["r"]
        rows.append([name, f"{times[what]:.2f}", judged(what, share, f"{share:.2f}"), f"{GOALS[what]}"])
    rows.append([f"run after {CHANGES} changes ({times['kind']})", judged("delta", times["delta"], f"{times['delta']:.2f}"), "",
                 f"{GOALS['delta']} s"])
    rows.append(["the same after none", f"{times['nothing']:.2f}", "", ""])
    more = [["a gateway that follows by itself", "idle, MiB", "at most, MiB", "above idle", "goal", "p99 without, ms", "p99 beside, ms",
             "times", "goal"], ["---"] * 9]
    for people, told in beside.items():
        for what in ("first", "unchanged"):
            above, times_more = told[what]["peak"] - told["idle"], told[what]["p99"] / told["alone"]
            more.append([
                f"{people:,} people, {what} run", f"{told['idle']:.0f}", f"{told[what]['peak']:.0f}",
                judged("memory", above, f"{above:.0f}"), f"{GOALS['memory']}", f"{told['alone']:.1f}", f"{told[what]['p99']:.1f}",
                judged("p99", times_more, f"{times_more:.1f}"), f"{GOALS['p99']}",
            ])
    lines = [f"### {title}", ""]
    for table in (rows, more):
        lines += [*("| " + " | ".join(row) + " |" for row in table), ""]
    return "\n".join(lines), missed


def arguments():
    parser = argparse.ArgumentParser(prog="benches/sync.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stores", type=lambda text: text.split(","), default=["sqlite", "postgres"], help="sqlite,postgres")
    parser.add_argument("--people", type=int, default=100_000, help="entries; a group of 200 for every thousand (100,000)")
    parser.add_argument("--seconds", type=int, default=10, help="how long requests are measured without a run (10)")
    parser.add_argument("--write", action="store_true", help="put the tables into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    load = (
        f"- {options.people:,} people, a group of {MEMBERS_EACH} for every thousand; pages of 1,000; beside runs "
        f"{PROBES * PROBES_PER_SECOND} requests a second, half of them PATCH"
    )
    sections, missed = [compare.circumstances(options, "benches/sync.sh", load)], []
    for store in options.stores:
        with tempfile.TemporaryDirectory(prefix="rosterd-sync-") as folder:
            os.chmod(folder, 0o755)  # PostgreSQL runs as a user of its own and has to get through
            section, misses = measure(store, options, pathlib.Path(folder))
            sections.append(section)
            missed += misses
    told = [f"Misses its goal: {miss}." for miss in missed] or ["Every goal holds."]
    report = "\n".join([*sections, *told, ""])
    print(report)
    if options.write:
        compare.write(report, "sync")


if __name__ == "__main__":
    main()
