"""Sources of customers: what they say is how their customers are, and one that fails changes nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, select, text, update

from config.card_fields import Field
from config.settings import Source
from lookup.numbers import NumberPlan, read
from records import customers
from records.calls import write_call
from records.database import reading, writing
from records.errors import Conflict, Refused
from records.intake import imports
from records.intake.imports import Intake
from records.numbers import ReadNumber
from records.sources import runs
from records.sources.runs import Ran
from records.tables import CallRow, Customer, SourceRow, Task
from records.tasks import add_task
from records.users import add_user, seat
from tests.contract.test_journal import FACTS
from tests.fixtures.postgres import PostgresServer

SELECT = "SELECT id, name, phone, phone2, company, owes AS debt, manager FROM clients ORDER BY id"
SINCE = "SELECT id, name, phone, changed_at FROM clients WHERE changed_at >= :since ORDER BY id"
LONG_S = 30.0


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan("KH", "23"))


class Crm:
    """Another program's database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(url)
        stamp = "timestamptz" if self._engine.dialect.name == "postgresql" else "text"
        self.sql(
            "CREATE TABLE clients (id integer PRIMARY KEY, name text, phone text, phone2 text, company text,"
            f" owes numeric(12, 4), manager text, changed_at {stamp})"
        )

    def sql(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def put(self, id: int, name: str, phone: str = "", **more: Any) -> None:
        values = {"id": id, "name": name, "phone": phone, "changed_at": datetime.now(UTC), **more}
        if self._engine.dialect.name == "sqlite":
            values["changed_at"] = f"{values['changed_at']:%Y-%m-%d %H:%M:%S.%f}"
        self.sql("DELETE FROM clients WHERE id = :id", id=id)
        names = ", ".join(values)
        self.sql(f"INSERT INTO clients ({names}) VALUES (:{names.replace(', ', ', :')})", **values)

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def crm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crm]:
    if request.param == "sqlite":
        it = Crm(f"sqlite:///{tmp_path / 'crm.db'}")
        yield it
        it.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    it = Crm(server.new_database())
    yield it
    it.close()
    server.drop_database(it.url)


@pytest.fixture
def intake(sqlite_database: Engine, tmp_path: Path) -> Intake:
    return Intake(sqlite_database, tmp_path, read_number)


def sql_source(crm: Crm, sql: str = SELECT, **more: Any) -> Source:
    return Source("sql", url=crm.url, sql=sql, **more)


def counts(ran: Ran) -> tuple[int, int, int, int]:
    return ran.added, ran.changed, ran.removed, ran.refused


def known(database: Engine, source: str = "crm") -> dict[str, list[str]]:
    with reading(database) as session:
        rows = session.scalars(select(Customer).where(Customer.source == source).order_by(Customer.id)).all()
        return {row.name: [number.match_key or number.raw for number in row.numbers] for row in rows}


def state(database: Engine, name: str = "crm") -> SourceRow:
    with reading(database) as session:
        return session.get_one(SourceRow, name)


def one(database: Engine, name: str) -> Customer:
    with reading(database) as session:
        return session.scalars(select(Customer).where(Customer.name == name)).one()


# --- a database


