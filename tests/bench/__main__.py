"""Figures, by `./run bench`: what Ringcard adds to a call, how long it takes to find out who calls, how soon the card
is on the screen; and, when they are named, what takes longer to measure.

Nothing here is a limit: a slow figure is printed, not failed. The exit status is 1 when something was wrong: a call
that did not ring, a name that was not the caller's, an answer that was not the right one.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from tests.bench import (
    agents,
    browsers,
    calls,
    fresh,
    freshness,
    growth,
    imports,
    load,
    lookup,
    matching,
    peers,
    random_calls,
    reading,
    scale,
    screen,
    search,
    soak,
)
from tests.bench.machine import heading, servers, this_machine

Tell = Callable[[str], None]

USUAL: Mapping[str, Callable[[argparse.Namespace, Tell], Sequence[Any]]] = {
    "calls": lambda args, tell: calls.run(args.rounds, args.calls or 200, args.rate or 20, tell),
    "lookup": lambda args, tell: lookup.run(args.rounds, args.lookups, tell),
    "screen": lambda args, tell: screen.run(args.rounds, args.screens, tell),
}
LONGER: Mapping[str, Callable[[argparse.Namespace, Tell], Sequence[Any]]] = {
    "fresh": lambda args, tell: fresh.run(args.rounds, args.changes, tell),
    "freshness": lambda args, tell: freshness.run(args.writes, tell),
    "matching": lambda args, tell: matching.run(args.base, args.callers, args.fuzz, args.seed, args.database, tell),
    "peers": lambda args, tell: peers.run(1, args.customers, args.calls or 200, tell),
    "scale": lambda args, tell: scale.run(args.numbers or (10_000, 100_000), args.in_database, tell),
    "growth": lambda args, tell: growth.run(args.numbers or (10_000, growth.MOST), tell),
    "load": lambda args, tell: load.run(load.to_rate(args.most), args.seconds, tell),
    "soak": lambda args, tell: soak.run(args.minutes, args.rate or 75, tell),
    "random": lambda args, tell: random_calls.run(args.calls or 10_000, args.rate or 20, args.seed, args.kills, tell),
    "reading": lambda args, tell: reading.run(args.seed, tell),
    "import": lambda args, tell: imports.run(args.rows, args.on, tell),
    "search": lambda args, tell: search.run(args.customers, args.on, tell),
    "agents": lambda args, tell: agents.run(args.calls or 1000, args.seed, tell),
    "browsers": lambda args, tell: browsers.run(args.count, args.paced_seconds, tell),
}
BENCHES = {**USUAL, **LONGER}


def main() -> int:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # what was started is ended
    said = sys.stderr if args.json else sys.stdout

    def tell(text: str) -> None:
        print(text, file=said, flush=True)

    machine = this_machine(servers())
    tell(heading(machine))
    found = {what: BENCHES[what](args, tell) for what in BENCHES if what in args.what}
    if args.json:
        body = {"machine": machine, **found}
        sys.stdout.buffer.write(orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
    faults = [fault for measured in found.values() for each in _flat(measured) for fault in each.faults]
    if faults:
        print(f"bench: {len(faults)} faults, the first: {faults[0]}", file=sys.stderr)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__.partition("\n\n")[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(USUAL)} when not named; {', '.join(LONGER)}")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")

    def number(name: str, default: int, help: str, kind: Callable[[str], Any] = int) -> None:
        said = f"{help} (%(default)s)" if default else help
        parser.add_argument(name, type=kind, default=default, help=said)

    number("--rounds", 3, "how often calls, lookup, screen and fresh are measured")
    number(
        "--calls",
        0,
        "calls of each kind in a round of calls, and of each way in peers (200); random (10000); agents (1000)",
    )
    number("--rate", 0, "calls of each kind in a second (20), soak (75), random (20)", float)
    number("--lookups", 500, "of each kind in a round; more where it is quick")
    number("--screens", 50, "calls to a screen in a round")
    number("--changes", 50, "fresh: changes in a round")
    number("--writes", 10_000, "freshness: changes on each database")
    number("--base", 1_500_000, "matching: numbers of customers")
    number("--callers", 1_000_000, "matching: strangers who call")
    number("--fuzz", 100_000, "matching: hostile callers")
    number("--seed", 1, "matching, random, reading, agents: repeats a run")
    parser.add_argument("--database", default="", help="matching: an empty database's URL; else SQLite, thrown away")
    both = ("SQLite", "PostgreSQL")
    parser.add_argument("--on", choices=both, nargs="+", default=both, help="import, search: one database, not both")
    number("--customers", 100_000, "peers, search: in the base")
    parser.add_argument(
        "--numbers", type=_sizes, help="sizes of the base: scale (10000,100000), growth (10000,10000000)"
    )
    number("--in-database", 1_000_000, "scale: of these, the largest that gets a database")
    number("--most", 400, "load: calls a second to go up to, in steps of 25")
    number("--seconds", 6, "load: of each step", float)
    number("--count", 500, "browsers: event streams at one desk")
    number("--paced-seconds", 30, "browsers: of each rate", float)
    number("--minutes", 60, "soak", float)
    parser.add_argument("--kills", action="store_true", help="random: some part of Ringcard dies every few seconds")
    number("--rows", 100_000, "import: customers in the file")
    args = parser.parse_args()
    unknown = set(args.what) - set(BENCHES)
    if unknown:
        parser.error(f"there is nothing called {', '.join(sorted(unknown))} to measure: {', '.join(BENCHES)}")
    args.what = args.what or tuple(USUAL)
    return args


def _sizes(text: str) -> list[int]:
    return [int(word.replace("_", "")) for word in text.split(",")]


def _flat(measured: Sequence[Any]) -> Iterator[Any]:
    """One round of lookups has several parts."""
    for each in measured:
        yield from each if isinstance(each, tuple) else (each,)


if __name__ == "__main__":
    sys.exit(main())
