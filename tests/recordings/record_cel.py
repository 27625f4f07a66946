"""Records what Asterisk writes of its channels (CEL) in real calls, one file per scenario.

`.venv/bin/python -m tests.recordings.record_cel [NAME ...]` plays the scenarios of these names, or all, in a lab with
Ringcard at work. Beside NAME.csv stands NAME.json: the row that Ringcard itself wrote of the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import orjson

from records.tables import CallRow
from ringcard.lab import Lab
from ringcard.phones import Manner, Phone, call
from ringcard.redis_server import OwnServer
from tests.company import DIRECT, FAX, GROUP, MENU, QUEUE, Company, now
from tests.fixtures.company import SETTINGS, Staff, hire_staff
from tests.fixtures.lab import leftovers

FOLDER = Path(__file__).parent / "cel"


@dataclass
class Stage:
    company: Company
    staff: Staff
    stack: contextlib.AsyncExitStack

    @property
    def lab(self) -> Lab:
        return self.company.lab

    async def phone(
        self, name: str, manner: Manner = "answer", ring_s: float = 0.2, talk_s: float | None = None
    ) -> Phone:
        phone = Phone(self.lab, name, manner, ring_s=ring_s, talk_s=talk_s, registers=name != "outside")
        return await self.stack.enter_async_context(phone)

    def managed(self, manager_id: int) -> str:
        return self.company.customer("Sok Dara", manager_id)


async def answered(stage: Stage) -> None:
    await stage.phone("102")
    await call(stage.lab, did=DIRECT, talk_s=0.5)


async def answered_callee_hangup(stage: Stage) -> None:
    await stage.phone("102", talk_s=0.5)
    await call(stage.lab, did=DIRECT, talk_s=None)


async def strange_name(stage: Stage) -> None:
    await stage.phone("102")
    await call(stage.lab, did=DIRECT, name='Eve "the, comma" \\ សុខ', talk_s=0.2)


async def withheld(stage: Stage) -> None:
    await stage.phone("102")
    await call(stage.lab, did=DIRECT, withheld="privacy", talk_s=0.2)


async def noanswer(stage: Stage) -> None:
    await stage.phone("102", "ignore")
    await call(stage.lab, did=DIRECT)


async def busy(stage: Stage) -> None:
    await stage.phone("102", "busy")
    await call(stage.lab, did=DIRECT)


async def declined(stage: Stage) -> None:
    await stage.phone("102", "decline")
    await call(stage.lab, did=DIRECT)


async def abandoned(stage: Stage) -> None:
    await stage.phone("102", "ignore")
    await call(stage.lab, did=DIRECT, give_up_s=0.6)


async def phone_offline(stage: Stage) -> None:
    await call(stage.lab, did=DIRECT)


async def no_phone(stage: Stage) -> None:
    await call(stage.lab, did=FAX, talk_s=0.3)


async def ring_group(stage: Stage) -> None:
    await stage.phone("101", "ignore")
    await stage.phone("102", ring_s=0.4)
    await stage.phone("103", "busy")
    await call(stage.lab, did=GROUP, talk_s=0.2)


async def ring_group_abandoned(stage: Stage) -> None:
    await stage.phone("101", "ignore")
    await stage.phone("103", "ignore")
    await call(stage.lab, did=GROUP, give_up_s=0.6)


async def queue(stage: Stage) -> None:
    await stage.phone("103", ring_s=0.5)
    await stage.phone("104", "ignore")
    await call(stage.lab, did=QUEUE, talk_s=2.0)


async def queue_abandoned(stage: Stage) -> None:
    await stage.phone("103", "ignore")
    await call(stage.lab, did=QUEUE, talk_s=1.0)


async def menu(stage: Stage) -> None:
    await stage.phone("101")
    await call(stage.lab, did=MENU, digits="1", talk_s=1.0)


async def manager_noanswer_then_deputy(stage: Stage) -> None:
    await stage.phone("101", "ignore")
    await stage.phone("103")
    await call(stage.lab, stage.managed(stage.staff.lina), MENU, talk_s=0.3)


async def manager_outside(stage: Stage) -> None:
    await stage.phone("outside")
    await call(stage.lab, stage.managed(stage.staff.dalin), MENU, talk_s=0.3)


async def manager_outside_noanswer(stage: Stage) -> None:
    await stage.phone("outside", "ignore")
    await stage.phone("101")
    await call(stage.lab, stage.managed(stage.staff.dalin), MENU, talk_s=2.5)


async def click_to_call_outside(stage: Stage) -> None:
    await stage.phone("101")
    await stage.phone("outside", talk_s=0.5)
    await originate(stage, "101", "+85512345678")


async def click_to_call_colleague(stage: Stage) -> None:
    await stage.phone("101")
    await stage.phone("102", talk_s=0.5)
    await originate(stage, "101", "102")


async def click_to_call_busy(stage: Stage) -> None:
    await stage.phone("101")
    await stage.phone("outside", "busy")
    await originate(stage, "101", "+85512345678")


async def originate(stage: Stage, phone: str, dialled: str) -> None:
    asked = {"endpoint": f"PJSIP/{phone}", "context": "company-internal", "extension": dialled, "priority": 1}
    await asyncio.to_thread(stage.lab.ari, "POST", f"channels?{urlencode(asked)}")
    async with asyncio.timeout(30):
        while await asyncio.to_thread(stage.lab.leftovers):
            await asyncio.sleep(0.05)


SCENARIOS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    play.__name__: play
    for play in (
        answered,
        answered_callee_hangup,
        strange_name,
        withheld,
        noanswer,
        busy,
        declined,
        abandoned,
        phone_offline,
        no_phone,
        ring_group,
        ring_group_abandoned,
        queue,
        queue_abandoned,
        menu,
        manager_noanswer_then_deputy,
        manager_outside,
        manager_outside_noanswer,
        click_to_call_outside,
        click_to_call_colleague,
        click_to_call_busy,
    )
}


@contextlib.asynccontextmanager
async def at_work(lab: Lab, folder: Path) -> AsyncIterator[tuple[Company, Staff]]:
    with OwnServer(folder / "data") as redis:
        company = Company(lab, folder, 18790, redis_url=redis.url, more=SETTINGS)
        try:
            staff = hire_staff(company)
            company.start("ari", "worker")
            await company.listening()
            yield company, staff
        finally:
            company.close()


async def record(name: str, company: Company, staff: Staff) -> None:
    before, began = company.lab.cel_file.stat().st_size if company.lab.cel_file.exists() else 0, now()
    async with contextlib.AsyncExitStack() as stack:
        await SCENARIOS[name](Stage(company, staff, stack))
    assert await leftovers(company.lab) == []
    await company.until(lambda: any(row.ended_at for row in company.logged(began)), "the call in the log")
    (row,) = company.logged(began)
    with company.lab.cel_file.open("rb") as file:
        file.seek(before)
        (FOLDER / f"{name}.csv").write_bytes(file.read())
    (FOLDER / f"{name}.json").write_bytes(orjson.dumps(as_written(row), option=orjson.OPT_INDENT_2) + b"\n")


def as_written(row: CallRow) -> dict[str, object]:
    names = (
        *("linkedid", "uniqueid", "direction", "outcome", "started_at", "answered_at", "ended_at", "caller_number"),
        *("caller_name", "called_number", "trunk", "answered_endpoint", "caller_endpoint", "hangup_by", "hangup_cause"),
    )
    legs = [
        {name: getattr(leg, name) for name in ("endpoint", "started_at", "answered_at", "ended_at", "outcome")}
        for leg in row.legs
    ]
    return {**{name: getattr(row, name) for name in names}, "legs": legs}


async def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with Lab(ring_s=2) as lab, tempfile.TemporaryDirectory() as folder:
        async with at_work(lab, Path(folder)) as (company, staff):
            for name in names or SCENARIOS:
                print(name, flush=True)
                await record(name, company, staff)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
