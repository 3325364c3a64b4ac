"""One mapping, 18 outputs, 1,000 directory entries: V8 (rich.js), Rust by hand (src/typed) and our language, by turns.

Each round runs every contender once, one after the other; the report is the median per contender and the median of the
ratios to V8 within a round, with their spread. Before that the outputs of all are compared field by field: the first
difference ends everything. Speed is entries per second of CPU time (all threads of the process), so that other work on the
machine costs little accuracy.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REPORT = ROOT / "BENCHMARKS.md"
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")) / "release"
REFERENCE = "node"
LIMIT = "typed"
SUBJECT = "ours"
# Below this the hand-written Rust is no limit, and comparing with it says nothing.
LIMIT_MIN = 7.0
MEASURES = {"map": "map only", "map_json": "map + JSON text", "bytes_json": "bytes → map → JSON text"}
TITLES = {
    "node": "Node (V8), reference",
    "typed": "Rust by hand, typed borrowed input (limit)",
    "ours": "our language",
    "traced": "our language, a trace listening",
}


def known_contenders():
    """What src/lib.rs offers, after the reference."""
    names = re.search(r"NAMES: &\[&str\] = &\[(.*?)\];", (HERE / "src/lib.rs").read_text())[1]
    return [REFERENCE, *re.findall(r'"(\w+)"', re.sub(r"/\*.*?\*/", "", names))]


def command(name, entries, seconds, output=None):
    program = ["node", HERE / "rich.js"] if name == REFERENCE else [RELEASE / "measure", "--contender", name]
    return [*program, "--input", entries, "--seconds", str(seconds), *(["--output", output] if output else [])]


def run(arguments):
    """The JSON object that a contender prints."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def fields(value, path=""):
    """Every leaf with its path; an empty object is a leaf. A list is one value: its order counts."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value


def difference(name, expected, found):
    """The first field in which two results files differ, or None. A key of the wrong place in the order is one too."""
    expected, found = (path.read_text(encoding="utf-8").splitlines() for path in (expected, found))
    if len(expected) != len(found):
        return f"{REFERENCE} has {len(expected)} results, {name} {len(found)}"
    for line, (left, right) in enumerate(zip(expected, found), 1):
        left, right = (list(fields(json.loads(text))) for text in (left, right))
        by_path = dict(right)
        for path, value in left:
            if path not in by_path:
                return f"entry {line}, {path}: {REFERENCE} has {value!r}, {name} nothing"
            # True is 1 in Python, not here.
            if json.dumps(by_path[path]) != json.dumps(value):
                return f"entry {line}, {path}: {REFERENCE} has {value!r}, {name} {by_path[path]!r}"
        more = [path for path, _ in right if path not in dict(left)]
        if more:
            return f"entry {line}, {more[0]}: {REFERENCE} has nothing, {name} {by_path[more[0]]!r}"
        if left != right:
            return f"entry {line}: the same fields in another order"
    return None


def check(contenders, entries, folder):
    """All outputs against the reference's; how many leaves were compared and how many different ones there are."""
    outputs = {name: folder / f"{name}.ndjson" for name in contenders}
    for name in contenders:
        run(command(name, entries, 0.01, outputs[name]))
    for name in contenders:
        found = difference(name, outputs[REFERENCE], outputs[name])
        if found:
            sys.exit(f"the outputs differ, nothing was measured: {found}")
    leaves = [path for text in outputs[REFERENCE].read_text(encoding="utf-8").splitlines() for path, _ in fields(json.loads(text))]
    return len(leaves), len(set(leaves))


def cell(runs, name, measure):
    rates = [run[measure] for run in runs[name]]
    text = f"{statistics.median(rates):,.0f}"
    if name == REFERENCE:
        return f"{text} (1.0)"
    low, middle, high = ratios(runs, name, measure)
    return f"{text} (**{middle:.1f}**; {low:.1f}–{high:.1f})"


def ratios(runs, name, measure, base=REFERENCE):
    """Lowest, median and highest ratio of the rates to those of the base, round by round."""
    pairs = sorted(ours[measure] / theirs[measure] for ours, theirs in zip(runs[name], runs[base]))
    return pairs[0], statistics.median(pairs), pairs[-1]


