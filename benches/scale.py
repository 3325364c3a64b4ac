"""Does the gateway's cost stay flat at a million users?

Seeds 10,000 users over HTTP, measures, then multiplies the rows in the database (each copy with ids, names and searchable
values of its own) until the connection has the wanted number of users and fifty other connections in ten tenants have
theirs, and measures again. Before each measurement gateway and database are started anew. Ids are drawn uniformly from
all users. Cost is CPU time per request, server and database together; a run with a status over 399 stops everything.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import compare
from compare import BASE_PATH, RELEASE, Postgres, Server, wait_for

SMALL, LARGE = 10_000, 1_000_000
TENANTS, CONNECTIONS_EACH, USERS_EACH = 10, 5, 2_000
MEMBERS_OF_SMALL = 100
WORKLOADS = ["get", "filter", "keyset", "patch", "create"]

# How a copy differs from its original, column by column: ids (UUIDv7, time first) get another beginning, so that a copy is
# a block of its own in every index as if made earlier; names and values say of which copy they are.
IDS = {"id", "profile_id", "identity_id", "history_id", "log_id"}
TEXTS = {
    "user_id", "email", "email_key", "email_order", "username_key", "doc", "external_id", "user_name", "user_name_key", "label", "raw",
    "mapped", "value_key",
}
# In the order of their foreign keys; and what limits each to the users that were seeded.
COPIED = ["users", "identities", "identity_values", "user_values", "history", "log", "outbox"]


class Sql:
    """Statements on the stopped gateway's database, whichever it is."""

    def __init__(self, server):
        self.server = server
        if not server.postgres:
            self.connection = sqlite3.connect(server.file, isolation_level=None)
            self.connection.execute("PRAGMA synchronous = OFF")
            self.connection.execute("PRAGMA cache_size = -400000")

    def run(self, *statements):
        if self.server.postgres:
            # Foreign keys hold by construction; checking them row by row takes longer than the rows.
            script = "SET session_replication_role = replica;" + ";".join(statements)
            self.server.postgres.psql(self.server.database, script)
        else:
            self.connection.execute("BEGIN")
            for statement in statements:
                self.connection.execute(statement)
            self.connection.execute("COMMIT")

    def rows(self, query):
        if self.server.postgres:
            text = self.server.postgres.psql(self.server.database, query)
            return [tuple(line.split("|")) for line in text.splitlines()]
        return self.connection.execute(query).fetchall()

    def columns(self, table):
        if self.server.postgres:
            query = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        else:
            query = f"SELECT name FROM pragma_table_info('{table}')"
        return [name for (name,) in self.rows(query)]

    def without_indexes(self):
        """Drops the indexes of what is copied, those of constraints aside; gives the statements that bring them back."""
        tables = ", ".join(f"'{table}'" for table in COPIED)
        if self.server.postgres:
            query = (
                f"SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.tablename IN ({tables}) AND NOT EXISTS "
                "(SELECT 1 FROM pg_constraint c WHERE c.conindid = (i.schemaname || '.' || i.indexname)::regclass)"
            )
        else:
            query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})"
        indexes = self.rows(query)
        self.run(*(f"DROP INDEX {name}" for name, _ in indexes))
        return [definition for _, definition in indexes]

    def close(self):
        if self.server.postgres:
            self.server.postgres.psql(self.server.database, "VACUUM ANALYZE")
            self.server.postgres.psql(self.server.database, "CHECKPOINT")
        else:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.connection.close()


