"""Rows as text: on the screen while they come, and as the table in docs/faults.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.machine import Machine
from tests.faults.flow import Row

HEADING = (
    *("what fails", "calls", "rung: manager", "rung: own way", "not rung", "talks cut", "slowest ring"),
    *("log right", "card right", "routed again", "cards again"),
)


def cells(row: Row) -> tuple[str, ...]:
    f = row.figures
    return (
        row.fault.what,
        str(f.offered),
        str(f.at_manager),
        str(f.own_way),
        str(len(f.lost)),
        f"{f.cut} of {f.talking}",
        f"{f.slowest_ms:.0f} ms",
        f"{f.logged} of {f.in_log}",
        f"{f.carded} of {f.answered}",
        _after(f.routed_again_s),
        _after(f.carded_again_s),
    )


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def line(row: Row) -> str:
    """One row while the others still run, with what was wrong in it."""
    named = ", ".join(f"{head} {cell}" for head, cell in zip(HEADING[1:], cells(row)[1:], strict=True))
    verdict = "ok   " if row.right else "WRONG"
    return "\n".join((f"{verdict} {row.fault.name}: {named}; {row.machine}", *_details(row)))


def _details(row: Row, at_most: int = 5) -> Sequence[str]:
    f = row.figures
    log = [f"log: {key}: {'; '.join(words)}" for key, words in f.log_wrong.items()]
    cards = [f"cards: {how}: {count}" for how, count in f.cards_wrong.items()]
    found = (f.lost, row.left, row.said, log, cards)
    return [f"        {said}" for some in found for said in _some(some, at_most)]


def _some(said: Sequence[str], at_most: int) -> Sequence[str]:
    more = [f"... and {len(said) - at_most} more"] if len(said) > at_most else []
    return [*said[:at_most], *more]


def markdown(rows: Sequence[Row], left_out: Sequence[tuple[str, str]], machine: Machine, rate: float) -> str:
    """The whole page."""
    servers = ", ".join(f"{name} {number}" for name, number in machine.servers.items())
    busy = sorted(row.machine.busy for row in rows)
    return "\n".join(
        (
            _ABOUT.format(rate=f"{rate:g}"),
            f"Measured on {machine.processor}, {machine.cores} cores, {machine.memory_gb:.0f} GB, {machine.system}; "
            f"{servers}, Python {machine.python}. The machine, which also played callers, telephones and desks, was "
            f"{busy[0]:.0f} to {busy[-1]:.0f} % busy; its load was {machine.load[0]:.0f} before the first row.",
            "",
            _row(HEADING),
            _row(["---"] * len(HEADING)),
            *(_row(cells(row)) for row in rows),
            *(["", "Left out: " + "; ".join(f"{what} ({why})" for what, why in left_out) + "."] if left_out else []),
            "",
            _COLUMNS,
        )
    )


def _row(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


_ABOUT = """# What callers notice when something fails

This page is made by `./run faults`; what happens in each case, and why, is in [failures.md](failures.md).

In each row a company with everything is at work: a real Asterisk that writes its own record of calls, all of
Ringcard under its supervisor, eighty managers and the reception with their telephones, and people before the desk.
Customers who never called before call at {rate} a second, so each is looked up in the database. Their manager's
telephone rings half a second, they talk half a second. Ten conversations go on from before the fault until after it.
The fault comes after three tenths of the calls and is mended after six, unless Ringcard mends it by itself.
"""

_COLUMNS = """\
- *rung: manager*: the telephone of the customer's manager rang, with the customer's name; *own way*: the telephone
  that the company's calls went to before Ringcard came; *not rung*: anything else.
- *talks cut*: of the ten conversations, those that did not last until their caller hung up.
- *slowest ring*: from the caller's INVITE to the telephone's, the slowest of all.
- *log right*: there is one row of the call, and caller, number called, outcome, who answered, how long it waited and
  how long they talked are as the telephones have it, to a second.
- *card right*: the person whose telephone rang was shown the card with the customer's name before they answered.
- *routed again*, *cards again*: when the first of five calls in a row came that were, after the mend; after the fault,
  where Ringcard mends it.

Only the restart of Asterisk may lose calls: they are its own. In any other row a call that did not ring, a conversation
that was cut or a card of somebody else ends `./run faults` with 1.
"""
