"""What callers, telephones, the log and the desk say of one row, as the figures of the table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ringcard.phones import Outcome
from tests.accounts import Account, LogRow, Shown, cards, differences

RECEPTION = "102"
"""The telephone that the company's own way leads to."""

USUAL = 5
"""All is as usual from the first of so many calls in a row that are."""

TALK_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Customer:
    name: str
    manager: str  # the telephone of theirs


@dataclass(frozen=True, slots=True)
class Figures:
    """`..._s`: seconds after the mend (after the fault, where nobody mends it); None: not before the row was over."""

    offered: int
    at_manager: int
    own_way: int
    lost: tuple[str, ...]  # calls that reached no telephone, the wrong one, or two; in words
    talking: int
    cut: int
    slowest_ms: float  # caller's INVITE to telephone's
    in_log: int  # all calls, those that talk through too
    logged: int  # of these: one row that says what the telephones say
    log_wrong: Mapping[str, Sequence[str]]
    answered: int
    carded: int  # of these: the right card before the telephone was picked up
    cards_wrong: Mapping[str, int]  # how the others were, and how many
    routed_again_s: float | None
    carded_again_s: float | None

    @property
    def misnamed(self) -> bool:
        return any(how.startswith("another") for how in self.cards_wrong)


def figures(
    told: Sequence[Account],
    through: Collection[str],
    planned_talk_s: float,
    rows: Collection[LogRow],
    shown: Sequence[Shown],
    customers: Mapping[str, Customer],
    mended_at: float,
) -> Figures:
    """`told`: every call, in order; `through`: numbers of those that were to talk so long, through it all.

    `customers` by their numbers.
    """
    flow = [account for account in told if account.key not in through]
    wrong = differences(told, rows)
    how = cards(told, shown, {number: customer.name for number, customer in customers.items()})
    routed = [at_manager(account, customers) for account in flow]
    conversations = [account.caller for account in told if account.key in through]
    return Figures(
        offered=len(flow),
        at_manager=sum(routed),
        own_way=sum(_phones(account) == [RECEPTION] for account in flow),
        lost=tuple(said for account in flow if (said := lost(account, customers))),
        talking=len(conversations),
        cut=sum(cut(outcome, planned_talk_s) for outcome in conversations),
        slowest_ms=max(((a.rang[0].at - a.began_at) * 1000 for a in flow if a.rang), default=0.0),
        in_log=len(told),
        logged=sum(account.key not in wrong for account in told),
        log_wrong=wrong,
        answered=len(how),
        carded=sum(each == "right" for each in how.values()),
        cards_wrong=Counter(each for each in how.values() if each != "right"),
        routed_again_s=_again(flow, routed, mended_at),
        carded_again_s=_again(flow, [how.get(account.key) == "right" for account in flow], mended_at),
    )


def lost(account: Account, customers: Mapping[str, Customer]) -> str:
    """What is wrong with where a call came; empty: the manager with the customer's name, or the company's own way."""
    number, phones, mine = account.caller.dialled.number, _phones(account), _customer(account, customers)
    if phones not in ([mine.manager], [RECEPTION]):
        return f"{number} rang {' and '.join(phones) or 'nobody'}"
    if account.caller.status != 200:
        return f"{number} ended with {account.caller.status or 'no answer'}"
    shown = account.rang[0].name
    if shown != mine.name and (phones == [mine.manager] or any(shown == each.name for each in customers.values())):
        return f"{number} rang as {shown!r}, not {mine.name!r}"
    return ""


def at_manager(account: Account, customers: Mapping[str, Customer]) -> bool:
    return _phones(account) == [_customer(account, customers).manager]


def _customer(account: Account, customers: Mapping[str, Customer]) -> Customer:
    return customers.get(account.caller.dialled.number, Customer("", ""))


def _phones(account: Account) -> list[str]:
    return [ring.phone for ring in account.rang]


def cut(outcome: Outcome, planned_talk_s: float) -> bool:
    """Whether a conversation did not last until its caller hung up and was told that it was over."""
    if outcome.talk_s is None or outcome.hung_up_by != "caller":
        return True
    bye_taken = any(m.answers == "BYE" and m.status == 200 and not m.sent for m in outcome.messages)
    return outcome.talk_s < planned_talk_s - TALK_TOLERANCE_S or not bye_taken


def _again(told: Sequence[Account], fine: Sequence[bool], since: float) -> float | None:
    """When the first of USUAL calls in a row came that are fine, after the last that was not in between; in seconds."""
    after = [(account.began_at - since, well) for account, well in zip(told, fine, strict=True)]
    after = [(at, well) for at, well in after if at >= 0]
    for i, (at, _) in enumerate(after):
        stretch = after[i : i + USUAL]
        if len(stretch) == USUAL and all(well for _, well in stretch):
            return at if i else 0.0
    return None
