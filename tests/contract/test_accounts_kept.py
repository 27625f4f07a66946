"""Sessions, tokens, second factors, teams and administrators as both databases keep them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from records import routing, second_factor, sessions, teams, tokens, users
from records.database import reading, writing
from records.errors import Conflict, NotFound, Refused
from records.places import Place
from records.second_factor import code_at
from records.tables import ApiToken, DeskSession, RecoveryCode, SecondFactor, Team, User

PASSWORD = "a long password"
LASTS = timedelta(hours=12)
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOW_S = 1111111109


def unsealed(sealed: str) -> str:
    return sealed


@pytest.fixture
def boss(database: Engine) -> int:
    with writing(database) as session:
        return users.add_user(session, "boss", "Boss Srey", PASSWORD, role="administrator").id


@pytest.fixture
def dara(database: Engine) -> int:
    with writing(database) as session:
        return users.add_user(session, "dara", "Dara Chan", PASSWORD, team="Sales").id


def begin(database: Engine, user_id: int, *keys: str) -> None:
    for key in keys:
        with writing(database) as session:
            sessions.begin(session, user_id, key, "a browser", "192.0.2.1", LASTS)


def held(database: Engine) -> frozenset[str]:
    with reading(database) as session:
        return sessions.all_open(session)


# --- sessions ---


def test_a_session_is_kept_by_the_hash_of_its_key(database: Engine, dara: int) -> None:
    begin(database, dara, "a key")
    with reading(database) as session:
        [kept] = sessions.sessions_of(session, dara, LASTS)
        columns = session.execute(select(DeskSession.__table__)).one()
    assert (kept.browser, kept.address, kept.key_hash) == ("a browser", "192.0.2.1", sessions.hash_of("a key"))
    assert "a key" not in map(str, columns)


def test_one_all_or_all_other_sessions_of_a_person_are_ended_and_nobody_elses(
    database: Engine, dara: int, boss: int
) -> None:
    begin(database, dara, "one", "two", "three")
    begin(database, boss, "boss")
    with writing(database) as session:
        [*_, first] = sessions.sessions_of(session, dara, LASTS)
        with pytest.raises(NotFound):
            sessions.end_one(session, boss, first.id)
        sessions.end_one(session, dara, first.id)
    assert held(database) == set(map(sessions.hash_of, ("two", "three", "boss")))
    with writing(database) as session:
        sessions.end_all(session, dara, but=sessions.hash_of("three"))
    assert held(database) == set(map(sessions.hash_of, ("three", "boss")))
    with writing(database) as session:
        sessions.end_all(session, dara)
    assert held(database) == {sessions.hash_of("boss")}


def test_when_and_from_where_a_session_was_seen_is_noted(database: Engine, dara: int) -> None:
    begin(database, dara, "one", "two")
    later = datetime.now(UTC) + timedelta(minutes=5)
    with writing(database) as session:
        seen = {sessions.hash_of("one"): sessions.Seen(later, "192.0.2.9"), "gone": sessions.Seen(later, "")}
        sessions.seen(session, seen)
    with reading(database) as session:
        [first, second] = sessions.sessions_of(session, dara, LASTS)
    assert (first.key_hash, first.seen_at, first.address) == (sessions.hash_of("one"), later, "192.0.2.9")
    assert second.address == "192.0.2.1"


def test_what_is_long_over_goes_and_a_clock_that_ran_ahead_for_hours_ends_nothing(database: Engine, dara: int) -> None:
    begin(database, dara, "long ago", "yesterday")
    for key, ago in (("long ago", LASTS + timedelta(days=1, hours=1)), ("yesterday", LASTS + timedelta(hours=1))):
        with writing(database) as session:
            old = update(DeskSession).where(DeskSession.key_hash == sessions.hash_of(key))
            session.execute(old.values(began_at=datetime.now(UTC) - ago))
    begin(database, dara, "now")
    assert held(database) == set(map(sessions.hash_of, ("yesterday", "now")))
    with reading(database) as session:
        assert [one.key_hash for one in sessions.sessions_of(session, dara, LASTS)] == [sessions.hash_of("now")]


@pytest.mark.parametrize(
    "change",
    [
        lambda session, user_id: users.change_user(session, user_id, role="supervisor"),
        lambda session, user_id: users.change_user(session, user_id, active=False),
        lambda session, user_id: users.set_password(session, user_id, "another password"),
        lambda session, user_id: users.deactivate(session, user_id),
    ],
    ids=["role", "active", "password", "deactivate"],
)
def test_another_role_or_password_and_being_switched_off_end_every_session(
    database: Engine, dara: int, boss: int, change: Callable[[Session, int], object]
) -> None:
    begin(database, dara, "one", "two")
    begin(database, boss, "boss")
    with writing(database) as session:
        change(session, dara)
    assert held(database) == {sessions.hash_of("boss")}


def test_what_else_is_changed_of_a_person_ends_no_session(database: Engine, dara: int) -> None:
    begin(database, dara, "one")
    with writing(database) as session:
        users.change_user(session, dara, name="Dara Sok", login="sok", role="agent", team="North", active=True)
    assert held(database) == {sessions.hash_of("one")}


def test_an_own_new_password_keeps_the_session_that_it_was_said_in(database: Engine, dara: int) -> None:
    begin(database, dara, "here", "elsewhere")
    with writing(database) as session:
        users.set_password(session, dara, "another password", keep=sessions.hash_of("here"))
    assert held(database) == {sessions.hash_of("here")}


# --- tokens ---


def test_a_token_is_told_once_and_kept_by_its_hash(database: Engine, dara: int) -> None:
    until = datetime.now(UTC) + timedelta(days=90)
    with writing(database) as session:
        token = tokens.make(session, dara, " The ERP ", ["write", "read"], until)
    with reading(database) as session:
        [kept] = tokens.tokens_of(session, dara)
        columns = session.execute(select(ApiToken.__table__)).one()
        assert tokens.all_tokens(session) == {
            sessions.hash_of(token): tokens.Token(dara, frozenset({"read", "write"}), until)
        }
    assert (kept.name, kept.scopes, kept.used_at) == ("The ERP", "read write", None)
    assert token.startswith("rc_")
    assert len(token) > 40
    assert token not in map(str, columns)


def test_a_token_has_a_name_a_scope_and_an_end(database: Engine, dara: int) -> None:
    soon, past = datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(seconds=1)
    for name, scopes, until, said in (
        (" ", ["read"], soon, "needs a name"),
        ("x", [], soon, "what the token may do: read, write, calls"),
        ("x", ["read", "everything"], soon, "what the token may do"),
        ("x", ["read"], past, "ends between tomorrow and two years"),
        ("x", ["read"], soon + timedelta(days=800), "ends between tomorrow and two years"),
    ):
        with pytest.raises(Refused, match=said), writing(database) as session:
            tokens.make(session, dara, name, scopes, until)


def test_a_token_is_ended_by_its_person_and_with_them(database: Engine, dara: int, boss: int) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    for user_id in (dara, dara, boss):
        with writing(database) as session:
            tokens.make(session, user_id, "one", ["read"], until)
    with writing(database) as session:
        [last, first] = tokens.tokens_of(session, dara)
        tokens.used(session, {last.token_hash: until, "gone": until})
        with pytest.raises(NotFound):
            tokens.end_token(session, boss, last.id)
        tokens.end_token(session, dara, first.id)
    with reading(database) as session:
        assert [one.used_at for one in tokens.tokens_of(session, dara)] == [until]
    with writing(database) as session:
        users.deactivate(session, dara)
    with reading(database) as session:
        assert [token.user_id for token in tokens.all_tokens(session).values()] == [boss]


# --- second factors ---


def with_factor(database: Engine, user_id: int) -> list[str]:
    with writing(database) as session:
        return second_factor.set_up(session, user_id, SECRET, NOW_S // 30 - 5)


def accepts(database: Engine, user_id: int, code: str, now_s: float = NOW_S) -> bool:
    with writing(database) as session:
        return second_factor.accept(session, user_id, unsealed, code, now_s)


def test_a_code_is_accepted_once_and_none_of_before_it_any_more(database: Engine, dara: int) -> None:
    with_factor(database, dara)
    step = NOW_S // 30
    assert accepts(database, dara, code_at(SECRET, step))
    assert not accepts(database, dara, code_at(SECRET, step))
    assert not accepts(database, dara, code_at(SECRET, step - 1))
    assert accepts(database, dara, code_at(SECRET, step + 1))


def test_of_many_who_say_the_same_code_at_once_one_gets_in(database: Engine, dara: int) -> None:
    codes = with_factor(database, dara)
    for code in (code_at(SECRET, NOW_S // 30), codes[0]):
        right: list[bool] = []
        at_once = threading.Barrier(5)

        def say(code: str = code, right: list[bool] = right, at_once: threading.Barrier = at_once) -> None:
            at_once.wait()
            right.append(accepts(database, dara, code))

        threads = [threading.Thread(target=say) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(right) == [False] * 4 + [True]


def test_a_recovery_code_is_accepted_once_however_it_is_typed(database: Engine, dara: int, boss: int) -> None:
    codes = with_factor(database, dara)
    with_factor(database, boss)
    assert len(set(codes)) == 10
    assert not accepts(database, boss, codes[0])
    assert accepts(database, dara, f" {codes[0].upper().replace('-', ' ')} ")
    assert not accepts(database, dara, codes[0])
    assert not accepts(database, dara, "aaaa-bbbb-cccc-dddd")
    with reading(database) as session:
        assert second_factor.state_of(session, dara).codes_left == 9  # type: ignore[union-attr]
        kept = session.scalars(select(RecoveryCode.code_hash)).all()
    assert not set(kept) & set(codes)


def test_new_recovery_codes_end_those_of_before_and_taking_it_off_ends_all(
    database: Engine, dara: int, boss: int
) -> None:
    old = with_factor(database, dara)
    with_factor(database, boss)
    with writing(database) as session:
        new = second_factor.new_recovery_codes(session, dara)
    assert not accepts(database, dara, old[0])
    assert accepts(database, dara, new[0])
    with writing(database) as session:
        assert second_factor.who_has_one(session) == {dara, boss}
        second_factor.take_off(session, dara)
        assert second_factor.state_of(session, dara) is None
        assert second_factor.who_has_one(session) == {boss}
    assert not accepts(database, dara, new[1])
    assert not accepts(database, dara, code_at(SECRET, NOW_S // 30))


def test_another_telephone_takes_the_place_of_the_one_before(database: Engine, dara: int) -> None:
    with_factor(database, dara)
    other = second_factor.new_secret()
    with writing(database) as session:
        second_factor.set_up(session, dara, other, 0)
    assert not accepts(database, dara, code_at(SECRET, NOW_S // 30))
    assert accepts(database, dara, code_at(other, NOW_S // 30))
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(SecondFactor)) == 1
        assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 10


# --- teams ---


def test_teams_are_entered_renamed_and_removed_when_empty(database: Engine, dara: int) -> None:
    with writing(database) as session:
        north = teams.add_team(session, " North ").id
        routing.save_calendar(session, north, "Mon-Fri 08:00-17:00", "", "")
        teams.rename_team(session, north, "The north")
        assert [(team.name, count) for team, count in teams.list_teams(session)] == [("Sales", 1), ("The north", 0)]
    with writing(database) as session:
        teams.remove_team(session, north)
        assert routing.calendars(session) == []


def test_a_team_that_somebody_needs_stays_and_so_does_a_name(database: Engine, dara: int) -> None:
    with writing(database) as session:
        north = teams.add_team(session, "North").id
        routing.add_rule(session, "VIP", "company", "is", "Acme", team_id=north)
    with reading(database) as session:
        sales = session.scalar(select(Team.id).where(Team.name == "Sales"))
    assert sales is not None
    refused: dict[str, Callable[[Session], object]] = {
        "Dara Chan is still in Sales": lambda session: teams.remove_team(session, sales),
        "the rule VIP sends calls to North": lambda session: teams.remove_team(session, north),
        "needs a name": lambda session: teams.rename_team(session, north, " "),
    }
    for said, work in refused.items():
        with pytest.raises(Refused, match=said), writing(database) as session:
            work(session)
    with pytest.raises(Conflict, match="there is a team Sales already"), writing(database) as session:
        teams.add_team(session, "Sales")
    with pytest.raises(Conflict, match="there is a team Sales already"), writing(database) as session:
        teams.rename_team(session, north, "Sales")
    with writing(database) as session:
        assert teams.rename_team(session, north, "North").name == "North"


# --- administrators, logins, phones ---


def test_the_last_administrator_is_neither_switched_off_nor_made_something_else(
    database: Engine, boss: int, dara: int
) -> None:
    changes: list[Callable[[Session], object]] = [
        lambda session: users.deactivate(session, boss),
        lambda session: users.change_user(session, boss, active=False),
        lambda session: users.change_user(session, boss, role="agent"),
    ]
    for change in changes:
        with pytest.raises(Refused, match="Boss Srey is the last administrator"), writing(database) as session:
            change(session)
    with writing(database) as session:
        users.change_user(session, boss, role="administrator", name="Boss")
        users.change_user(session, dara, role="administrator")
        users.deactivate(session, boss)
    with pytest.raises(Refused, match="Dara Chan is the last"), writing(database) as session:
        users.change_user(session, dara, role="supervisor")


def test_two_administrators_who_switch_each_other_off_at_once_do_not_both_go(
    database: Engine, boss: int, dara: int
) -> None:
    with writing(database) as session:
        users.change_user(session, dara, role="administrator")
    at_once = threading.Barrier(2)

    def off(user_id: int) -> None:
        try:
            with writing(database) as session:
                at_once.wait(5) if database.dialect.name != "sqlite" else None
                users.deactivate(session, user_id)
        except Refused:
            pass

    threads = [threading.Thread(target=off, args=(user_id,)) for user_id in (boss, dara)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(database) as session:
        assert session.scalar(select(func.count()).where(User.role == "administrator", User.active)) == 1


def test_a_login_is_changed_unless_somebody_has_it(database: Engine, boss: int, dara: int) -> None:
    with writing(database) as session:
        users.change_user(session, dara, login=" Dara.CHAN ")
    assert users.sign_in(database, "dara.chan", PASSWORD) is not None
    assert users.sign_in(database, "dara", PASSWORD) is None
    for login, error in (("BOSS", Conflict), (" ", Refused)):
        with pytest.raises(error), writing(database) as session:
            users.change_user(session, dara, login=login)


def test_nobody_stands_in_for_themselves(database: Engine, dara: int) -> None:
    with pytest.raises(Refused, match="cannot stand in for themselves"), writing(database) as session:
        users.change_user(session, dara, deputy="dara")


def test_a_person_sits_where_it_is_said_and_nowhere_else(database: Engine, dara: int) -> None:
    with writing(database) as session:
        users.sit_at(session, dara, [Place("pbx", "101"), Place("branch", "204"), Place("pbx", "+85512345678", False)])
    with writing(database) as session:
        users.sit_at(session, dara, [Place("branch", "204"), Place("pbx", "102"), Place("pbx", "+85512345678", False)])
        phones = session.get_one(User, dara).endpoints
        assert {(phone.node, phone.name, phone.inside) for phone in phones} == {
            ("branch", "204", True),
            ("pbx", "102", True),
            ("pbx", "+85512345678", False),
        }
        users.sit_at(session, dara, [])
        assert users.phones_of(session, dara) == frozenset()