def beside_the_limit(runs):
    """How many times the hand-written Rust's time our language takes."""
    cells = []
    for measure, title in MEASURES.items():
        low, middle, high = ratios(runs, LIMIT, measure, base=SUBJECT)
        cells.append(f"{title} **{middle:.2f}** ({low:.2f}–{high:.2f})")
    return f"Time of our language beside that of the hand-written Rust, round by round: {', '.join(cells)}."


def first_line(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    return next(iter(done.stdout.splitlines()), "").strip()


def report(options, contenders, runs, allocations, facts):
    head = ["entries/s per core (ratio to V8; spread)", *MEASURES.values(), "heap allocations per entry, map / bytes"]
    rows = [head, ["---"] * len(head)]
    for name in contenders:
        counted = allocations.get(name)
        heap = f"{counted['map']:.2f} / {counted['bytes_json']:.2f}" if counted else "–"
        rows.append([TITLES.get(name, name), *(cell(runs, name, measure) for measure in MEASURES), heap])
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    node = runs[REFERENCE][0]
    changed = ", with changes" if first_line("git", "status", "--porcelain") else ""
    return "\n".join(
        [
            f"- Command: `{' '.join(['benches/mapping/run.sh', *sys.argv[1:]])}`",
            f"- Commit: {first_line('git', 'rev-parse', '--short', 'HEAD')}{changed}; {time.strftime('%Y-%m-%d')}",
            f"- Machine: {os.cpu_count()} cores, {cpu[1] if cpu else 'unknown CPU'}; Linux {os.uname().release}; "
            f"load {os.getloadavg()[1]:.1f} at the end",
            f"- node {node['version']} (V8 {node['v8']}); {first_line('rustc', '--version')}",
            f"- {facts}; {options.rounds} rounds, {options.seconds:g} s of CPU time per measure after a warm-up",
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            beside_the_limit(runs),
        ]
    )


def write(text):
    """Puts the report between the two marks of BENCHMARKS.md."""
    begin, end = "<!-- mapping: begin -->", "<!-- mapping: end -->"
    before, rest = REPORT.read_text().split(begin)
    _, after = rest.split(end)
    REPORT.write_text(f"{before}{begin}\n{text}\n{end}{after}")
    print(f"written to {REPORT.name}", file=sys.stderr)


def positive(kind):
    def parse(text):
        number = kind(text)
        if number <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return number

    return parse


def arguments():
    parser = argparse.ArgumentParser(
        prog="benches/mapping/run.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=positive(int), default=5, help="turns of every contender (5)")
    parser.add_argument("--seconds", type=positive(float), default=2, help="CPU time per measure, of which there are three (2)")
    parser.add_argument("--entries", type=positive(int), default=1_000, help="distinct entries (1000)")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    return parser.parse_args()


def main():
    options = arguments()
    contenders = known_contenders()
    with tempfile.TemporaryDirectory(prefix="mapping-bench-") as folder:
        folder = pathlib.Path(folder)
        entries = folder / "entries.ndjson"
        with open(entries, "wb") as file:
            subprocess.run([RELEASE / "generate", str(options.entries)], stdout=file, check=True)
        leaves, outputs = check(contenders, entries, folder)
        print(f"{leaves:,} values of {outputs} outputs are the same in {', '.join(contenders)}", file=sys.stderr)
        counter = lambda name: [RELEASE / "allocs", "--contender", name, "--input", entries]
        allocations = {name: run(counter(name)) for name in contenders if name != REFERENCE}
        runs = {name: [] for name in contenders}
        for number in range(options.rounds):
            # Every other round goes backwards, so that none is always the one after another.
            for name in contenders if number % 2 == 0 else reversed(contenders):
                runs[name].append(run(command(name, entries, options.seconds)))
                figures = ", ".join(f"{title} {runs[name][-1][measure]:,.0f}" for measure, title in MEASURES.items())
                print(f"round {number + 1}, {name}: {figures}", file=sys.stderr)
        size = entries.stat().st_size / options.entries / 1000
        count = sum(len(json.loads(line)) for line in entries.read_text(encoding="utf-8").splitlines()) / options.entries
    facts = f"{options.entries:,} entries of {size:.1f} KB and {count:.0f} attributes; {leaves:,} values of {outputs} outputs equal in all"
    text = report(options, contenders, runs, allocations, facts)
    print(text)
    reached = ratios(runs, LIMIT, "map")[1]
    if reached < LIMIT_MIN:
        sys.exit(f"void: the hand-written Rust reaches {reached:.1f} times V8, not {LIMIT_MIN:g}; it is no limit to measure against")
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
