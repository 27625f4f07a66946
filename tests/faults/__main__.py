"""`./run faults`: one thing after another is broken while calls flow; what was noticed of it is the table.

The exit status is 1 when a call did not ring, a conversation was cut or a name was another's.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.bench.machine import heading, servers, this_machine
from tests.faults.flow import Row, row
from tests.faults.places import as_root, own_mounts
from tests.faults.rows import ABSENT, faults
from tests.faults.table import line, markdown
from tests.fixtures.postgres import seeding

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
ENOUGH = 500
"""Calls of each row of the table that is written down."""


def main() -> int:
    known = {fault.name: fault for fault in faults()}
    args = _arguments(tuple(known))
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # what was started is ended
    if as_root():
        own_mounts()
    machine = this_machine(servers())
    print(heading(machine), flush=True)
    rows: list[Row] = []
    broken: list[str] = []  # rows that could not be measured
    left_out: list[tuple[str, str]] = [*ABSENT]
    writes = args.page or (not args.faults and args.calls >= ENOUGH)
    with seeding() as seed:
        for name in args.faults or known:
            if why := known[name].missing():
                left_out.append((known[name].what, why))
                print(f"left out {name}: {why}", flush=True)
                continue
            try:
                rows.append(asyncio.run(row(known[name], seed, args.calls, args.rate)))
            except Exception as exc:  # the other rows need nothing of this one
                broken.append(name)
                print(f"BROKEN {name}: {type(exc).__name__}: {str(exc)[-1500:]}", flush=True)
                continue
            print(line(rows[-1]), flush=True)
            if writes:  # each time, so that a run that is ended early leaves what it has
                done = {*(each.fault.what for each in rows), *dict(left_out)}
                not_yet = [(fault.what, "not measured") for fault in known.values() if fault.what not in done]
                PAGE.write_text(markdown(rows, [*left_out, *not_yet], machine, args.rate), encoding="utf-8")
    wrong = [*broken, *(each.fault.name for each in rows if not each.right)]
    if writes:
        print(f"written: {PAGE}")
    if wrong:
        print(f"faults: wrong in {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _arguments(known: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run faults", description=__doc__.partition("\n\n")[0])
    parser.add_argument("faults", nargs="*", help=f"some of {', '.join(known)}; all, and the page, when none is named")
    parser.add_argument("--calls", type=int, default=ENOUGH, help="in each row (%(default)s)")
    parser.add_argument("--rate", type=float, default=20, help="calls a second (%(default)s)")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name} though only some rows were measured")
    args = parser.parse_args()
    if unknown := set(args.faults) - set(known):
        parser.error(f"there is nothing called {', '.join(sorted(unknown))} to break: {', '.join(known)}")
    return args


if __name__ == "__main__":
    sys.exit(main())
