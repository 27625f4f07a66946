"""A customer who was made of two, and what sources, files and the next call say of them since."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from config.settings import Source
from lookup.answers import Found
from records.calls import write_call
from records.customers import add_customer, change_customer, detach_number
from records.database import reading, writing
from records.errors import Refused
from records.intake import imports
from records.intake.imports import Intake
from records.intake.rows import Cell, Row
from records.intake.rules import Understanding
from records.merging import merge
from records.notes import add_note
from records.numbers import phone_number
from records.sources import push, runs
from records.sources.runs import Ran
from records.tables import CallRow, Customer, CustomerAlias, Note
from tests.contract.test_freshness import CHAN, LONG_S, SOK, SOK_TOO, House, company, house
from tests.contract.test_sources import Crm, counts, read_number, sql_source
from tests.facts import facts

__all__ = ["house"]


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Crm]:
    it = Crm(f"sqlite:///{tmp_path / 'crm.db'}")
    yield it
    it.close()


def all_of(database: Database) -> dict[str, Customer]:
    with reading(database) as session:
        rows = session.scalars(select(Customer).order_by(Customer.id)).all()
        assert all(row.numbers is not None for row in rows)
        return {row.name: row for row in rows}


def numbers_of(customer: Customer) -> set[str]:
    return {number.match_key or number.raw for number in customer.numbers}


def run(means: Intake, name: str, source: Source, **more: Any) -> Ran:
    """PostgreSQL lets the lock of the run before go a moment after that has ended."""
    for left in range(200, -1, -1):
        try:
            return runs.run(means, name, source, **more)
        except Refused as refused:
            if "is at work" not in str(refused) or not left:
                raise
            time.sleep(0.05)
    raise AssertionError


def make_one(database: Database, this: int, other: int, **keep: Any) -> None:
    with writing(database) as session:
        versions = (session.get_one(Customer, this).version, session.get_one(Customer, other).version)
        merge(session, this, other, keep, versions, None)


def entered(database: Database, name: str, *numbers: str, **fields: Any) -> int:
    with writing(database) as session:
        return add_customer(session, read_number, name=name, numbers=numbers, **fields)[0].id


@pytest.mark.parametrize("stays", ["ours", "theirs"])
def test_a_source_brings_nobody_back_and_what_it_says_anew_still_comes(
    database: Database, crm: Crm, tmp_path: Path, stays: str
) -> None:
    means, source = Intake(database, tmp_path, read_number), sql_source(crm)
    ours = entered(database, "Dara Sok", "012 777 888", company="Mill")
    crm.put(1, "Sok Dara", "012 345 678", company="Rice Mill", owes="100")
    crm.put(2, "Chan Vibol", "012999888")
    run(means, "crm", source)
    theirs = all_of(database)["Sok Dara"].id
    this, other = (ours, theirs) if stays == "ours" else (theirs, ours)
    make_one(database, this, other, name="this" if stays == "ours" else "other")
    for _ in range(2):
        assert counts(run(means, "crm", source)) == (0, 0, 0, 0)
    dara = all_of(database)["Dara Sok"]
    assert (dara.id, dara.source, dara.external_id, dara.debt_minor) == (this, "", None, 10_000)
    assert numbers_of(dara) == {"+85512777888", "+85512345678"}

    crm.put(1, "Sok Dara", "012 345 679", company="Rice Mill", owes="250")
    assert counts(run(means, "crm", source, dry_run=True)) == (0, 1, 0, 0)
    assert counts(run(means, "crm", source)) == (0, 1, 0, 0)
    dara = all_of(database)["Dara Sok"]
    assert dara.debt_minor == 25_000
    assert numbers_of(dara) == {"+85512777888", "+85512345679"}
    with writing(database) as session:
        change_customer(session, this, {"debt_minor": 1})
        [stale] = [number.id for number in dara.numbers if number.match_key == "+85512345679"]
        detach_number(session, this, stale)
    assert counts(run(means, "crm", source)) == (0, 0, 0, 0)
    dara = all_of(database)["Dara Sok"]
    assert (dara.debt_minor, numbers_of(dara)) == (1, {"+85512777888"})

    crm.sql("DELETE FROM clients WHERE id = 1")
    assert counts(run(means, "crm", source)) == (0, 0, 0, 0)
    assert set(all_of(database)) == {"Dara Sok", "Chan Vibol"}


def test_two_rows_of_one_source_become_one_and_a_number_goes_when_neither_has_it(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    means, source = Intake(database, tmp_path, read_number), sql_source(crm)
    crm.put(1, "Sok Dara", "012 345 678", phone2="012 777 888")
    crm.put(2, "Dara S.", "012 345 678", phone2="012 999 888")
    run(means, "crm", source)
    known = all_of(database)
    make_one(database, known["Sok Dara"].id, known["Dara S."].id)
    assert counts(run(means, "crm", source)) == (0, 0, 0, 0)
    crm.put(2, "Dara S.", "012 999 888")
    assert counts(run(means, "crm", source)) == (0, 1, 0, 0)
    assert "+85512345678" in numbers_of(all_of(database)["Sok Dara"])
    crm.put(1, "Sok Dara", "012 777 888")
    run(means, "crm", source)
    assert numbers_of(all_of(database)["Sok Dara"]) == {"+85512777888", "+85512999888"}


def test_a_program_that_tells_of_who_was_merged_is_told_who_it_is_now(database: Database) -> None:
    understanding = Understanding(read_number, {})

    def told(name: str, number: str) -> push.Put:
        row = Row(
            1, {"external_id": (Cell("A-1", "", ""),), "name": (Cell(name, "", ""),), "number": (Cell(number, "", ""),)}
        )
        with writing(database) as session:
            return push.put(session, "shop", push.understood(row, understanding), row, "USD")

    first = told("Sok Dara", "012 345 678")
    ours = entered(database, "Dara Sok", "012 777 888")
    make_one(database, ours, first.customer_id)
    again = told("Sok Dara", "012 345 678")
    assert (again.customer_id, again.made, again.changed, again.mark) == (ours, False, False, first.mark)
    news = told("Sok Dara", "012 345 679")
    assert (news.customer_id, news.changed, news.mark != first.mark) == (ours, True, True)
    assert numbers_of(all_of(database)["Dara Sok"]) == {"+85512777888", "+85512345679"}
    with writing(database) as session:
        assert not push.drop(session, "shop", "A-1")
    assert set(all_of(database)) == {"Dara Sok"}


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("names", [("Sok Dara", "Dara Sok"), ("Sok Dara", "Sok Dara")])
def test_the_same_file_again_brings_nobody_back(
    database: Database, tmp_path: Path, ids: bool, names: tuple[str, str]
) -> None:
    path = tmp_path / "customers.csv"

    def imported(company: str = "Mill") -> tuple[int, int, int, int]:
        rows = [("7", names[0], "012 345 678", "Rice"), ("8", names[1], "012 777 888", company)]
        lines = [",".join(row if ids else row[1:]) for row in rows]
        head = "external_id,name,phone,company" if ids else "name,phone,company"
        path.write_text("\n".join([head, *lines]), "utf-8")
        means = Intake(database, tmp_path, read_number)
        made = imports.import_table(means, imports.look_at(means, path, {}), path.name)[1]
        return made.added, made.changed, made.unchanged, made.refused

    assert imported() == (2, 0, 0, 0)
    with reading(database) as session:
        this, other = session.scalars(select(Customer.id).order_by(Customer.id)).all()
    make_one(database, this, other)
    for _ in range(2):
        assert imported() == (0, 0, 2, 0)
    assert imported("New Mill") == (0, 1, 1, 0)
    [dara] = all_of(database).values()
    assert (dara.company, numbers_of(dara)) == ("New Mill", {"+85512345678", "+85512777888"})
    with reading(database) as session:
        assert [alias.old_id for alias in session.scalars(select(CustomerAlias))] == [other]


def test_a_call_and_a_note_of_this_very_moment_are_not_lost_with_who_goes(database: Database) -> None:
    this, other = entered(database, "Sok Dara", "012 345 678"), entered(database, "Dara Sok", "012 777 888")
    refused: list[str] = []

    def write_a_call() -> None:
        with writing(database) as session:
            write_call(session, facts("late", customer_id=other))

    def write_a_note() -> None:
        try:
            with writing(database) as session:
                add_note(session, "Said just now", None, customer_id=other)
        except IntegrityError:  # as somebody who is told so, and whose form is sent on
            refused.append("note")

    def is_held() -> bool:
        if database.dialect.name == "sqlite":
            return True  # one writes at a time
        with reading(database) as session:
            return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) == 2)

    threads = [threading.Thread(target=each) for each in (write_a_call, write_a_note)]
    with writing(database) as session:
        merge(session, this, other, {}, (1, 1), None)
        for thread in threads:
            thread.start()
        until = time.monotonic() + LONG_S
        while not is_held() and time.monotonic() < until:
            time.sleep(0.02)
    for thread in threads:
        thread.join()
    with reading(database) as session:
        assert session.get_one(CallRow, "late").customer_id == this
        notes = session.scalars(select(Note.customer_id)).all()
    assert (notes, refused) in (([this], []), ([], ["note"]))


async def test_the_next_call_from_either_number_is_the_merged_one(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(SOK, SOK_TOO, CHAN)
        with writing(house.database) as session:
            merge(session, 1, 2, {}, (1, 1), None)
        await house.followed()
        for number in (SOK, SOK_TOO, CHAN):
            answer = await house.call(number)
            assert isinstance(answer, Found)
            assert [card.customer_id for card in answer.candidates] == [1]
            assert len(answer.candidates[0].numbers) == 3


async def test_a_number_that_two_shared_is_one_customers_after_the_merge(house: House) -> None:
    shared = phone_number(SOK, read_number)
    shared.customer_id = 2
    house.put(*company(), shared)
    async with house.following():
        await house.remembered(SOK)
        assert len((await house.call(SOK)).candidates) == 2  # type: ignore[union-attr]
        with writing(house.database) as session:
            merge(session, 2, 1, {}, (1, 1), None)
        await house.followed()
        card = await house.card(SOK)
        assert (card.customer_id, card.name, card.manager and card.manager.name) == (2, "Chan", "Bopha")
