"""How does the gateway bear twice the load it can take?

Finds what it answers at most with a closed loop of reads (`GET /Users/{id}`) beside writes (`PATCH /Users/{id}`), then
offers twice as many of each in an open loop: requests come at their times, however late answers are. Checked on the way:
the process lives, nobody gets anything but success, 429 or 503, each refusal says `Retry-After`, `/healthz` and `/readyz`
answer, memory stays within twice of what it was, at least 0.8 of the most it could do is done, and five seconds later a
single request takes what it took before. A condition that does not hold is told and makes the exit code 1.

Gateway and database have half of the cores for themselves, the generator has the others: it would otherwise take from them
what they lack under its thousands of connections, and nothing from them in the closed loop.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import compare
from compare import BASE_PATH, Postgres, Server

READS, WRITES = "reads", "writes"
# Of performance.md §4.
GOODPUT_MIN, MEMORY_MAX, NORMAL_WITHIN_S = 0.8, 2.0, 5.0
# A probe that takes longer found the gateway gone.
PROBE_TIMEOUT_S = 10


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


CORES = sorted(os.sched_getaffinity(0))
# Of the servers, and of whoever loads them and looks on.
SERVED, LOADING = (set(CORES[: len(CORES) // 2]), set(CORES[len(CORES) // 2 :])) if len(CORES) > 1 else (set(CORES), set(CORES))


class Load:
    """The two kinds of requests, each from a process of oha of its own."""

    def __init__(self, server):
        self.server = server
        users = [line.split()[1] for line in server.seed_file.read_text().splitlines() if line.startswith("user ")]
        base = f"http://127.0.0.1:{server.port}{BASE_PATH}/Users/"
        self.urls, self.bodies = server.folder / "urls", server.folder / "bodies"
        self.urls.write_text("".join(f"{base}{user}\n" for user in users))
        # Titles by chance: nearly every request changes something.
        operation = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Title %d"}]}\n'
        self.bodies.write_text("".join(operation % number for number in range(1_000)))
        self.path = f"{BASE_PATH}/Users/{users[0]}"

    def run(self, seconds, connections, rates=None):
        """What each kind came to: answers by status, and failures; at `rates` per second, else as fast as answers come."""
        processes = {}
        for kind in (READS, WRITES):
            command = ["oha", "--no-tui", "--output-format", "json", "-z", f"{seconds}s", "-c", str(connections)]
            command += ["--disable-compression", "--redirect", "0", "-t", "30s", "-H", f"Authorization: Bearer {self.server.token}"]
            if kind == WRITES:
                command += ["-m", "PATCH", "-T", "application/scim+json", "-Z", self.bodies]
            if rates:
                command += ["-q", str(max(1, round(rates[kind])))]
            command += ["--urls-from-file", self.urls]
            processes[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        results = {}
        for kind, process in processes.items():
            out, err = process.communicate()
            if process.returncode:
                sys.exit(f"oha, {kind}: {err}")
            told = json.loads(out)
            results[kind] = Result(told["statusCodeDistribution"], told["errorDistribution"], told["summary"]["total"])
        return results


class Result:
    def __init__(self, statuses, errors, seconds):
        self.statuses = {int(status): count for status, count in statuses.items()}
        # What was still open when the time was over is nobody's fault.
        self.errors = {what: count for what, count in errors.items() if "deadline" not in what}
        self.good = sum(count for status, count in self.statuses.items() if status < 300) / seconds
        self.refused = sum(count for status, count in self.statuses.items() if status in (429, 503)) / seconds
        self.others = sorted(status for status in self.statuses if status >= 300 and status not in (429, 503))


class Watch(threading.Thread):
    """Looks on while others load: memory, health, and what a refusal says."""

    def __init__(self, server, path):
        super().__init__()
        self.server, self.path, self.ends = server, path, threading.Event()
        self.memory, self.faults, self.slowest_ms, self.refusals = [], [], 0.0, 0

    def ask(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PROBE_TIMEOUT_S)
        try:
            began = time.monotonic()
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Retry-After"), (time.monotonic() - began) * 1e3
        finally:
            connection.close()

    def run(self):
        bearer = {"Authorization": f"Bearer {self.server.token}"}
        while not self.ends.wait(0.1):
            try:
                self.memory.append(resident_mib(self.server.process.pid))
                for path in ("/healthz", "/readyz"):
                    status, _, took = self.ask(path)
                    self.slowest_ms = max(self.slowest_ms, took)
                    # While it waits for a connection of the database it is not ready, and says so.
                    if status != 200 and not (path == "/readyz" and status == 503):
                        self.faults.append(f"{path} was answered {status}")
                status, retry_after, _ = self.ask(self.path, bearer)
                self.refusals += status in (429, 503)
                if status in (429, 503) and not (retry_after or "").isdigit():
                    self.faults.append(f"{status} without Retry-After")
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(f"a probe failed: {error!r}")

    def end(self):
        self.ends.set()
        self.join()


def one_by_one(server, path, times):
    """Milliseconds of a read and a write that come alone; None where one is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PROBE_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"}
    took = []
    for _ in range(times):
        operation = {"op": "replace", "path": "title", "value": f"Alone {random.random()}"}
        body = json.dumps({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]})
        began = time.monotonic()
        for method, sent in (("GET", None), ("PATCH", body)):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                return None
        took.append((time.monotonic() - began) * 1e3)
    connection.close()
    return statistics.median(took)