def test_customers_are_as_the_other_database_says(database: Engine, crm: Crm, tmp_path: Path) -> None:
    means, source = Intake(database, tmp_path, read_number), sql_source(crm)
    with writing(database) as session:
        vanna = add_user(session, "vanna", "Keo Vanna", "a long password").id
    crm.put(1, "Sok Dara", "012 345 678", phone2="023 988 710", company="Mill", owes="1250.5", manager="vanna")
    crm.put(2, "Chan Vibol", "012777888")
    assert counts(runs.run(means, "crm", source)) == (2, 0, 0, 0)
    dara = one(database, "Sok Dara")
    assert (dara.source, dara.external_id, dara.company, dara.debt_minor, dara.manager_id) == (
        *("crm", "1", "Mill", 125050),
        vanna,
    )
    assert known(database) == {"Sok Dara": ["+85512345678", "+85523988710"], "Chan Vibol": ["+85512777888"]}

    assert counts(runs.run(means, "crm", source)) == (0, 0, 0, 0)
    assert one(database, "Sok Dara").version == dara.version

    crm.put(1, "Sok Dara", "012 345 679")  # everything else is empty now
    crm.sql("DELETE FROM clients WHERE id = 2")
    assert counts(runs.run(means, "crm", source)) == (0, 1, 1, 0)
    now = one(database, "Sok Dara")
    assert (now.id, now.company, now.debt_minor, now.manager_id) == (dara.id, "", 0, None)
    assert now.version > dara.version
    assert known(database) == {"Sok Dara": ["+85512345679"]}
    last = state(database)
    assert (last.rows, last.added, last.changed, last.removed, last.error) == (1, 0, 1, 1, "")
    assert last.ended_at is not None


def test_ranges_and_the_companys_own_fields_are_as_it_says_too(database: Engine, crm: Crm, tmp_path: Path) -> None:
    means = Intake(database, tmp_path, read_number, own_fields={"grade": Field(), "limit": Field(type="number")})
    source = sql_source(
        crm, 'SELECT id, name, phone, phone2, company AS grade, owes AS "limit" FROM clients ORDER BY id'
    )
    crm.put(1, "Mill", "012 345 678", phone2="023 988 7xx", company="Gold", owes="5")
    assert counts(runs.run(means, "crm", source)) == (1, 0, 0, 0)
    with writing(database) as session:
        mill = session.scalars(select(Customer)).one()
        assert [(span.prefix, span.open_digits) for span in mill.ranges] == [("+855239887", 2)]
        assert mill.custom == {"grade": "Gold", "limit": 5}
        customers.change_customer(session, mill.id, {"custom": {"ours": "stays"}})
        with pytest.raises(Refused, match="Mill comes from crm, which also gives: grade"):
            customers.change_customer(session, mill.id, {"custom": {"grade": "Silver"}})
    assert counts(runs.run(means, "crm", source)) == (0, 0, 0, 0)
    crm.put(1, "Mill", "012 345 678", company="", owes="6")
    assert counts(runs.run(means, "crm", source)) == (0, 1, 0, 0)
    with reading(database) as session:
        mill = session.scalars(select(Customer)).one()
        assert (list(mill.ranges), mill.custom) == ([], {"limit": 6, "ours": "stays"})


def test_a_number_of_our_own_is_no_customers(database: Engine, crm: Crm, tmp_path: Path) -> None:
    with writing(database) as session:
        seat(
            session, add_user(session, "vanna", "Keo Vanna", "a long password").id, "pbx", "+85517111222", inside=False
        )
    crm.put(1, "Mill", "012 345 678", phone2="017 111 222")
    ran = runs.run(Intake(database, tmp_path, read_number), "crm", sql_source(crm))
    assert "a phone of your own people" in ran.errors[0]
    assert known(database) == {"Mill": ["+85512345678"]}


def test_what_is_ours_of_such_a_customer_stays(intake: Intake, crm: Crm) -> None:
    crm.put(1, "Sok Dara", "012345678", company="wheat")
    source = sql_source(crm, columns={"company": "note"})
    runs.run(intake, "crm", source)
    assert one(intake.database, "Sok Dara").note == "wheat", "as the source says when the customer is new"
    id = one(intake.database, "Sok Dara").id
    with writing(intake.database) as session:
        customers.change_customer(session, id, {"note": "rice", "name": "Sok Dara"})  # the name as it is
        add_task(session, "Send the invoice", customer_id=id)
    for field, value in (("name", "Else"), ("debt_minor", 1), ("external_id", "9")):
        with (
            pytest.raises(Refused, match=r"Sok Dara comes from crm, which also gives: .*; change it there"),
            writing(intake.database) as session,
        ):
            customers.change_customer(session, id, {field: value})
    with pytest.raises(Refused, match="comes from crm"), writing(intake.database) as session:
        customers.attach_number(session, read_number, id, "012999000")
    with pytest.raises(Refused, match="comes from crm"), writing(intake.database) as session:
        customers.detach_number(session, id, 1)
    with pytest.raises(Refused, match="comes from crm"), writing(intake.database) as session:
        customers.remove_customer(session, id)
    crm.put(1, "Sok Dara", "012345679", company="barley")
    runs.run(intake, "crm", source)
    with reading(intake.database) as session:
        dara = session.get_one(Customer, id)
        assert (dara.note, len(dara.tasks), dara.numbers[0].raw) == ("rice", 1, "012345679")