class Gateway(Server):
    """A gateway that can be started anew on what it has stored."""

    def __init__(self, folder, postgres):
        super().__init__("gateway", folder, postgres, folder.name)

    def command(self, *arguments):
        done = subprocess.run([RELEASE / "rosterd", *arguments], env=self.environment(), cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"rosterd {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def up(self):
        if self.postgres:
            self.postgres.restart()
        began = time.monotonic()
        self.process = subprocess.Popen(
            [RELEASE / "rosterd", "serve"], env=self.environment(), cwd=self.folder, stdout=self.log, stderr=self.log
        )
        wait_for("gateway", self.listens)
        return time.monotonic() - began


class Cluster(Postgres):
    """A cluster that can be started anew, its buffers empty."""

    def restart(self):
        self.stop()
        self.start()


def originals(sql, tenant, connection):
    """Sets the seeded users aside, all that belongs to them included: copies are made of these."""
    seeded = f"FROM identities WHERE tenant_id = '{tenant}' AND connection_id = '{connection}' AND user_name LIKE 'seed-%'"
    scope = {
        "users": f"id IN (SELECT profile_id {seeded})",
        "identities": f"id IN (SELECT id {seeded})",
        "identity_values": f"identity_id IN (SELECT id {seeded})",
    }
    others = f"profile_id IN (SELECT profile_id {seeded})"
    sql.run(
        *(
            f"CREATE TABLE seeded_{table} AS SELECT * FROM {table} WHERE tenant_id = '{tenant}' AND {scope.get(table, others)}"
            for table in COPIED
        )
    )


def copies(sql, copy, limit, into_tenant, into_connection):
    """The statements that copy the first `limit` seeded users, all that belongs to them included."""
    chosen = f"SELECT id FROM seeded_identities ORDER BY id LIMIT {limit}"
    profiles = chosen.replace("SELECT id", "SELECT profile_id")
    scope = {
        "users": f"id IN ({profiles})",
        "identities": f"id IN ({chosen})",
        "identity_values": f"identity_id IN ({chosen})",
    }

    def value(column):
        if column == "tenant_id":
            return f"'{into_tenant}'"
        if column == "connection_id":
            return f"'{into_connection}'"
        if column == "position":
            return "coalesce(position, 1)"
        if column in IDS:
            return f"'{copy:04x}' || substr({column}, 5)"
        return f"replace({column}, 'seed-', 'c{copy:03d}-')" if column in TEXTS else column

    statements = []
    for table in COPIED:
        names = sql.columns(table)
        # A document of positions has no order to lose: `position` of identities is a number of its own kind.
        values = ["position" if table == "identities" and name == "position" else value(name) for name in names]
        statements.append(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM seeded_{table} "
            f"WHERE {scope.get(table, f'profile_id IN ({profiles})')}"
        )
    return statements


def multiply(gateway, users):
    """Copies until the connection has `users` users, and gives fifty other connections theirs."""
    sql = Sql(gateway)
    ((tenant, connection),) = sql.rows("SELECT tenant_id, id FROM connections WHERE name = 'scim'")
    wanted = users // gateway.users - 1
    # Made at once from sorted rows they take a fraction of the time.
    originals(sql, tenant, connection)
    indexes = sql.without_indexes()
    for copy in range(1, wanted + 1):
        sql.run(*copies(sql, copy, gateway.users, tenant, connection))
        print(f"\r{(copy + 1) * gateway.users:,} users", end="", file=sys.stderr)
    more = wanted * gateway.users
    sql.run(
        f"INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ('{tenant}', '{connection}', 'user', 999, {more})"
    )
    others = sql.rows("SELECT tenant_id, id FROM connections WHERE name LIKE 'other-%' ORDER BY tenant_id, id")
    for number, other in enumerate(others):
        count = min(USERS_EACH, gateway.users)
        sql.run(
            *copies(sql, 200 + number, count, *other),
            f"INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ('{other[0]}', '{other[1]}', 'user', 0, {count})",
        )
    print(f"; {len(others)} other connections, indexing", file=sys.stderr)
    sql.run(*indexes, *(f"DROP TABLE seeded_{table}" for table in COPIED))
    sql.close()


def neighbours(gateway):
    """Ten tenants with five connections each, still empty."""
    for tenant in range(TENANTS):
        gateway.command("tenant", "create", f"tenant-{tenant}", "--host", f"tenant-{tenant}.example.com")
        for connection in range(CONNECTIONS_EACH):
            gateway.command("connection", "create", f"other-{connection}", "--kind", "scim", "--tenant", f"tenant-{tenant}")


def draw(gateway):
    """Notes all users, in an order of chance, for the load script."""
    query = "SELECT i.id, i.user_name FROM identities i JOIN connections c ON c.tenant_id = i.tenant_id AND c.id = i.connection_id WHERE c.name = 'scim' AND i.listed"
    sql = Sql(gateway)
    users = sql.rows(query)
    random.Random(1).shuffle(users)
    gateway.seed_file.write_text("".join(f"user {id} {name}\n" for id, name in users))
    return [id for id, _ in users]


def groups(gateway, users):
    """A group of a hundred and one of half the users; the seed files of both."""
    small, large = gateway.create_all(2, "/Groups", compare.seed_group, lambda _, id: id)
    gateway.down()
    sql = Sql(gateway)
    ((tenant,),) = sql.rows("SELECT tenant_id FROM connections WHERE name = 'scim'")
    half = len(users) // 2
    files = {}
    for name, group, members in (("small", small, users[:MEMBERS_OF_SMALL]), ("large", large, users[:half])):
        # No more at a time than fits into an argument of psql.
        for start in range(0, len(members), 800):
            rows = ", ".join(f"('{tenant}', '{group}', '{member}', 'User', 1)" for member in members[start : start + 800])
            sql.run(f"INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) VALUES {rows}")
        files[name] = gateway.folder / f"{name}-group"
        files[name].write_text(f"group {group}\n" + "".join(f"user {id} x\n" for id in users[half:]))
    sql.close()
    return files


def cost(gateway, workload, options):
    """CPU microseconds per request, server and database, and the median latency: medians of the rounds."""
    runs = [gateway.load(workload, options.seconds, options.connections) for _ in range(options.rounds)]
    return {
        "cpu": statistics.median(run.server_cpu_us + run.database_cpu_us for run in runs),
        "p50": statistics.median(run.p50_ms for run in runs),
        "rate": statistics.median(run.rate for run in runs),
    }


def latency(gateway, path, times=21):
    """Milliseconds of a request asked one at a time: median."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", BASE_PATH + path, headers={"Authorization": f"Bearer {gateway.token}"})
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200 or json.loads(body)["itemsPerPage"] != 100:
            sys.exit(f"{path}: {answer.status} {body[:300]}")
    connection.close()
    return statistics.median(took)


def at(gateway, options, size):
    """Everything that is measured at one size, from a cold start."""
    users = draw(gateway)
    ready = gateway.up()
    costs = {}
    for workload in WORKLOADS:
        costs[workload] = cost(gateway, workload, options)
        print(f"{size:,} users: {workload} {costs[workload]}", file=sys.stderr)
    first = latency(gateway, "/Users?startIndex=1&count=100")
    deep = latency(gateway, f"/Users?startIndex={size - 150}&count=100")
    print(f"{size:,} users: first page {first:.1f} ms, deep page {deep:.1f} ms", file=sys.stderr)
    return users, costs, {"ready": ready, "first": first, "deep": deep}


def measure(store, options, folder):
    postgres = Cluster(folder) if store == "postgres" else None
    small_gateway, gateway = (Gateway(folder / name, postgres) for name in ("small", "large"))
    try:
        # Two gateways, one at a time: what was measured at one size has left no trace at the other.
        for each in (small_gateway, gateway):
            print(f"{store}: seeding {SMALL:,} users", file=sys.stderr)
            neighbours(each)
            each.seed(SMALL, 0)
            each.down()
        multiply(small_gateway, SMALL)
        _, small, _ = at(small_gateway, options, SMALL)
        small_gateway.down()
        print(f"{store}: multiplying", file=sys.stderr)
        multiply(gateway, options.users)
        users, large, large_more = at(gateway, options, options.users)
        files = groups(gateway, users)
        gateway.up()
        gateway.command("connection", "update", "scim", "--set", "group_patch_response=204")
        time.sleep(3)  # options reach a running gateway within two seconds
        members = {"small": [], "large": []}
        for _ in range(options.rounds):
            for name, file in files.items():
                gateway.seed_file = file
                run = gateway.load("burst", options.seconds, options.connections, state=name)
                members[name].append(run.server_cpu_us + run.database_cpu_us)
        peak = compare.peak_memory_mib(gateway.process.pid)
    finally:
        for each in (small_gateway, gateway):
            each.stop()
        if postgres:
            postgres.stop()
    rows = [["workload", f"{SMALL:,} users: CPU µs, p50 ms", f"{options.users:,} users: CPU µs, p50 ms", "ratio of CPU"]]
    rows.append(["---"] * 4)
    for workload in WORKLOADS:
        before, after = small[workload], large[workload]
        rows.append([
            workload,
            f"{before['cpu']:.0f}, {before['p50']:.2f}",
            f"{after['cpu']:.0f}, {after['p50']:.2f}",
            f"**{after['cpu'] / before['cpu']:.2f}**",
        ])
    few, many = (statistics.median(members[name]) for name in ("small", "large"))
    rows.append([f"add or remove a member, group of {MEMBERS_OF_SMALL} / {options.users // 2:,}", f"{few:.0f}", f"{many:.0f}", f"**{many / few:.2f}**"])
    lines = [f"### {'PostgreSQL' if postgres else 'SQLite'}", "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    lines.append(
        f"Page at startIndex {options.users - 150:,}: {large_more['deep']:.1f} ms (first page {large_more['first']:.1f} ms). "
        f"Ready {large_more['ready']:.2f} s after its start. Peak memory of the gateway {peak:.0f} MiB."
    )
    return "\n".join([*lines, ""])


def memory(store, folder, creates):
    """Resident memory of a gateway that idles, and its peak after many creates."""
    postgres = Cluster(folder) if store == "postgres" else None
    gateway = Gateway(folder / "gateway", postgres)
    try:
        time.sleep(5)
        idle = resident_mib(gateway.process.pid)
        gateway.seed_file = folder / "none"
        gateway.seed_file.write_text("")
        while gateway.users_stored() < creates:
            gateway.load("create", 10, 16)
        peak = compare.peak_memory_mib(gateway.process.pid)
    finally:
        gateway.stop()
        if postgres:
            postgres.stop()
    return f"- {'PostgreSQL' if postgres else 'SQLite'}: idle {idle:.0f} MiB, peak after {creates:,} creates {peak:.0f} MiB"


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def arguments():
    parser = argparse.ArgumentParser(prog="benches/scale.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stores", type=lambda text: text.split(","), default=["sqlite", "postgres"], help="sqlite,postgres")
    parser.add_argument("--users", type=int, default=LARGE, help="users of the large measurement (1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs per workload (5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (3)")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (16)")
    parser.add_argument("--creates", type=int, default=100_000, help="creates of the measurement of memory; 0 leaves it out")
    parser.add_argument("--write", action="store_true", help="put the tables into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    sections = [compare.circumstances(options, "benches/scale.sh")]
    for store in options.stores:
        with temporary() as folder:
            sections.append(measure(store, options, folder))
    if options.creates:
        lines = ["Memory:", ""]
        for store in options.stores:
            with temporary() as folder:
                lines.append(memory(store, folder, options.creates))
        sections.append("\n".join([*lines, ""]))
    report = "\n".join(sections)
    print(report)
    if options.write:
        compare.write(report, "scale")


@contextlib.contextmanager
def temporary():
    with tempfile.TemporaryDirectory(prefix="rosterd-scale-") as folder:
        os.chmod(folder, 0o755)  # PostgreSQL runs as a user of its own and has to get through
        yield pathlib.Path(folder)


if __name__ == "__main__":
    main()