def measure(store, options, folder):
    """The row of one store, and what did not hold."""
    # What they start has the cores that they have.
    os.sched_setaffinity(0, SERVED)
    postgres = Postgres(folder) if store == "postgres" else None
    server = Server("gateway", folder / "gateway", postgres)
    os.sched_setaffinity(0, LOADING)
    faults = []
    try:
        print(f"{store}: seeding", file=sys.stderr)
        server.seed(options.users, 0)
        load = Load(server)
        load.run(2, options.connections)
        alone = one_by_one(server, load.path, 50)
        saturated = load.run(options.seconds, options.connections)
        rates = {kind: result.good for kind, result in saturated.items()}
        before = resident_mib(server.process.pid)
        print(f"{store}: saturated at {rates}", file=sys.stderr)
        watch = Watch(server, load.path)
        watch.start()
        over = load.run(options.seconds, options.clients, {kind: 2 * rate for kind, rate in rates.items()})
        watch.end()
        normal_after = until_normal(server, load.path, alone)
        if server.process.poll() is not None:
            faults.append("the gateway ended")
        log = (folder / "gateway/log").read_text()
        if "panicked" in log:
            faults.append("the gateway panicked")
    finally:
        server.stop()
        if postgres:
            postgres.stop()
    faults += sorted(set(watch.faults))
    for kind, result in over.items():
        if result.others:
            faults.append(f"{kind} were answered {result.others}")
        if result.errors:
            faults.append(f"{kind} failed: {result.errors}")
    saturation, goodput = (sum(result.good for result in results.values()) for results in (saturated, over))
    # Each kind against itself: many reads do not make up for few writes.
    shares = {kind: over[kind].good / rates[kind] for kind in rates}
    share = statistics.mean(shares.values())
    refused = sum(result.refused for result in over.values())
    if share < GOODPUT_MIN:
        faults.append(f"goodput is {share:.2f} of saturation, less than {GOODPUT_MIN}")
    if max(watch.memory) > MEMORY_MAX * before:
        faults.append(f"memory went from {before:.0f} to {max(watch.memory):.0f} MiB")
    if normal_after is None:
        faults.append(f"not normal {NORMAL_WITHIN_S:.0f} s after")
    if not refused:
        faults.append("nothing was refused: that was no overload")
    row = [
        "PostgreSQL" if postgres else "SQLite",
        " + ".join(f"{rates[kind]:,.0f}" for kind in (READS, WRITES)),
        f"{2 * saturation:,.0f}",
        f"{goodput:,.0f}",
        f"**{share:.2f}** ({shares[READS]:.2f}, {shares[WRITES]:.2f})",
        f"{refused:,.0f}",
        f"{before:.0f} → {max(watch.memory):.0f}",
        f"{watch.slowest_ms:.0f}",
        "never" if normal_after is None else f"{normal_after:.1f}",
    ]
    return row, faults


def until_normal(server, path, alone_ms):
    """Seconds until requests that come alone take about what they took before."""
    began = time.monotonic()
    while time.monotonic() - began < NORMAL_WITHIN_S:
        at = time.monotonic() - began
        took = one_by_one(server, path, 10)
        if took is not None and took <= 2 * alone_ms + 2:
            return at
        time.sleep(0.1)
    return None


def arguments():
    parser = argparse.ArgumentParser(prog="benches/overload.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stores", type=lambda text: text.split(","), default=["sqlite", "postgres"], help="sqlite,postgres")
    parser.add_argument("--seconds", type=int, default=60, help="length of the overload, and of the closed loop before it (60)")
    parser.add_argument("--connections", type=int, default=32, help="connections of the closed loop, for each kind (32)")
    parser.add_argument("--clients", type=int, default=1_000, help="connections of the open loop, for each kind (1000)")
    parser.add_argument("--users", type=int, default=5_000, help="users before the first run (5000)")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    head = [
        "store", "saturation, reads + writes /s", "offered /s", "answered /s", "of saturation (reads, writes)", "refused /s",
        "memory, MiB", "slowest health check, ms", "normal after, s",
    ]
    rows, faults = [head, ["---"] * len(head)], []
    for store in options.stores:
        with tempfile.TemporaryDirectory(prefix="rosterd-overload-") as folder:
            os.chmod(folder, 0o755)  # PostgreSQL runs as a user of its own and has to get through
            row, found = measure(store, options, pathlib.Path(folder))
            rows.append(row)
            faults += [f"{row[0]}: {fault}" for fault in found]
    version = subprocess.run(["oha", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    load = (
        f"- {version}; {options.users:,} users; {options.clients} connections for each kind; {options.seconds} s; "
        f"gateway and database on {len(SERVED)} of {len(CORES)} cores, the generator on the rest"
    )
    lines = [compare.circumstances(options, "benches/overload.sh", load), *("| " + " | ".join(row) + " |" for row in rows), ""]
    lines += [f"Does not hold: {fault}." for fault in faults] or ["Every condition holds."]
    report = "\n".join([*lines, ""])
    print(report)
    if options.write:
        compare.write(report, "overload")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