def test_the_same_id_in_two_sources_and_here_is_three_customers(database: Engine, crm: Crm, tmp_path: Path) -> None:
    means = Intake(database, tmp_path, read_number)
    crm.put(1, "Theirs", "012345678")
    (tmp_path / "ours.csv").write_text("id,name,phone\n1,Ours,012345678\n")
    table = imports.look_at(means, tmp_path / "ours.csv", {})
    for name in ("crm", "shop"):
        runs.run(means, name, sql_source(crm))
    assert imports.import_table(means, table, "ours.csv")[1].added == 1
    assert [known(database, name) for name in ("crm", "shop")] == [{"Theirs": ["+85512345678"]}] * 2
    assert known(database, "") == {"Ours": ["+85512345678"]}
    with pytest.raises(Conflict), writing(database) as session:
        customers.add_customer(session, read_number, name="Again", external_id="1")


def test_rows_of_one_customer_that_follow_each_other_are_one(intake: Intake, crm: Crm) -> None:
    crm.put(1, "Sok Dara", "012345678", phone2="012777888")
    crm.put(2, "Chan", "012345679")
    pairs = "SELECT id, name, phone FROM clients UNION SELECT id, name, phone2 FROM clients"
    runs.run(intake, "crm", sql_source(crm, f"{pairs} ORDER BY 1, 3"))
    assert sorted(known(intake.database)["Sok Dara"]) == ["+85512345678", "+85512777888"]
    apart = runs.run(intake, "crm", sql_source(crm, f"{pairs} ORDER BY 3 NULLS FIRST"))
    assert "rows of one customer must follow each other" in apart.errors[0]


def test_only_what_changed_since_is_read_and_what_is_gone_is_noticed_by_a_full_run(intake: Intake, crm: Crm) -> None:
    source = sql_source(crm, SINCE, since_column="changed_at")
    then = datetime.now(UTC) - timedelta(days=2)
    for id in range(5):
        crm.put(id, f"Client {id}", f"01234567{id}", changed_at=then + timedelta(microseconds=id))
    assert runs.run(intake, "crm", source).rows == 5
    crm.put(1, "Client One", "012345671")
    crm.sql("DELETE FROM clients WHERE id = 2")
    ran = runs.run(intake, "crm", source)
    assert (ran.rows, counts(ran)) == (2, (0, 1, 0, 0)), "the newest again, and what is newer"
    assert list(known(intake.database)) == ["Client 0", "Client One", "Client 2", "Client 3", "Client 4"]
    with writing(intake.database) as session:
        session.execute(update(SourceRow).values(full_at=datetime.now(UTC) - timedelta(days=1, minutes=1)))
    assert counts(runs.run(intake, "crm", source)) == (0, 0, 1, 0)
    assert "Client 2" not in known(intake.database)
    crm.put(1, "Client 1", "012345671", changed_at=then)
    other = replace(source, columns={"phone": "phone:work"})
    assert runs.run(intake, "crm", other).rows == 4, "other columns: all is read anew"


