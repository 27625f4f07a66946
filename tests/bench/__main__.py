"""Figures, by `./run bench`: what Ringcard adds to a call, how long it takes to find out who calls, and how soon the
card is on the screen. Not unless it is named: `matching`, whether a million strangers are called by anybody's name.

Nothing here is a limit: a slow figure is printed, not failed. The exit status is 1 when something was wrong: a call
that did not ring, a name that was not the caller's, an answer that was not the right one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ringcard.private_asterisk import find_asterisk
from ringcard.redis_server import find_program
from tests.bench import calls, freshness, lookup, matching, scale, screen
from tests.bench.machine import heading, this_machine

WHAT = ("calls", "lookup", "screen")
MORE = ("freshness", "matching", "scale")  # take long, so only when they are named


def main() -> int:
    args = _arguments()
    said = sys.stderr if args.json else sys.stdout

    def tell(text: str) -> None:
        print(text, file=said, flush=True)

    machine = this_machine(_servers())
    tell(heading(machine))
    found: dict[str, Any] = {"machine": machine}
    if "calls" in args.what:
        found["calls"] = calls.run(args.rounds, args.calls, args.rate, tell)
    if "lookup" in args.what:
        found["lookup"] = lookup.run(args.rounds, args.lookups, tell)
    if "screen" in args.what:
        found["screen"] = screen.run(args.rounds, args.screens, tell)
    if "freshness" in args.what:
        found["freshness"] = freshness.run(args.writes, tell)
    if "matching" in args.what:
        found["matching"] = matching.run(args.base, args.callers, args.fuzz, args.seed, args.database, tell)
    if "scale" in args.what:
        found["scale"] = scale.run(args.numbers, args.in_database, tell)
    if "fresh" in args.what:
        found["fresh"] = fresh.run(args.rounds, args.changes, tell)
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    faults = _faults(found)
    if faults:
        print(f"bench: {len(faults)} faults, the first: {faults[0]}", file=sys.stderr)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(WHAT)} when not named; {', '.join(MORE)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (%(default)s)")
    parser.add_argument("--calls", type=int, default=200, help="calls of each kind in a round (%(default)s)")
    parser.add_argument("--rate", type=float, default=20.0, help="calls of each kind in a second (%(default)s)")
    parser.add_argument(
        "--lookups", type=int, default=500, help="of each kind in a round; more where it is quick (%(default)s)"
    )
    parser.add_argument("--screens", type=int, default=50, help="calls to a screen in a round (%(default)s)")
    parser.add_argument("--writes", type=int, default=10_000, help="freshness: changes on each database (%(default)s)")
    parser.add_argument("--base", type=int, default=1_500_000, help="matching: numbers of customers (%(default)s)")
    parser.add_argument("--callers", type=int, default=1_000_000, help="matching: strangers who call (%(default)s)")
    parser.add_argument("--fuzz", type=int, default=100_000, help="matching: hostile callers (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="matching: repeats a run (%(default)s)")
    parser.add_argument("--database", default="", help="matching: an empty database's URL; else SQLite, thrown away")
    parser.add_argument(
        "--numbers", type=_sizes, default="10000,100000", help="sizes of the base to measure scale with (%(default)s)"
    )
    parser.add_argument(
        "--in-database", type=int, default=1_000_000, help="of these, the largest that gets a database (%(default)s)"
    )
    parser.add_argument("--changes", type=int, default=50, help="changes in a round of fresh (%(default)s)")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    args = parser.parse_args()
    unknown = set(args.what) - {*WHAT, *MORE}
    if unknown:
        parser.error(f"there is nothing called {', '.join(sorted(unknown))} to measure: {', '.join((*WHAT, *MORE))}")
    args.what = args.what or WHAT
    return args


def _sizes(text: str) -> list[int]:
    return [int(word.replace("_", "")) for word in text.split(",")]


def _faults(found: Mapping[str, Any]) -> list[str]:
    rounds = [
        *found.get("calls", ()),
        *found.get("screen", ()),
        *found.get("freshness", ()),
        *found.get("matching", ()),
        *found.get("scale", ()),
        *(part for each in found.get("lookup", ()) for part in each),
    ]
    return [fault for each in rounds for fault in each.faults]


def _servers() -> dict[str, str]:
    said = _words(find_program(), "--version") + _words("sipp", "-v")
    named = re.findall(r"(Redis|Valkey|SIPp)\b.*?\bv=?([\d.]+)", said)
    return {"Asterisk": find_asterisk().version, **dict(named)}


def _words(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
