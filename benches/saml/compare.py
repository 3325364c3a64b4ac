"""One SAML response of ten attributes (RSA-2048, SHA-256), accepted over and over: our crate, node-saml and pysaml2 by turns.

Each round runs every contender once; the report is the median per contender and the median of the ratios to node-saml within a
round, with their spread. Speed is messages per second of CPU time of the process, its threads and what it starts.
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
# Messages per CPU-second that one core has to accept.
GOAL = 3_500
CONTENDERS = {
    "ours": ("rosterd-saml", lambda folder, seconds: [RELEASE / "saml-bench", "measure", folder, seconds]),
    "node": ("npm @node-saml/node-saml", lambda folder, seconds: ["node", HERE / "node_saml.js", folder, seconds]),
    "pysaml2": ("PyPI pysaml2 (a process of xmlsec1 per message)", lambda folder, seconds: [sys.executable, HERE / "pysaml2_sp.py", folder, seconds]),
}


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def first_line(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    return next(iter(done.stdout.splitlines()), "").strip()


def report(options, runs, size):
    rows = ["| messages per CPU-second | whole path | beside node-saml (spread) |", "|---|---|---|"]
    for name, (title, _) in CONTENDERS.items():
        ratios = sorted(one["whole"] / other["whole"] for one, other in zip(runs[name], runs["node"]))
        middle = statistics.median(one["whole"] for one in runs[name])
        version = runs[name][0].get("version")
        title = f"{title} {version}" if version else title
        beside = "1.0" if name == "node" else f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        rows.append(f"| {title} | {middle:,.0f} | {beside} |")
    parts = {part: statistics.median(one[part] for one in runs["ours"]) for part in ("library", "scan")}
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    changed = ", with changes" if first_line("git", "status", "--porcelain") else ""
    return "\n".join(
        [
            f"- Command: `{' '.join(['benches/saml/run.sh', *sys.argv[1:]])}`",
            f"- Commit: {first_line('git', 'rev-parse', '--short', 'HEAD')}{changed}; {time.strftime('%Y-%m-%d')}",
            f"- Machine: {os.cpu_count()} cores, {cpu[1] if cpu else 'unknown CPU'}; Linux {os.uname().release}; "
            f"load {os.getloadavg()[1]:.1f} at the end",
            f"- node {first_line('node', '--version')}; Python {sys.version.split()[0]}; {first_line('rustc', '--version')}; "
            f"{first_line('xmlsec1', '--version')}",
            f"- {size:,} bytes of XML; {options.rounds} rounds, {options.seconds:g} s of CPU time per contender",
            "",
            *rows,
            "",
            f"Of ours, the verification by libxmlsec1 alone: {parts['library']:,.0f} a second; one scan of the message: {parts['scan']:,.0f}.",
        ]
    )


def write(text):
    """Puts the report between the two marks of BENCHMARKS.md."""
    begin, end = "<!-- saml: begin -->", "<!-- saml: end -->"
    before, rest = REPORT.read_text().split(begin)
    _, after = rest.split(end)
    REPORT.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main():
    parser = argparse.ArgumentParser(prog="benches/saml/run.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contender (5)")
    parser.add_argument("--seconds", type=float, default=2, help="CPU time per contender and round (2)")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    options = parser.parse_args()
    runs = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="saml-bench-") as folder:
        subprocess.run([RELEASE / "saml-bench", "mint", folder], check=True)
        size = (pathlib.Path(folder) / "response.b64").stat().st_size * 3 // 4
        for number in range(options.rounds):
            # Every other round goes backwards, so that none is always the one after another.
            for name in CONTENDERS if number % 2 == 0 else reversed(CONTENDERS):
                runs[name].append(run(CONTENDERS[name][1](folder, options.seconds)))
                print(f"round {number + 1}, {name}: {runs[name][-1]['whole']:,.0f}", file=sys.stderr)
    text = report(options, runs, size)
    print(text)
    if options.write:
        write(text)
    if statistics.median(one["whole"] for one in runs["ours"]) < GOAL:
        sys.exit(f"below the goal of {GOAL:,} a second")


if __name__ == "__main__":
    main()
