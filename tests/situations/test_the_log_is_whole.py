"""Whatever dies in the middle of calls, each of them is in the log once, with its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from lookup.reasons import CUT
from records.completion import NOT_HEARD
from records.facts import NOT_ALL_HEARD
from records.tables import CallRow
from ringcard.lab import Lab
from ringcard.phones import Phone, call
from ringcard.redis_server import OwnServer
from tests.company import DIRECT, GROUP, QUEUE, Company, now
from tests.fixtures.ari_proxy import ari_proxy
from tests.fixtures.company import SETTINGS, hire_staff, no_call_is_live
from tests.fixtures.lab import leftovers

PORT = 18740
NAME, NAME_ON_THE_WIRE = 'the "old", name', r"the \"old\", name"
"""Asterisk leaves quotation marks escaped, as they came."""

CONNECTED = " ari connected "  # and the tracker is another that connects
PATIENCE_S = 40.0  # the live story has ten seconds


@pytest_asyncio.fixture
async def company(breakable_lab: Lab, tmp_path: Path) -> AsyncIterator[Company]:
    """Its log is completed from Asterisk's own record; nothing of Ringcard runs yet."""
    with OwnServer(tmp_path / "data") as redis:
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, cel=True, more=SETTINGS)
        try:
            hire_staff(company)
            yield company
        finally:
            company.close()
        assert company.mistakes() == []
    assert await leftovers(breakable_lab) == []


async def whole(company: Company, began: datetime, numbers: Collection[str]) -> dict[str, CallRow]:
    """The rows of these callers, by number, once each has an end that is known."""

    def known() -> bool:
        rows = company.logged(began)
        ends = [row for row in rows if row.ended_at and NOT_ALL_HEARD not in row.reason]
        return {row.caller_number for row in ends} >= set(numbers)

    await company.until(known, f"{len(numbers)} calls in the log", within_s=PATIENCE_S)
    rows = company.logged(began)
    assert sorted(row.caller_number for row in rows) == sorted(numbers), "one row for each call"
    return {row.caller_number: row for row in rows}


@pytest.mark.timeout(300)  # Ringcard is started once for each event
async def test_killed_before_any_event_of_a_call_it_is_in_the_log_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second time Ringcard is back while they talk, else after they have hung up."""
    began, numbers = now(), list[str]()
    async with ari_proxy(company.lab.address, 8088) as proxy, Phone(company.lab, "102"):
        monkeypatch.setitem(company._environment, "RINGCARD_ASTERISK__ARI_URL", proxy.url)
        company.start("ari", "worker")
        await company.said("ari", CONNECTED)
        while True:
            numbers.append(company.customer(f"Customer {len(numbers)}"))
            proxy.before(len(numbers), lambda: os.kill(company.pid("ari"), signal.SIGKILL))
            soon = len(numbers) % 2 == 0
            calling = asyncio.create_task(call(company.lab, numbers[-1], DIRECT, talk_s=2.0 if soon else 0.2))
            while not proxy.acted and not calling.done():
                await asyncio.sleep(0.01)
            if not soon:
                await calling
            if proxy.acted:
                company.kill("ari")  # it is dead; this waits for it
                company.start("ari")
                await company.said("ari", CONNECTED, times=len(numbers) + 1)
            assert (await calling).status == 200
            if not proxy.acted:
                break
        rows = await whole(company, began, numbers)
    print(f" killed before each of {len(numbers) - 1} events ", end="")
    assert len(numbers) > 6
    assert {(row.outcome, row.answered_endpoint) for row in rows.values()} == {("answered", "102")}
    assert [rows[number].customer.name for number in numbers if rows[number].customer] == [  # type: ignore[union-attr]
        f"Customer {place}" for place in range(len(numbers))
    ]
    for place, number in enumerate(numbers):
        talk_s = rows[number].talk_s
        assert talk_s is not None
        assert talk_s == pytest.approx(2.0 if place % 2 else 0.2, abs=0.6)
        assert [(leg.endpoint, leg.outcome) for leg in rows[number].legs] == [("102", "answered")]
    await no_call_is_live(company, PATIENCE_S)


async def test_calls_while_nothing_of_ringcard_runs_are_in_the_log_when_it_is_back(company: Company) -> None:
    began = now()
    known, unknown, gave_up, group = company.customer("Sok Dara"), *(company.new_number() for _ in range(3))
    async with Phone(company.lab, "102"), Phone(company.lab, "101", "ignore"):
        await asyncio.gather(
            call(company.lab, known, DIRECT, name=NAME, talk_s=0.5),
            call(company.lab, unknown, DIRECT, talk_s=0.2),
            call(company.lab, group, GROUP, talk_s=0.3),
        )
    async with Phone(company.lab, "102", "ignore"):
        await call(company.lab, gave_up, DIRECT, give_up_s=0.5)
        assert company.logged(began) == []
        company.start("worker")
        rows = await whole(company, began, [known, unknown, gave_up, group])
    assert {number: row.outcome for number, row in rows.items()} == {
        known: "answered",
        unknown: "answered",
        group: "answered",
        gave_up: "abandoned",
    }
    assert {row.reason for row in rows.values()} == {NOT_HEARD}
    assert rows[known].customer is not None
    assert (rows[known].caller_name, rows[known].called_number, rows[known].trunk) == (NAME_ON_THE_WIRE, DIRECT, "lab")
    assert {leg.endpoint: leg.outcome for leg in rows[group].legs} == {"101": "cancelled", "102": "answered"}


async def test_calls_that_asterisk_takes_with_it_end_where_the_last_was_heard(company: Company) -> None:
    began = now()
    company.start("ari", "worker")
    await company.said("ari", CONNECTED)
    talking, ringing = company.customer("Sok Dara"), company.customer("Chan Bopha")
    async with Phone(company.lab, "102"), Phone(company.lab, "103", "ignore"):
        calls = [
            asyncio.create_task(call(company.lab, talking, DIRECT, talk_s=2.0)),
            asyncio.create_task(call(company.lab, ringing, QUEUE, talk_s=2.0)),
        ]
        async with asyncio.timeout(30):
            while {each.state for live in await company.live() for each in live.phones} < {"talking", "ringing"}:
                await asyncio.sleep(0.02)
        os.kill(company.lab.pid, signal.SIGKILL)
        killed = now()
        await asyncio.to_thread(company.lab.restart)
        await company.said("ari", CONNECTED, times=2)
        await asyncio.gather(*calls)
        rows = await whole(company, began, [talking, ringing])
    assert all(row.reason.endswith(CUT) for row in rows.values())
    assert all(row.ended_at is not None and row.ended_at <= killed for row in rows.values())
    assert (rows[talking].outcome, rows[talking].shown_name) == ("answered", "Sok Dara")
    assert await company.live() == []
