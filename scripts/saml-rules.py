#!/usr/bin/env python3
"""Switches off each rule of crates/saml by its name, runs the crate's tests, and records which of them fail.

Without options it prints the table, and --write puts it into crates/saml/RULES.md: the whole suite once per rule, some minutes.
--check runs for each rule the tests its row names, and fails if one of them no longer notices, or a rule has no row. A rule that
no test notices is an error in every form. The switch is the feature `mutation`, which no release build can have.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = ROOT / "crates/saml/src/rule.rs"
REPORT = ROOT / "crates/saml/RULES.md"
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"
# Names in a row; the rest is counted.
NAMED = 3


def rules():
    """Codes and sentences, in the order in which they are asked."""
    listed = RULES.read_text(encoding="utf-8").split("\nrules! {", 1)[1].split("\n}\n", 1)[0]
    return [(f"saml_{code}", says) for code, says in re.findall(r'^    \w+ "(\w+)" "([^"]+)"$', listed, re.MULTILINE)]


def build():
    """The test binaries, with the switch in them."""
    command = ["cargo", "test", "--locked", "-p", "rosterd-saml", "--features", "mutation", "--lib", "--test", "suite", "--no-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [ROOT / path for path in re.findall(r"Executable .* \((.+)\)", done.stderr)]


def failures(binaries, code, tests=()):
    """The tests that fail while that rule is off, of those named or of all."""
    environment = {**os.environ, "ROSTERD_SAML_RULE_OFF": code, "RUST_BACKTRACE": "0"}
    # The random ones say nothing of one rule, and would make the table another every time.
    chosen = ["--exact", *tests] if tests else ["--skip", "properties::"]
    failed = []
    for binary in binaries:
        done = subprocess.run([binary, *chosen], cwd=ROOT / "crates/saml", env=environment, capture_output=True, text=True, timeout=300, check=False)
        failed += re.findall(r"^test (\S+)(?: - should panic)? \.\.\. FAILED$", done.stdout, re.MULTILINE)
        if done.returncode not in (0, 101):
            sys.exit(f"with {code} off {binary.name} ended by {done.returncode}")
    return sorted(failed)


def table(binaries):
    found = failures(binaries, "none")
    if found:
        sys.exit(f"with every rule on these fail, so nothing can be said of one: {', '.join(found)}")
    rows = ["| rule | refused | tests that fail without it |", "|---|---|---|"]
    for code, says in rules():
        failed = failures(binaries, code)
        print(f"{code}: {len(failed)}", file=sys.stderr)
        if not failed:
            sys.exit(f"no test notices that {code} is off")
        more = f", and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        rows.append(f"| `{code}` | {says} | {', '.join(f'`{name}`' for name in failed[:NAMED])}{more} |")
    return "\n".join(rows)


def check(binaries):
    held = REPORT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    rows = {}
    for line in held.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells and cells[0].startswith("`saml_"):
            rows[cells[0].strip("`")] = re.findall(r"`([^`]+)`", cells[-1])
    wrong = [f"{code} has a row and is no rule" for code in rows if code not in dict(rules())]
    for code, _ in rules():
        named = rows.get(code, [])
        if not named:
            wrong.append(f"{code} has no row, or an empty one")
            continue
        failed = failures(binaries, code, named)
        wrong += [f"{code} is off and {name} passes" for name in named if name not in failed]
    if wrong:
        sys.exit("\n".join([*wrong, "scripts/saml-rules.py --write renews crates/saml/RULES.md"]))
    print(f"{len(rows)} rules of crates/saml, each missed by the tests that RULES.md names")


def main():
    parser = argparse.ArgumentParser(prog="scripts/saml-rules.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into crates/saml/RULES.md")
    parser.add_argument("--check", action="store_true", help="fail if the tests named there no longer notice")
    options = parser.parse_args()
    binaries = build()
    if options.check:
        check(binaries)
        return
    text = table(binaries)
    if not options.write:
        print(text)
        return
    before, rest = REPORT.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    REPORT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
