"""Finding customers in the records, on both databases: by any part of anything, the best first, a page at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from lookup.answers import Number
from lookup.numbers import NumberPlan, read
from records import customers, finding, search_index, search_upkeep, users
from records.database import open_database, reading, writer, writing
from records.errors import Refused
from records.finding import Filters, find_customers
from records.folding import fold
from records.migrate import migrate
from records.orders import add_order
from records.search_rows import differing
from records.tables import Customer
from records.tasks import add_task, finish_task

EVERYBODY = ["Dara and Sons", "Müller, Zoë", "Sok Dara", "Иванов Пётр", "សុខ ដារ៉ា", "王小明"]


def read_number(raw: str) -> Number:
    return read(raw, NumberPlan("KH"))


def add(session: Session, name: str, *numbers: str, **fields: Any) -> Customer:
    return customers.add_customer(session, read_number, name=name, numbers=numbers, **fields)[0]


@pytest.fixture
def base(database: Engine) -> Engine:
    with writing(database) as session:
        sok = add(session, "Sok Dara", "012 345 678", company="Angkor Rice Mills", email="sok.dara@rice.example")
        add_order(session, sok.id, "#2291", "Paddy dryer")
        add(session, "Иванов Пётр", "+7 701 765 43 21", external_id="C-1042")
        add(session, "សុខ ដារ៉ា", "+855 23 900 1xx")
        add(session, "Müller, Zoë", "+49 151 98765432", company="50 % & Söhne")
        add(session, "王小明", "+86 139 1099 8888")
        add(session, "Dara and Sons", "+855 92 700 800", company='O\'Neil_Trade "Best"')
    return database


def names(database: Engine, typed: str, **how: Any) -> list[str]:
    with reading(database) as session:
        return [one.name for one in find_customers(session, typed, read_number=read_number, **how).items]


# --- by what


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sok", ["Sok Dara", "សុខ ដារ៉ា"]),
        ("SOK DARA", ["Sok Dara", "សុខ ដារ៉ា"]),
        ("dara sok", ["Sok Dara", "សុខ ដារ៉ា"]),
        ("ara", ["Dara and Sons", "Sok Dara", "សុខ ដារ៉ា"]),
        ("dara", ["Dara and Sons", "Sok Dara", "សុខ ដារ៉ា"]),
        ("s", ["Sok Dara", "Dara and Sons", "Müller, Zoë", "សុខ ដារ៉ា"]),
        ("so", ["Sok Dara", "Dara and Sons", "Müller, Zoë", "សុខ ដារ៉ា"]),
        ("gkor", ["Sok Dara"]),
        ("rice mil", ["Sok Dara"]),
        ("dara@ri", ["Sok Dara"]),
        ("dara@rice", ["Sok Dara"]),
        ("2291", ["Sok Dara"]),
        ("#2291", ["Sok Dara"]),
        ("1042", ["Иванов Пётр"]),
        ("c-1042", ["Иванов Пётр"]),
        ("иван", ["Иванов Пётр"]),
        ("ПЕТР", ["Иванов Пётр"]),
        ("пётр", ["Иванов Пётр"]),
        ("ванов", ["Иванов Пётр"]),
        ("ivanov", ["Иванов Пётр"]),
        ("сок", ["Sok Dara", "សុខ ដារ៉ា"]),
        ("សុខ", ["សុខ ដារ៉ា"]),
        ("ដារ", ["Dara and Sons", "Sok Dara", "សុខ ដារ៉ា"]),
        ("สุข", []),
        ("muller", ["Müller, Zoë"]),
        ("MÜLLER", ["Müller, Zoë"]),
        ("zoe", ["Müller, Zoë"]),
        ("sohne", ["Müller, Zoë"]),
        ("ｚｏｅ", ["Müller, Zoë"]),
        ("王", ["王小明"]),
        ("小明", ["王小明"]),
        ("xiaoming", ["王小明"]),
        ("nobody", []),
        ("", EVERYBODY),
        ("  ", EVERYBODY),
    ],
)
def test_a_customer_is_found_by_any_part_of_any_word(base: Engine, typed: str, found: list[str]) -> None:
    assert names(base, typed) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("012345678", ["Sok Dara"]),
        ("012-345-678", ["Sok Dara"]),
        ("(012) 345.678", ["Sok Dara"]),
        ("+855 12 345 678", ["Sok Dara"]),
        ("00855 12 345 678", ["Sok Dara"]),
        ("85512345678", ["Sok Dara"]),
        ("+855 12 34", ["Sok Dara"]),
        ("012 34", ["Sok Dara"]),
        ("5678", ["Sok Dara"]),
        ("45 67", ["Sok Dara"]),
        ("٠١٢٣٤٥٦٧٨", ["Sok Dara"]),
        ("sok 678", ["Sok Dara"]),
        ("701 765", ["Иванов Пётр"]),
        ("8 701 765 43 21", []),
        ("+855 23 9001", ["សុខ ដារ៉ា"]),
        ("999 999", []),
    ],
)
def test_a_customer_is_found_by_a_number_however_it_is_written(base: Engine, typed: str, found: list[str]) -> None:
    assert names(base, typed) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("%", ["Müller, Zoë"]),
        ("50 %", ["Müller, Zoë"]),
        ("_", []),
        ("neil_tr", ["Dara and Sons"]),
        ("neilxtr", []),
        ("o'neil", ["Dara and Sons"]),
        ("O’Neil", ["Dara and Sons"]),
        ('"best"', ["Dara and Sons"]),
        ('"', ["Dara and Sons"]),
        ("&", ["Müller, Zoë"]),
        ("\\", []),
        ("sok*", []),
        ("sok OR nobody", []),
        ("names:sok", []),
        ("');--", []),
        ("so\x00k\u200b d", ["Sok Dara", "សុខ ដារ៉ា"]),
    ],
)
def test_signs_of_a_query_language_are_text_like_any_other(base: Engine, typed: str, found: list[str]) -> None:
    assert names(base, typed) == found


def test_what_may_not_be_seen_is_not_searched(base: Engine) -> None:
    for typed, column in (
        ("angkor", "company"),
        ("rice.example", "email"),
        ("sok.dara@rice.example", "email"),
        ("012345678", "numbers"),
        ("5678", "numbers"),
        ("#2291", "orders"),
    ):
        assert names(base, typed) == ["Sok Dara"]
        others = tuple(name for name in finding.EVERYTHING if name != column)
        assert names(base, typed, columns=others) == [], typed
    assert names(base, "sok", columns=("names",)) == ["Sok Dara", "សុខ ដារ៉ា"]


# --- typing errors


@pytest.mark.parametrize("typed", ["angcor", "agkor", "anngkor", "nagkor", "angkro", "ivanob", "angkor rice milks"])
def test_one_wrong_missing_or_swapped_letter_is_forgiven_when_nothing_matches(base: Engine, typed: str) -> None:
    with reading(base) as session:
        found = find_customers(session, typed)
    assert found.nearly
    assert [one.name for one in found.items] == (["Иванов Пётр"] if typed == "ivanob" else ["Sok Dara"])
    assert found.next == ""


@pytest.mark.parametrize("typed", ["sck", "dera", "engcor", "012345679", "angkor nobody"])
def test_more_than_one_or_in_a_short_word_is_not_forgiven(base: Engine, typed: str) -> None:
    assert names(base, typed) == []


def test_nothing_is_nearly_found_beside_what_is_found(base: Engine) -> None:
    with reading(base) as session:
        assert not find_customers(session, "angkor").nearly
        assert not find_customers(session, "nobody at all").nearly


# --- order and pages


@pytest.fixture(params=["by the index", "walking", "gathering", "among the listed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All ways to the same answer: few are sorted, many are walked to, or gathered where they are far."""
    if request.param != "by the index":
        monkeypatch.setattr(finding, "FEW", 0)
    if request.param != "among the listed":
        monkeypatch.setattr(finding, "LISTED", 0)
    if request.param == "gathering":
        monkeypatch.setattr(finding, "WALKED", 1)
    return str(request.param)


