"""The desk's pages for imports, asked as a browser and as a program would: who may, and what hostile files come to."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from config.card_fields import Field
from config.sentences import Sentence
from config.settings import Settings
from desk import guard
from records.database import reading, writing
from records.intake.imports import errors_of
from records.tables import Customer, Import
from ringcard.import_programs import ImportPrograms
from tests.fixtures.desk import RITHY, People, RunningDesk, Visitor, alive, opened

PATIENCE_S = 60.0
TEXT = "Kunde,Phone,Nr\nNew One,016555019,5\nSok Rithy,012345678,6\nNobody,,7\n"
HOSTILE = """<script>alert(1)</script>"""


@pytest.fixture
async def sophea(desk: RunningDesk) -> AsyncIterator[Visitor]:
    """A supervisor, signed in."""
    async with Visitor(desk.app) as visitor:
        yield await visitor.has_session(desk, desk.people.sophea)


async def send(visitor: Visitor, text: str | bytes = TEXT, name: str = "kunden.csv") -> int:
    answer = await visitor.post("/import", files={"file": (name, text)})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


async def becomes(visitor: Visitor, import_id: int, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            one: dict[str, Any] = (await visitor.get(f"/api/v1/imports/{import_id}")).json()
            if one["state"] == state:
                return one
            assert one["state"].endswith("ing"), one
            assert not one["interrupted"], one
            await asyncio.sleep(0.05)


def customers(desk: RunningDesk) -> int:
    with reading(desk.database()) as session:
        return session.scalar(select(func.count()).select_from(Customer)) or 0


async def test_a_file_is_checked_imported_and_undone(desk: RunningDesk, sophea: Visitor) -> None:
    before = customers(desk)
    import_id = await send(sophea)
    page = await sophea.get(f"/import/{import_id}")
    assert "New One" in page.text
    mapping = {"0": "name", "1": "phone", "2": "external_id"}
    assert (await sophea.post(f"/import/{import_id}/check", data=mapping)).status_code == 303
    one = await becomes(sophea, import_id, "checked")
    assert (one["added"], one["changed"], one["refused"], one["by"]) == (1, 1, 1, "Sophea Lim")
    assert one["errors"][0]["column"] == "Phone"
    with reading(desk.database()) as session:
        (error,) = errors_of(session.get_one(Import, import_id))
    assert isinstance(error.message, Sentence), "it can be said in another language"
    assert error.message.values == {"name": "Nobody"}
    assert customers(desk) == before
    await sophea.post(f"/import/{import_id}/go-on")
    one = await becomes(sophea, import_id, "done")
    assert (one["added"], one["changed"], one["refused"]) == (1, 1, 1)
    assert customers(desk) == before + 1
    with reading(desk.database()) as session:
        new = session.scalars(select(Customer).where(Customer.external_id == "5")).one()
        assert new.created_by_id == desk.people.sophea
    assert (await sophea.post(f"/import/{import_id}/go-on")).status_code == 422
    await sophea.post(f"/import/{import_id}/undo")
    await becomes(sophea, import_id, "undone")
    assert customers(desk) == before
    assert (await sophea.post("/import/mappings/1/forget")).status_code == 303
    assert "Forget" not in (await sophea.get("/import")).text


async def test_a_column_may_be_a_field_that_its_reader_sees(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    fields = {
        "grade": Field("Nr"),
        "shoes": Field("Shoe size", "number"),
        "secret": Field(roles=("administrator",)),
        "owed": Field(source="erp.owed"),
    }
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(replace(settings, fields=fields), people, redis_url))
        await stack.enter_async_context(alive(desk))
        sophea = await stack.enter_async_context(Visitor(desk.app))
        await sophea.has_session(desk, people.sophea)
        import_id = await send(sophea, "Kunde,Secret,Phone,Nr,Size\nNew One,x,016555019,A,43\n")
        page = (await sophea.get(f"/import/{import_id}")).text
        assert '<option value="grade" selected>Nr</option>' in page
        assert '<option value="shoes" >Shoe size</option>' in page
        assert 'value="secret"' not in page
        assert 'value="owed"' not in page
        mapping = {"0": "name", "2": "phone", "3": "grade", "4": "shoes"}
        answer = await sophea.post(f"/import/{import_id}/check", data={**mapping, "1": "secret"})
        assert (answer.status_code, "is nothing that a column can be" in answer.text) == (422, True)
        assert (await sophea.post(f"/import/{import_id}/check", data=mapping)).status_code == 303
        await becomes(sophea, import_id, "checked")
        await sophea.post(f"/import/{import_id}/go-on")
        assert (await becomes(sophea, import_id, "done"))["added"] == 1
        with reading(desk.database()) as session:
            new = session.scalars(select(Customer).where(Customer.name == "New One")).one()
            assert new.custom == {"grade": "A", "shoes": 43}
        assert '<bdi>Size</bdi> <span class="soft">is</span> Shoe size' in (await sophea.get("/import")).text
    async with contextlib.AsyncExitStack() as stack:
        fields.pop("shoes")
        desk = await stack.enter_async_context(opened(replace(settings, fields=fields), people, redis_url))
        await stack.enter_async_context(alive(desk))
        sophea = await stack.enter_async_context(Visitor(desk.app))
        await sophea.has_session(desk, people.sophea)
        import_id = await send(sophea, "Kunde,Secret,Phone,Nr,Size\nNew One,x,016555019,A,43\n")
        page = (await sophea.get(f"/import/{import_id}")).text
        assert "<bdi>Size</bdi> was said to be <bdi>shoes</bdi>, which is no field that you can fill now." in page
        assert '<option value="name" selected>Name</option>' in page
        assert "See what it would do" in page


WAYS: list[Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]] = [
    lambda visitor: visitor.get("/import"),
    lambda visitor: visitor.post("/import", files={"file": ("a.csv", TEXT)}),
    lambda visitor: visitor.get("/import/1"),
    *(
        lambda visitor, step=step: visitor.post(f"/import/1/{step}", data={})
        for step in ("check", "columns", "go-on", "undo", "discard")
    ),
    lambda visitor: visitor.post("/import/mappings/1/forget"),
    lambda visitor: visitor.get("/api/v1/imports"),
    lambda visitor: visitor.get("/api/v1/imports/1"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_an_agent_may_not_import_in_any_way(
    desk: RunningDesk, sophea: Visitor, dara: Visitor, way: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
) -> None:
    await send(sophea)
    answer = await way(dara)
    assert answer.status_code == 403
    assert "supervisors and administrators" in answer.text
    with reading(desk.database()) as session:
        assert [row.state for row in session.scalars(select(Import))] == ["given"]
    assert "/import" not in (await dara.get("/customers")).text


async def test_a_stranger_and_another_site_may_not_either(stranger: Visitor, sophea: Visitor) -> None:
    for way in WAYS:
        assert (await way(stranger)).status_code in (303, 401)
    sophea.headers["Origin"] = "https://elsewhere.example"
    assert (await sophea.post("/import", files={"file": ("a.csv", TEXT)})).status_code == 403


async def test_what_a_file_says_is_shown_as_text(sophea: Visitor) -> None:
    name = f"../../etc/{HOSTILE.replace('/', '_')}.csv\r\nx"
    import_id = await send(sophea, f'"{HOSTILE}",name,phone\n"{HOSTILE}",A,012345678\nB,"{HOSTILE}",\n', name)
    for path in (f"/import/{import_id}", "/import"):
        html = (await sophea.get(path)).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
        assert "../" not in html
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    await sophea.post(f"/import/{import_id}/check", data={"0": "note", "1": "name", "2": "phone"})
    one = await becomes(sophea, import_id, "checked")
    assert HOSTILE in one["errors"][0]["message"]
    assert "<script>alert" not in (await sophea.get(f"/import/{import_id}")).text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"PK\x03\x04....", "kunden.csv is damaged, or no XLSX file"),
        (b"", "kunden.csv is empty"),
        (b"%PDF-1.7", "kunden.csv is a PDF"),
    ],
)
async def test_a_file_that_is_none_is_said_to_be_so(sophea: Visitor, body: bytes, said: str) -> None:
    import_id = await send(sophea, body)
    page = await sophea.get(f"/import/{import_id}")
    assert said in page.text
    assert "See what it would do" not in page.text
    assert (await sophea.post(f"/import/{import_id}/discard")).status_code == 303
    assert (await sophea.get(f"/import/{import_id}")).status_code == 404


async def test_columns_that_do_not_suffice_are_refused(sophea: Visitor) -> None:
    import_id = await send(sophea)
    answer = await sophea.post(f"/import/{import_id}/check", data={"0": "-", "1": "phone", "2": "-"})
    assert answer.status_code == 422
    assert "kunden.csv has no column for the name" in answer.text


async def test_too_large_a_file_is_refused_before_it_is_read(sophea: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guard.LARGEST, "/import", 1000)
    answer = await sophea.post("/import", files={"file": ("a.csv", "x" * 2000)})
    assert answer.status_code == 413
    assert "At most 1,000 bytes" in answer.text
    assert (await sophea.post("/import", files={})).status_code == 422


async def test_an_interrupted_import_is_shown_and_its_discarding_refused(desk: RunningDesk, sophea: Visitor) -> None:
    with writing(desk.database()) as session:
        row = Import(
            file="x.csv", state="importing", stage="gone", rows=9, done=4, done_to=5, started_at=datetime.now(UTC)
        )
        session.add(row)
    page = (await sophea.get("/import/1")).text
    assert "It was interrupted after 4 of 9 rows" in page
    assert (await sophea.post("/import/1/discard")).status_code == 422


def test_a_step_begins_though_the_program_of_the_one_before_is_still_ending(company: tuple[Settings, People]) -> None:
    programs = ImportPrograms(company[0])
    ending = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(1,), daemon=True)
    ending.start()
    programs._started[1] = ending
    programs.start("undo", 1)
    assert not ending.is_alive()
    assert programs._started[1] is not ending
    programs._started[1].join()


async def test_the_list_of_customers_leads_a_supervisor_to_the_import(sophea: Visitor) -> None:
    assert 'href="/import"' in (await sophea.get(f"/customers?q={RITHY[-6:]}")).text