def test_a_source_that_breaks_in_the_middle_changes_nothing(intake: Intake, crm: Crm) -> None:
    for id in range(1, 4):
        crm.put(id, f"Client {id}", f"01234567{id}")
    runs.run(intake, "crm", sql_source(crm))
    before, since = known(intake.database), state(intake.database).succeeded_at
    crm.put(1, "Changed", "012345671")
    crm.sql("DELETE FROM clients WHERE id = 2")
    crm.put(3, "broken", "012345673", owes="0")
    # The last row cannot be made; SQLite divides by zero without a word, but knows no such number.
    bad = "CASE WHEN name = 'broken' THEN abs(-9223372036854775807 - 1) ELSE 0 END"
    if "postgresql" in crm.url:
        bad = "1 / CASE WHEN name = 'broken' THEN 0 ELSE 1 END"
    with pytest.raises(Refused):
        runs.run(intake, "crm", sql_source(crm, f"SELECT id, name, phone, {bad} AS x FROM clients ORDER BY id"))
    assert known(intake.database) == before
    row = state(intake.database)
    assert row.error
    assert row.succeeded_at == since
    assert row.ended_at is not None
    assert counts(runs.run(intake, "crm", sql_source(crm))) == (0, 2, 1, 0)
    assert state(intake.database).error == ""


def test_a_server_that_is_killed_in_the_middle_changes_nothing(intake: Intake, own_postgres: PostgresServer) -> None:
    crm = Crm(own_postgres.new_database())
    crm.sql(
        "INSERT INTO clients (id, name, phone)"
        " SELECT i, 'Client', '0' || (12000000 + i) FROM generate_series(1, 5000) i"
    )
    nap = ", CASE WHEN id > 4000 THEN pg_sleep(60) END AS nap FROM clients ORDER BY id"
    crm.put(1, "Client 1", "012345671")
    runs.run(intake, "crm", sql_source(crm, "SELECT id, name, phone FROM clients WHERE id = 1"))
    crm.put(1, "Changed", "012345671")
    failed: list[str] = []

    def run() -> None:
        try:
            runs.run(intake, "crm", sql_source(crm, f"SELECT id, name, phone{nap}"))
        except Refused as exc:
            failed.append(str(exc))

    running = threading.Thread(target=run)
    running.start()
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until = time.monotonic() + LONG_S
    with psycopg.connect(host=str(own_postgres.home), user="ringcard", dbname="postgres", autocommit=True) as other:
        while other.execute(asked).fetchone() != (1,) and time.monotonic() < until:
            time.sleep(0.02)
    own_postgres.kill()
    running.join(LONG_S)
    assert len(failed) == 1
    assert known(intake.database) == {"Client 1": ["+85512345671"]}
    assert runs.error_of(state(intake.database)) == failed[0]
    crm.close()


def test_a_statement_cannot_write_whatever_it_is(intake: Intake, postgres: PostgresServer) -> None:
    crm = Crm(postgres.new_database())
    crm.put(1, "Sok Dara", "012345678")
    crm.sql("CREATE FUNCTION take() RETURNS SETOF clients LANGUAGE sql AS 'DELETE FROM clients RETURNING *'")
    for sneaky, said in (
        (
            "WITH gone AS (DELETE FROM clients RETURNING *) SELECT id, name, phone FROM gone",
            "must not contain data-mod",
        ),
        ("SELECT id, name, phone FROM take()", "cannot execute DELETE in a read-only transaction"),
    ):
        with pytest.raises(Refused, match=said):
            runs.run(intake, "crm", sql_source(crm, sneaky))
    assert runs.run(intake, "crm", sql_source(crm)).rows == 1
    crm.close()
    postgres.drop_database(crm.url)


def test_a_statement_that_takes_too_long_is_ended(intake: Intake, postgres: PostgresServer) -> None:
    crm = Crm(postgres.new_database())
    slow = sql_source(
        crm, "SELECT id, name, phone, pg_sleep(60) FROM (VALUES (1, 'a', '1')) x (id, name, phone)", limit_s=1
    )
    with pytest.raises(Refused, match="statement timeout"):
        runs.run(intake, "crm", slow)
    crm.close()
    postgres.drop_database(crm.url)