def test_the_best_match_comes_first_then_the_name(database: Engine, way: str) -> None:
    with writing(database) as session:
        for name in ("Xsok", "B Sok", "A Sok", "Sok B", "Sok A", "Soka", "Other"):
            add(session, name)
        add(session, "Z by number", "+855 12 999 000")
        add(session, "C by code", external_id="012999000")
        add(session, "A by part", "+855 31 299 9000")
    assert names(database, "sok") == ["Sok A", "Sok B", "Soka", "A Sok", "B Sok", "Xsok"]
    assert names(database, "012999000") == ["C by code", "Z by number", "A by part"]


@pytest.mark.parametrize("filters", [Filters(), Filters(nobodys=True)], ids=["all", "nobody's"])
@pytest.mark.parametrize("typed", ["", "s", "sok", "855"])
def test_pages_together_are_the_whole_list_in_its_order(
    database: Engine, way: str, typed: str, filters: Filters
) -> None:
    with writing(database) as session:
        for at in range(23):
            name = ("Sok", "Sysok", "A Sok", "So Sok")[at % 4]
            add(session, name, f"+855 12 345 {100 + at}")
    whole = _ids(database, typed, 500, filters)
    assert len(whole) == 23
    for size in (1, 2, 7, 22, 23):
        assert _ids(database, typed, size, filters) == whole, size


