"""The figures of the fault table: a call that did not ring, a cut conversation, another's name are never overseen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringcard.phones import Outcome
from tests.accounts import Account
from tests.faults.judging import Customer, cut, figures, lost
from tests.unit.test_accounts import AT, BYE, NUMBER, Row, account, caller, phone, said, shown

CUSTOMERS = {NUMBER: Customer("Sok Dara", "101")}
TAKEN = said(7.1, "SIP/2.0 200 OK", sent=False, cseq="2 BYE")


def rung(*phones: str, name: str = "Sok Dara") -> Account:
    """A call that these telephones rang for; the first of them took it."""
    told = {f"p{each}": phone(each, 0.1, 200 if each == phones[0] else 0, 2.0) for each in phones}
    it = account(caller(BYE, TAKEN), **told)
    return replace(it, rang=tuple(replace(ring, name=name) for ring in it.rang))


def test_a_call_is_not_lost_at_the_manager_with_its_name_nor_on_the_companys_own_way_without() -> None:
    assert lost(rung("101"), CUSTOMERS) == ""
    assert lost(rung("102"), CUSTOMERS) == ""
    assert lost(rung("102", name=""), CUSTOMERS) == ""


def test_a_call_is_lost_that_rings_nobody_or_two_or_another_or_shows_anothers_name_or_is_not_answered() -> None:
    assert "rang nobody" in lost(replace(rung("101"), rang=()), CUSTOMERS)
    assert "rang 101 and 102" in lost(rung("101", "102"), CUSTOMERS)
    assert "rang 103" in lost(rung("103"), CUSTOMERS)
    assert "rang as ''" in lost(rung("101", name=""), CUSTOMERS)
    assert "rang as 'Chan Bopha'" in lost(
        rung("102", name="Chan Bopha"), CUSTOMERS | {"+1": Customer("Chan Bopha", "101")}
    )
    assert "ended with 503" in lost(replace(rung("101"), caller=caller(status=503)), CUSTOMERS)


def talked(talk_s: float | None = 30.0, **fields: object) -> Outcome:
    return replace(caller(BYE, TAKEN), talk_s=talk_s, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "conversation",
    [
        talked(None),
        talked(12.0),
        talked(30.0, hung_up_by="callee"),
        replace(caller(BYE, said(7.1, "SIP/2.0 481 Gone", sent=False, cseq="2 BYE")), talk_s=30.0),
    ],
    ids=["never", "too short", "hung up on", "nobody there any more"],
)
def test_a_conversation_was_cut_that_did_not_last_until_its_caller_ended_it(conversation: Outcome) -> None:
    assert cut(conversation, 30.0)
    assert not cut(talked(), 30.0)


def some(*at_manager: bool) -> list[Account]:
    """Calls a second apart, the first at AT."""
    calls = []
    for second, well in enumerate(at_manager):
        it = rung("101" if well else "102")
        dialled = replace(it.caller.dialled, number=f"+855{second}")
        calls.append(replace(it, caller=replace(it.caller, dialled=dialled, invited_at=AT + second)))
    return calls


@pytest.mark.parametrize(
    ("well", "again_s"),
    [
        ((True,) * 8, 0.0),
        ((True, False, True, True, False, *(True,) * 5), 5.0),
        ((True, False, True, True, False, *(True,) * 4), None),
    ],
)
def test_again_is_the_first_of_five_in_a_row(well: tuple[bool, ...], again_s: float | None) -> None:
    calls = some(*well)
    customers = {call.key: Customer("Sok Dara", "101") for call in calls}
    found = figures(calls, (), 0.0, (), (), customers, mended_at=AT)
    assert found.routed_again_s == again_s
    assert (found.at_manager, found.own_way) == (sum(well), len(well) - sum(well))


def test_a_row_counts_what_it_saw() -> None:
    found = figures([rung("101")], (), 0.0, [Row()], [shown(0.2, "Chan Bopha")], CUSTOMERS, AT)
    assert (found.offered, found.logged, found.in_log, found.answered, found.carded) == (1, 1, 1, 1, 0)
    assert found.misnamed
    assert not figures([rung("101")], (), 0.0, [Row()], [shown(0.2, "Sok Dara")], CUSTOMERS, AT).misnamed
    through = figures([rung("101")], {NUMBER}, 5.0, [], [], CUSTOMERS, AT)
    assert (through.offered, through.talking, through.cut, through.logged) == (0, 1, 1, 0)