def test_a_source_that_is_suddenly_empty_is_not_believed_but_can_be_forgotten(intake: Intake, crm: Crm) -> None:
    assert runs.run(intake, "crm", sql_source(crm)).rows == 0, "it may begin empty"
    crm.put(1, "Sok Dara", "012345678")
    runs.run(intake, "crm", sql_source(crm))
    crm.sql("DELETE FROM clients")
    with pytest.raises(Refused, match=r"it is empty, and its 1 customer is known here; .* ringcard source forget crm"):
        runs.run(intake, "crm", sql_source(crm))
    assert list(known(intake.database)) == ["Sok Dara"]
    assert runs.forget(intake, "crm") == 1
    assert known(intake.database) == {}


def test_what_cannot_be_read_of_a_customer_stays_as_it_is_and_is_told(intake: Intake, crm: Crm) -> None:
    with writing(intake.database) as session:
        vanna = add_user(session, "vanna", "Keo Vanna", "a long password").id
    crm.put(1, "Sok Dara", "012345678", manager="vanna", owes="5")
    crm.put(2, "Chan", "012345679")
    runs.run(intake, "crm", sql_source(crm))
    crm.put(1, "Sok Dara", "012777888", phone2="ask her", manager="somebody", owes="7")
    crm.put(2, "", "012345679")
    crm.put(3, "No number")
    ran = runs.run(intake, "crm", sql_source(crm))
    assert counts(ran) == (1, 1, 0, 3)
    assert [error.partition(":")[2].strip() for error in ran.errors] == [
        "'ask her' cannot be read; write the whole number, best with + and the country",
        "nobody has the login 'somebody'; add them first, or leave the cell empty",
        "has no name; write one, or the company's",
    ]
    dara = one(intake.database, "Sok Dara")
    assert (dara.manager_id, dara.debt_minor) == (vanna, 700)
    assert known(intake.database) == {"Sok Dara": ["+85512777888"], "Chan": ["+85512345679"], "No number": []}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT name, phone FROM clients", "none of its columns is a customer's id"),
        ("SELECT id, name FROM clients", "none of its columns is a phone number; say which one it is: columns = {"),
        ("SELECT id, phone FROM clients", "none of its columns is a name"),
        ("SELECT id FROM nowhere", "nowhere"),
    ],
)
def test_a_select_that_cannot_serve_is_refused_with_what_is_missing(
    intake: Intake, crm: Crm, sql: str, said: str
) -> None:
    with pytest.raises(Refused, match=said.replace("{", r"\{")):
        runs.run(intake, "crm", sql_source(crm, sql))
    assert said in runs.error_of(state(intake.database))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////nowhere/crm.db", "there is no file /nowhere/crm.db"),
        ("nosuch://x", "its url is none that SQLAlchemy knows"),
        ("mysql+pymysql://x", "there is no driver pymysql; install it"),
        ("postgresql+psycopg://me:secret@/x?host=/nowhere", r"postgresql\+psycopg://me:\*\*\*@/x"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(intake: Intake, url: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        runs.run(intake, "crm", Source("sql", url=url, sql=SELECT))
    assert "secret" not in state(intake.database).error


def test_a_colon_in_a_text_is_no_parameter(intake: Intake, crm: Crm) -> None:
    crm.put(1, "Sok Dara", "012345678")
    odd = "SELECT id, name, phone, ':a \\:b' AS company /* :c */ FROM clients WHERE name LIKE '%ar%' -- :d"
    runs.run(intake, "crm", sql_source(crm, odd))
    assert one(intake.database, "Sok Dara").company == ":a :b"


def test_columns_can_be_said(intake: Intake, crm: Crm) -> None:
    crm.put(7, "Sok Dara", "012345678", company="not shown")
    odd = "SELECT id AS kundennummer, name AS wer, phone AS nr, company FROM clients"
    columns = {"Kundennummer": "external_id", "wer": "name", "nr": "phone:work", "company": "-"}
    runs.run(intake, "crm", sql_source(crm, odd, columns=columns))
    dara = one(intake.database, "Sok Dara")
    assert (dara.external_id, dara.company) == ("7", "")
    with writing(intake.database) as session:  # what the source does not give is ours
        customers.change_customer(session, dara.id, {"company": "Mill"})
    runs.run(intake, "crm", sql_source(crm, odd, columns=columns))
    assert one(intake.database, "Sok Dara").company == "Mill"


def test_a_dry_run_says_what_a_run_does_and_changes_nothing(intake: Intake, crm: Crm) -> None:
    for id in (1, 2):
        crm.put(id, f"Client {id}", f"01234567{id}")
    runs.run(intake, "crm", sql_source(crm))
    crm.put(1, "Changed", "012345671")
    crm.sql("DELETE FROM clients WHERE id = 2")
    crm.put(3, "New", "012345673")
    before, last = known(intake.database), state(intake.database).started_at
    assert counts(runs.run(intake, "crm", sql_source(crm), dry_run=True)) == (1, 1, 1, 0)
    assert known(intake.database) == before
    assert state(intake.database).started_at == last
    assert counts(runs.run(intake, "crm", sql_source(crm))) == (1, 1, 1, 0)


def test_a_customer_that_goes_leaves_the_calls(intake: Intake, crm: Crm) -> None:
    crm.put(1, "Sok Dara", "012345678")
    crm.put(2, "Chan", "012345679")
    runs.run(intake, "crm", sql_source(crm))
    with writing(intake.database) as session:
        write_call(session, replace(FACTS, customer_id=one(intake.database, "Sok Dara").id))
    crm.sql("DELETE FROM clients WHERE id = 1")
    runs.run(intake, "crm", sql_source(crm))
    with reading(intake.database) as session:
        assert session.scalars(select(CallRow.customer_id)).all() == [None]
        assert session.scalars(select(Task.id)).all() == []


def test_two_runs_of_one_source_are_never_at_once(database: Engine, crm: Crm, tmp_path: Path) -> None:
    """Not on one machine, and on PostgreSQL not on two (with a data_dir each)."""
    crm.put(1, "Sok Dara", "012345678")
    others = [Intake(database, tmp_path, read_number)]
    if database.dialect.name == "postgresql":
        others.append(Intake(database, tmp_path / "other machine", read_number))
    refused: list[str] = []

    def meanwhile(_: object) -> None:
        for other in others:
            try:
                runs.run(other, "crm", sql_source(crm))
            except Refused as exc:
                refused.append(str(exc))

    ran = runs.run(Intake(database, tmp_path, read_number, tell=meanwhile), "crm", sql_source(crm))
    assert counts(ran) == (1, 0, 0, 0)
    assert len(refused) == 2 * len(others)
    assert all("another program is at work on this" in said for said in refused)
    assert state(database).error == ""
    runs.run(others[-1], "crm", sql_source(crm))


# --- a folder


def card(name: str, number: str, uid: str = "") -> str:
    of = f"UID:{uid}\r\n" if uid else ""
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\n{of}FN:{name}\r\nTEL;TYPE=CELL:{number}\r\nEND:VCARD\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contacts").mkdir()
    return tmp_path / "contacts"


def put(folder: Path, name: str, text: str, minutes_ago: int = 60) -> None:
    (folder / name).write_text(text)
    then = time.time() - 60 * minutes_ago
    os.utime(folder / name, (then, then))


def test_a_folder_of_cards_is_followed(intake: Intake, folder: Path) -> None:
    source = Source("vcards", folder=str(folder))
    put(folder, "a.vcf", card("Dara", "012345678", "u-1") + card("Chan", "012345679"))
    put(folder, "b.VCF", card("Rosa", "012777888", "u-3"))
    put(folder, "notes.txt", "nothing of ours")
    ran = runs.run(intake, "book", source)
    assert (ran.rows, counts(ran)) == (3, (3, 0, 0, 0))
    assert one(intake.database, "Chan").external_id == "a.vcf#2"
    assert runs.run(intake, "book", source).rows == 0, "nothing has changed, so nothing is read"

    put(folder, "a.vcf", card("Dara Sok", "012345678", "u-1"), minutes_ago=5)
    ran = runs.run(intake, "book", source)
    assert (ran.rows, counts(ran)) == (1, (0, 1, 1, 0))
    put(folder, "c.vcf", card("Dara Sok", "012345678", "u-1"))
    (folder / "a.vcf").unlink()
    assert counts(runs.run(intake, "book", source)) == (0, 0, 0, 0), "who moves to another file is the same"
    (folder / "b.VCF").unlink()
    assert counts(runs.run(intake, "book", source)) == (0, 0, 1, 0)
    assert known(intake.database, "book") == {"Dara Sok": ["+85512345678"]}


def test_a_folder_that_cannot_be_read_wholly_or_is_suddenly_empty_changes_nothing(intake: Intake, folder: Path) -> None:
    source = Source("vcards", folder=str(folder))
    put(folder, "a.vcf", card("Dara", "012345678", "u-1"))
    put(folder, "b.vcf", card("Rosa", "012777888", "u-3"))
    runs.run(intake, "book", source)
    before = known(intake.database, "book")
    (folder / "b.vcf").unlink()
    (folder / "b.vcf").symlink_to(folder / "nowhere")  # for root, no file is without rights
    with pytest.raises(Refused, match=r"cannot read .*b\.vcf"):
        runs.run(intake, "book", source)
    assert known(intake.database, "book") == before
    away = folder.rename(folder.parent / "away")
    with pytest.raises(Refused, match="cannot read the folder"):
        runs.run(intake, "book", source)
    folder.mkdir()
    with pytest.raises(Refused, match="it is empty, and its 2 customers are known here"):
        runs.run(intake, "book", source)
    assert known(intake.database, "book") == before
    folder.rmdir()
    away.rename(folder)
    (folder / "b.vcf").unlink()
    assert counts(runs.run(intake, "book", source)) == (0, 0, 1, 0)


def test_nobody_goes_because_a_file_is_half_written(intake: Intake, folder: Path) -> None:
    source = Source("vcards", folder=str(folder))
    both = card("Dara", "012345678", "u-1") + card("Rosa", "012777888", "u-2")
    put(folder, "a.vcf", both)
    runs.run(intake, "book", source)
    put(folder, "a.vcf", both[:-20], minutes_ago=5)  # the second card has no end
    ran = runs.run(intake, "book", source)
    assert counts(ran) == (0, 0, 0, 1)
    assert "in a.vcf has no end" in ran.errors[0]
    put(folder, "a.vcf", card("Dara", "012345678", "u-1"), minutes_ago=0)  # whole, but of this second
    assert counts(runs.run(intake, "book", source)) == (0, 0, 0, 0)
    put(folder, "a.vcf", card("Dara", "012345678", "u-1"), minutes_ago=1)
    assert counts(runs.run(intake, "book", source)) == (0, 0, 1, 0)


# --- what is said of them


def test_trouble_is_named_and_how_old_it_is() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    source = Source("sql", every_s=60, limit_s=60)

    def row(**values: Any) -> SourceRow:
        return SourceRow(**{"name": "crm", "error": "", "started_at": now, "succeeded_at": now, **values})

    assert runs.trouble(None, source, now) == "has never run"
    assert runs.trouble(row(), source, now) == ""
    assert runs.trouble(row(), source, now + timedelta(seconds=239)) == ""
    assert (
        runs.trouble(row(), source, now + timedelta(minutes=5)) == "is overdue: the last run that worked was 5 min ago"
    )
    failed = row(error="no route", succeeded_at=now - timedelta(hours=3))
    assert runs.trouble(failed, source, now) == "failed: no route; the last run that worked was 3 h ago"
    assert runs.trouble(None, Source("push"), now) == ""