def _ids(database: Engine, typed: str, size: int, filters: Filters) -> list[int]:
    ids, after = [], ""
    with reading(database) as session:
        while True:
            page = find_customers(session, typed, filters=filters, after=after, limit=size)
            ids += [one.id for one in page.items]
            after = page.next
            if not after:
                return ids


def test_a_page_begun_one_way_goes_on_the_other(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(database) as session:
        for name in ("Sok A", "B Sok", "Mysok", "Sok B", "A Sok", "Hersok"):
            add(session, name)
    whole = names(database, "sok")
    with reading(database) as session:
        first = find_customers(session, "sok", limit=3)
        monkeypatch.setattr(finding, "FEW", 0)
        rest = find_customers(session, "sok", after=first.next)
        monkeypatch.setattr(finding, "WALKED", 1)
        again = find_customers(session, "sok", after=first.next)
    assert [one.name for one in (*first.items, *rest.items)] == whole
    assert again.items == rest.items


def test_rows_that_come_in_meanwhile_neither_repeat_nor_hide_any(base: Engine) -> None:
    with reading(base) as session:
        first = find_customers(session, "", limit=3)
    with writing(base) as session:
        add(session, "Aaa")
        add(session, "Zzz")
    with reading(base) as session:
        rest = find_customers(session, "", after=first.next)
    assert [one.name for one in (*first.items, *rest.items)] == [*EVERYBODY[:3], "Zzz", *EVERYBODY[3:]]


@pytest.mark.parametrize("after", ["nonsense", "WyJhIiwxXQ"])
def test_a_page_that_does_not_exist_is_refused(database: Engine, after: str) -> None:
    with reading(database) as session, pytest.raises(Refused, match="begin at the first one"):
        find_customers(session, after=after)


# --- filters


def test_filters_leave_only_those_who_pass_all(base: Engine, way: str) -> None:
    with writing(base) as session:
        mony = users.add_user(session, "mony", "Mony", "a password")
        sok, ivan = (_named(session, name) for name in ("Sok Dara", "Иванов Пётр"))
        customers.change_customer(session, sok, {"manager_id": mony.id, "custom": {"grade": "Gold Plus", "vip": True}})
        customers.change_customer(session, ivan, {"debt_minor": 100, "custom": {"grade": "Gold"}})
        task, _ = add_task(session, "Call", customer_id=ivan)
        manager = mony.id
    others = [name for name in EVERYBODY if name != "Sok Dara"]
    assert names(base, "", filters=Filters(manager_id=manager)) == ["Sok Dara"]
    assert names(base, "", filters=Filters(nobodys=True)) == others
    assert names(base, "dara", filters=Filters(nobodys=True)) == ["Dara and Sons", "សុខ ដារ៉ា"]
    assert names(base, "", filters=Filters(owes=True)) == ["Иванов Пётр"]
    assert names(base, "", filters=Filters(open_task=True)) == ["Иванов Пётр"]
    assert names(base, "", filters=Filters(source="")) == EVERYBODY
    assert names(base, "", filters=Filters(source="erp")) == []
    assert names(base, "", filters=Filters(choices={"grade": "gold"})) == ["Иванов Пётр"]
    assert names(base, "", filters=Filters(choices={"grade": "Gold Plus"})) == ["Sok Dara"]
    assert names(base, "sok", filters=Filters(choices={"grade": "Gold Plus"}, manager_id=manager)) == ["Sok Dara"]
    assert names(base, "ivanob", filters=Filters(nobodys=True, owes=True)) == ["Иванов Пётр"]
    assert names(base, "ivanob", filters=Filters(manager_id=manager)) == []
    with writing(base) as session:
        finish_task(session, task.id)
        customers.change_customer(session, ivan, {"debt_minor": -100, "custom": {"grade": None}})
    assert names(base, "", filters=Filters(open_task=True)) == []
    assert names(base, "", filters=Filters(owes=True)) == []
    assert names(base, "", filters=Filters(choices={"grade": "Gold"})) == []


def _named(session: Session, name: str) -> int:
    [found] = [one.id for one in session.query(Customer).filter(Customer.name == name)]
    return found


# --- whatever is written


def test_what_is_changed_is_found_as_it_is_when_the_transaction_is_over(base: Engine) -> None:
    with writing(base) as session:
        sok = _named(session, "Sok Dara")
        changed, _ = customers.change_customer(session, sok, {"name": "Chan Bopha", "company": ""})
        number = changed.numbers[0].id
    assert names(base, "bopha") == ["Chan Bopha"]
    assert names(base, "angkor") == []
    assert names(base, "sok.") == ["Chan Bopha"]  # by the address of mail
    with writing(base) as session:
        customers.attach_number(session, read_number, sok, "+855 11 222 333")
        customers.detach_number(session, sok, number)
    assert names(base, "011 222 333") == ["Chan Bopha"]
    assert names(base, "012 345 678") == []
    with writing(base) as session:
        customers.remove_customer(session, sok)
    assert names(base, "bopha") == []


def test_what_is_rolled_back_is_found_as_it_was(base: Engine) -> None:
    def changes_and_fails() -> None:
        with writing(base) as session:
            customers.change_customer(session, _named(session, "Sok Dara"), {"name": "Chan Bopha"})
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        changes_and_fails()
    assert names(base, "bopha") == []
    assert names(base, "sok dara") == ["Sok Dara", "សុខ ដារ៉ា"]


PLAIN = (
    "UPDATE customers SET name = 'Chan Bopha' WHERE name = 'Sok Dara'",
    "INSERT INTO customers (id, name, company, email, address, note, photo, debt_minor, currency, version, created_at,"
    " updated_at) VALUES (70, 'Kim Lina', '', '', '', '', '', 0, 'USD', 1, '2026-03-01', '2026-03-01')",
    "INSERT INTO phone_numbers (customer_id, raw, label, ext, norm_version) VALUES (70, '+855 99 111 222', '', '', 0)",
)


def test_what_another_program_writes_is_found_once_the_worker_has_seen_it(base: Engine) -> None:
    with writing(base) as session:
        for statement in PLAIN:
            session.execute(text(statement))
        touched = set(session.scalars(text("SELECT DISTINCT customer_id FROM changes")))
    search_upkeep.renew(base, touched)
    assert names(base, "bopha") == ["Chan Bopha"]
    assert names(base, "sok.") == ["Chan Bopha"]  # by the address of mail
    assert names(base, "99111222") == ["Kim Lina"]
    with writing(base) as session:
        session.execute(text("DELETE FROM phone_numbers WHERE customer_id = 70"))
        session.execute(text("DELETE FROM customers WHERE id = 70"))
    assert names(base, "lina") == []  # and before it has
    search_upkeep.renew(base, {70})
    with reading(base) as session:
        assert session.scalar(text("SELECT count(*) FROM customer_search WHERE customer_id = 70")) == 0


def test_rows_that_are_right_are_not_written_again(base: Engine) -> None:
    with reading(base) as session:
        ids = [one.id for one in session.query(Customer)]
        assert differing(session.connection(), ids) == []
    assert search_upkeep.renew_all(base) == 0


def test_rows_of_older_rules_are_made_again(base: Engine) -> None:
    with writing(base) as session:
        session.execute(text("UPDATE customer_search SET rules = 0, names = 'as it was once'"))
    assert search_upkeep.renew_all(base) == len(EVERYBODY)
    assert names(base, "ivanov") == ["Иванов Пётр"]


# --- the index


def test_customers_who_were_there_before_are_found_after_the_migration(empty_database_url: str) -> None:
    from alembic import command

    from records.migrate import config

    engine = open_database(empty_database_url)
    with writer(engine).begin() as connection:
        command.upgrade(config(connection), "0009")
    with writer(engine).begin() as connection:
        for statement in PLAIN[1:]:
            connection.execute(text(statement))
        columns = "customer_id, number, title, state, total_minor, currency, placed_at"
        connection.execute(
            text(f"INSERT INTO orders ({columns}) VALUES (70, 'A-77', '', 'open', 0, 'USD', '2026-03-01')")
        )
    assert migrate(engine) is True
    for typed in ("lina", "im", "99 111", "a-77"):
        assert names(engine, typed) == ([] if typed == "im" else ["Kim Lina"])
    with reading(engine) as session:
        assert search_index.is_there(session.connection())
        assert search_index.lack(session.connection()) == ""
    engine.dispose()


def test_without_the_index_everybody_is_found_all_the_same(base: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(base) as session:
        search_index.remove(session.connection())
        table = base.dialect.name == "sqlite"
        session.execute(text(f"DROP TABLE {search_index.TABLE}" if table else f"DROP INDEX {search_index.INDEX}"))
        assert search_index.lack(session.connection()) != ""
    assert names(base, "gkor") == ["Sok Dara"]
    assert names(base, "s") == ["Sok Dara", "Dara and Sons", "Müller, Zoë", "សុខ ដារ៉ា"]
    with writing(base) as session:
        add(session, "Late Comer")
    assert names(base, "comer") == ["Late Comer"]
    assert migrate(base) is True  # puts it back
    assert migrate(base) is False
    assert names(base, "omer") == ["Late Comer"]


def test_a_user_who_may_not_make_the_extension_migrates_without_it(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    with writer(engine).begin() as connection:
        connection.execute(text("DROP EXTENSION pg_trgm CASCADE"))
        connection.execute(text("CREATE ROLE plain_owner"))
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain_owner"))
    try:
        with writer(engine).begin() as connection:
            connection.execute(text("SET LOCAL ROLE plain_owner"))
            assert search_index.install(connection) is False
            assert "CREATE EXTENSION pg_trgm" in search_index.lack(connection)
            assert connection.scalar(text("SELECT count(*) FROM customer_search")) == 0  # the transaction goes on
    finally:
        with writer(engine).begin() as connection:
            connection.execute(text("DROP OWNED BY plain_owner"))
            connection.execute(text("DROP ROLE plain_owner"))
    assert migrate(engine) is True
    engine.dispose()


# --- always


NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=30),
    st.from_regex(r"[A-Za-zÀ-ÿ'’. -]{1,30}", fullmatch=True),
    st.from_regex(r"[А-Яа-яЁё -]{1,30}", fullmatch=True),
    st.from_regex(r"[\u1780-\u17d3 ]{1,30}", fullmatch=True),
    st.from_regex(r"[\u4e00-\u4fff]{1,5}", fullmatch=True),
    st.from_regex(r"[%_\"'*\\(){}:&|~^-]{1,12}", fullmatch=True),
).filter(lambda name: bool(fold(name)))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, data=st.data())
def test_whoever_is_entered_is_found_by_their_own_name_and_by_each_part_of_it(
    database: Engine, name: str, data: st.DataObject
) -> None:
    with writing(database) as session:
        one = add(session, f" {name} x")
        whole, number = one.name, one.id
    part = data.draw(st.sampled_from(fold(name).split()))
    with reading(database) as session:
        for typed in (whole, whole.upper(), fold(whole), part):
            after, found = "", False
            while not found:
                page = find_customers(session, typed, after=after, limit=500)
                found, after = any(each.id == number for each in page.items), page.next
                assert found or after, (typed, whole)
