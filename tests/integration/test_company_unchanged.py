"""With Ringcard absent, frozen or told to leave calls alone, the company's five numbers behave as before it came.

Before: the same callers enter the company's own context directly, on a trunk of their own. What the caller saw, which
telephones were rung with which names, and the PBX's own record of the call are written down and compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from ringcard.lab import DIDS, Lab
from ringcard.phones import Invite, Manner, Outcome, Phone, Way, Withheld, call
from tests.fixtures.ari import app, freezes, sets
from tests.fixtures.lab import leftovers

MENU, DIRECT, GROUP, QUEUE, FAX = DIDS
PHONES = ("101", "102", "103", "104")
Account = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Visit:
    """One caller's visit to the company. Each has a number of its own, so that several can be there at once."""

    number: str
    did: str
    digits: str = ""
    withheld: Withheld = ""
    name: str = "As Received"
    give_up_s: float = 10.0
    talk_s: float | None = 0.3


ANSWERED = {
    "menu, one pressed": Visit("+85512000001", MENU, digits="1"),
    "menu, nothing pressed": Visit("+85512000002", MENU, talk_s=2.0),
    "direct": Visit("+85512000003", DIRECT),
    "direct, withheld": Visit("+85512000004", DIRECT, withheld="privacy"),
    "direct, no name": Visit("+85512000005", DIRECT, name=""),
    "group": Visit("+85512000006", GROUP),
    "fax": Visit("+85512000007", FAX, talk_s=None),
    "no such number": Visit("+85512000008", "+85523909999"),
}
QUEUED = {"queue": Visit("+85512000009", QUEUE, talk_s=1.2)}  # alone: it rings no phone that is in use
UNANSWERED = {
    "direct, given up": Visit("+85512000010", DIRECT, give_up_s=1.0),
    "group, nobody answers": Visit("+85512000011", GROUP),
}


async def account(lab: Lab, way: Way) -> Account:
    """Everything about all visits that somebody could notice, times aside."""
    known = len(call_records(lab))
    seen: Account = {}
    for visits, manner in ((ANSWERED, "answer"), (QUEUED, "answer"), (UNANSWERED, "ignore")):
        seen |= await visited(lab, visits, manner, way)  # type: ignore[arg-type]
    assert await leftovers(lab) == []
    for name, visit in (ANSWERED | QUEUED | UNANSWERED).items():
        seen[name]["records"] = sorted(row[1:] for row in call_records(lab)[known:] if row[0] == visit.number)
    return seen


async def visited(lab: Lab, visits: Mapping[str, Visit], manner: Manner, way: Way) -> Account:
    phones = [Phone(lab, name, manner, ring_s=0.3) for name in PHONES]
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(phone) for phone in phones))
        outcomes = await asyncio.gather(*(pays(lab, visit, way) for visit in visits.values()))
        invites = [(phone.name, invite) for phone in phones for invite in phone.invites]
    return {
        name: {
            "final": outcome.status,
            "provisional": set(outcome.provisional) - {100},
            "hung up by": outcome.hung_up_by,
            "rung": {phone: shown(invite) for phone, invite in invites if invite.asserted_number == visit.number},
        }
        for (name, visit), outcome in zip(visits.items(), outcomes, strict=True)
    }


async def pays(lab: Lab, visit: Visit, way: Way) -> Outcome:
    return await call(
        lab,
        visit.number,
        visit.did,
        name=visit.name,
        withheld=visit.withheld,
        way=way,
        give_up_s=visit.give_up_s,
        talk_s=visit.talk_s,
        digits=visit.digits,
    )


def shown(invite: Invite) -> tuple[str, ...]:
    sender = invite.header("From").partition(";tag=")[0]
    return sender, *(invite.header(name) for name in ("P-Asserted-Identity", "Privacy", "Call-Info", "Alert-Info"))


def call_records(lab: Lab) -> list[tuple[str, ...]]:
    """As the PBX itself kept the calls: source, destination, context, last application, its data, disposition."""
    path = lab.dir / "log/cdr-csv/Master.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as rows:
        return [(row[1], row[2], row[3], row[7], row[8], row[14]) for row in csv.reader(rows)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def before(standing_lab: Lab) -> Account:
    """The company without Ringcard."""
    return await account(standing_lab, "before")


@contextlib.asynccontextmanager
async def ringcard(lab: Lab, state: str) -> AsyncIterator[None]:
    if state == "absent":
        yield
    else:
        async with app(lab, freezes if state == "frozen" else sets({})):
            yield


def test_what_is_compared_is_what_the_company_is(before: Account) -> None:
    assert {name: sorted(seen["rung"]) for name, seen in before.items()} == {
        "menu, one pressed": ["101"],
        "menu, nothing pressed": ["101", "102", "103"],
        "direct": ["102"],
        "direct, withheld": ["102"],
        "direct, no name": ["102"],
        "group": ["101", "102", "103"],
        "fax": [],
        "no such number": [],
        "queue": ["103", "104"],
        "direct, given up": ["102"],
        "group, nobody answers": ["101", "102", "103"],
    }
    assert [seen["final"] for seen in before.values()] == [200, 200, 200, 200, 200, 200, 200, 404, 200, 487, 603]
    assert before["fax"]["hung up by"] == "callee"
    assert all(seen["records"] for name, seen in before.items() if name != "no such number")


@pytest.mark.parametrize("state", ["absent", "frozen", "leaves calls alone"])
async def test_the_companys_five_numbers_behave_as_before(lab: Lab, before: Account, state: str) -> None:
    async with ringcard(lab, state):
        now = await account(lab, "trunk")
    now["no such number"]["records"] = []  # refused after it was taken in, so the PBX keeps a record: nobody notices
    assert now == before
