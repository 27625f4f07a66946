"""The second factor: set up, asked for, demanded by a role, lost, and taken off."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import unquote

import httpx
import pytest
from itsdangerous import TimestampSigner

from config.settings import Settings, SettingsError, parse
from records.database import reading, writing
from records.second_factor import code_at, state_of
from records.tables import SecondFactor
from records.users import add_user, set_password
from tests.fixtures.desk import PASSWORD, People, RunningDesk, Visitor, alive, opened


class Clock:
    """The desk's clock, as far as second factors go by it; it stands unless a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 8, 0, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def step(self) -> int:
        return int(self.now.timestamp()) // 30


@pytest.fixture
def clock(desk: RunningDesk) -> Clock:
    clock = Clock()
    desk.app.state.second_factors._clock = clock
    return clock


def secret_in(page: str) -> str:
    shown = re.search(r'id="factor-secret">([^<]+)<', page)
    assert shown
    return shown[1].replace(" ", "")


def offer_in(page: str) -> str:
    hidden = re.search(r'name="offer" value="([^"]+)"', page)
    assert hidden
    return unescape(hidden[1])


def codes_in(page: str) -> list[str]:
    return re.findall(r"<li><code>([^<]+)</code></li>", page)


async def set_up(visitor: Visitor, clock: Clock) -> tuple[str, list[str]]:
    """On one's own page; gives the secret and the recovery codes."""
    page = (await visitor.post("/me/second-factor/begin", data={"password": PASSWORD})).text
    secret = secret_in(page)
    done = await visitor.post("/me/second-factor", data={"offer": offer_in(page), "code": code_at(secret, clock.step)})
    assert done.status_code == 200
    clock.later(60)  # and that code is used
    return secret, codes_in(done.text)


@contextlib.asynccontextmanager
async def at_the_code(desk: RunningDesk, login: str = "dara") -> AsyncIterator[Visitor]:
    async with Visitor(desk.app) as visitor:
        entered = await visitor.sign_in(login, next="/calls")
        assert entered.headers["location"] == "/sign-in/code?next=%2Fcalls"
        yield visitor


async def say(visitor: Visitor, code: str) -> httpx.Response:
    return await visitor.post("/sign-in/code", data={"code": code, "next": "/calls"})


async def test_it_is_set_up_on_ones_own_page_and_asked_for_from_then_on(
    desk: RunningDesk, dara: Visitor, clock: Clock
) -> None:
    page = await dara.post("/me/second-factor/begin", data={"password": PASSWORD})
    assert page.headers["cache-control"] == "no-store"
    secret = secret_in(page.text)
    picture = re.search(r'<img src="(data:image/svg[^"]+)"', page.text)
    assert picture
    assert unquote(unescape(picture[1])).startswith("data:image/svg+xml;charset=utf-8,<svg")
    with reading(desk.database()) as session:
        assert state_of(session, desk.people.dara) is None, "nothing is kept before a first code shows that it works"
    wrong = await dara.post("/me/second-factor", data={"offer": offer_in(page.text), "code": "000000"})
    assert (wrong.status_code, secret_in(wrong.text)) == (422, secret)
    code = code_at(secret, clock.step)
    done = await dara.post("/me/second-factor", data={"offer": offer_in(wrong.text), "code": code})
    assert len(codes_in(done.text)) == 10
    assert "10 recovery codes are left" in (await dara.get("/me")).text
    async with at_the_code(desk) as visitor:
        assert (await visitor.get("/calls")).headers["location"].startswith("/sign-in"), "half a session opens nothing"
        assert (await visitor.get("/api/v1/me")).status_code == 401
        assert (await say(visitor, code)).status_code == 401, "the code of setting it up was used"
        clock.later(30)
        entered = await say(visitor, code_at(secret, clock.step))
        assert (entered.status_code, entered.headers["location"]) == (303, "/calls")
        assert (await visitor.get("/api/v1/me")).json()["login"] == "dara"
        assert "ringcard-half" not in visitor.cookies


async def test_a_secret_is_not_in_the_database_as_it_is(desk: RunningDesk, dara: Visitor, clock: Clock) -> None:
    secret, codes = await set_up(dara, clock)
    with reading(desk.database()) as session:
        kept = session.get_one(SecondFactor, desk.people.dara).sealed
    data = b"".join(file.read_bytes() for file in desk.parts.settings.data_dir.glob("ringcard.db*"))
    assert kept.encode() in data
    for hidden in (secret, codes[0], codes[0].replace("-", "")):
        assert hidden.encode() not in data


async def test_a_used_code_opens_nothing_more_and_neither_does_a_recovery_code(
    desk: RunningDesk, dara: Visitor, clock: Clock
) -> None:
    secret, codes = await set_up(dara, clock)
    for code in (code_at(secret, clock.step), codes[3]):
        async with at_the_code(desk) as first, at_the_code(desk) as second:
            assert (await say(first, code)).status_code == 303
            refused = await say(second, code)
            assert (refused.status_code, "was used before" in refused.text) == (401, True)
    assert "9 recovery codes are left" in (await dara.get("/me")).text


async def test_guessing_codes_is_slowed_for_the_person_from_wherever_it_comes(
    desk: RunningDesk, dara: Visitor, clock: Clock
) -> None:
    secret, _ = await set_up(dara, clock)
    desk.app.state.door.clock = lambda: 1000.0
    statuses = []
    for _ in range(2):
        async with at_the_code(desk) as visitor:
            statuses += [(await say(visitor, "000000")).status_code for _ in range(3)]
    assert statuses == [401] * 5 + [429]
    async with at_the_code(desk) as visitor:
        late = await say(visitor, code_at(secret, clock.step))
        assert (late.status_code, late.headers["retry-after"]) == (429, "1")
        desk.app.state.door.clock = lambda: 1002.0
        assert (await say(visitor, code_at(secret, clock.step))).status_code == 303


async def test_half_a_session_ends_with_its_time_and_with_the_password(
    desk: RunningDesk, dara: Visitor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = await set_up(dara, clock)
    with monkeypatch.context() as then:
        began = int(datetime.now(UTC).timestamp()) - 16 * 60
        then.setattr(TimestampSigner, "get_timestamp", lambda signer: began)
        async with Visitor(desk.app) as visitor:
            await visitor.sign_in("dara")
            then.undo()
            assert (await say(visitor, code_at(secret, clock.step))).headers["location"] == "/sign-in"
    async with at_the_code(desk) as visitor:
        with writing(desk.database()) as session:
            set_password(session, desk.people.dara, "battery staple")
        desk.app.state.services.people.forget()
        assert (await say(visitor, code_at(secret, clock.step))).headers["location"].startswith("/sign-in")


async def test_a_whole_session_is_no_half_and_half_is_no_whole(desk: RunningDesk, dara: Visitor, clock: Clock) -> None:
    secret, _ = await set_up(dara, clock)
    async with at_the_code(desk) as visitor:
        half = visitor.cookies["ringcard-half"]
        visitor.cookies.set("ringcard", half, domain="desk.test")
        assert (await visitor.get("/api/v1/me")).status_code == 401
    dara.cookies.set("ringcard-half", dara.cookies["ringcard"], domain="desk.test")
    assert (await say(dara, code_at(secret, clock.step))).headers["location"].startswith("/sign-in")


async def test_it_is_changed_only_with_the_password(desk: RunningDesk, dara: Visitor, clock: Clock) -> None:
    _, codes = await set_up(dara, clock)
    for path in ("begin", "codes", "remove"):
        refused = await dara.post(f"/me/second-factor/{path}", data={"password": "wrong horse"})
        assert (refused.status_code, "That is not your password" in refused.text) == (422, True)
    new = codes_in((await dara.post("/me/second-factor/codes", data={"password": PASSWORD})).text)
    assert len(new) == 10
    async with at_the_code(desk) as visitor:
        assert (await say(visitor, codes[0])).status_code == 401
        assert (await say(visitor, new[0])).status_code == 303
    off = await dara.post("/me/second-factor/remove", data={"password": PASSWORD})
    assert "Your second factor is off." in off.text
    async with Visitor(desk.app) as visitor:
        assert (await visitor.sign_in("dara")).headers["location"] == "/"
    none = await dara.post("/me/second-factor/codes", data={"password": PASSWORD})
    assert (none.status_code, "You have no second factor." in none.text) == (422, True)


async def test_an_offer_is_for_one_person_and_for_a_quarter_of_an_hour(
    desk: RunningDesk, dara: Visitor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (await dara.post("/me/second-factor/begin", data={"password": PASSWORD})).text
    form = {"offer": offer_in(page), "code": code_at(secret_in(page), clock.step)}
    async with Visitor(desk.app) as visitor:
        mony = await visitor.has_session(desk, desk.people.mony)
        assert (await mony.post("/me/second-factor", data=form)).status_code == 422
    assert (await dara.post("/me/second-factor", data={**form, "offer": "forged"})).status_code == 422
    began = int(datetime.now(UTC).timestamp()) - 16 * 60
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda signer: began)
        old = (await dara.post("/me/second-factor/begin", data={"password": PASSWORD})).text
    form = {"offer": offer_in(old), "code": code_at(secret_in(old), clock.step)}
    late = await dara.post("/me/second-factor", data=form)
    assert (late.status_code, "open for too long" in late.text) == (422, True)


async def test_an_administrator_takes_it_off_for_who_lost_the_telephone(
    desk: RunningDesk, boss: Visitor, dara: Visitor, clock: Clock
) -> None:
    await set_up(dara, clock)
    path = f"/people/{desk.people.dara}"
    assert "with a second factor" in (await boss.get("/people")).text
    assert (await boss.get(f"/api/v1{path}")).json()["second_factor"] is True
    assert (await boss.post(f"{path}/second-factor/remove")).status_code == 303
    assert (await dara.get("/api/v1/me")).status_code == 401, "the telephone may be signed in"
    assert (await dara.sign_in("dara")).headers["location"] == "/"
    await set_up(dara, clock)
    assert (await boss.delete(f"/api/v1{path}/second-factor")).status_code == 204
    own = f"/people/{(await boss.get('/api/v1/me')).json()['user_id']}"
    for refused in (
        await boss.post(f"{own}/second-factor/remove"),
        await boss.delete(f"/api/v1{own}/second-factor"),
    ):
        assert refused.status_code == 422, "one's own needs the password, also at an unlocked screen"
    assert (await dara.sign_in("dara")).headers["location"] == "/"


async def test_another_secret_of_the_desk_is_said_and_not_taken_for_a_wrong_code(
    desk: RunningDesk, dara: Visitor, clock: Clock
) -> None:
    secret, codes = await set_up(dara, clock)
    with writing(desk.database()) as session:
        session.get_one(SecondFactor, desk.people.dara).sealed = "AAAA"
    async with at_the_code(desk) as visitor:
        refused = await say(visitor, code_at(secret, clock.step))
        assert (refused.status_code, "Ask an administrator to take it off" in refused.text) == (409, True)
        assert (await say(visitor, codes[0])).status_code == 303, "recovery codes need no secret"


# --- where a role must have one ---


@pytest.fixture
async def strict(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[tuple[RunningDesk, Clock]]:
    """A desk where administrators must have a second factor; "boss" is one and has none."""
    settings, people = company
    settings = replace(settings, desk=replace(settings.desk, second_factor=("administrator",)))
    async with opened(settings, people, redis_url) as desk:
        with writing(desk.database()) as session:
            add_user(session, "boss", "Boss Srey", PASSWORD, role="administrator")
        async with alive(desk):
            desk.app.state.second_factors._clock = clock = Clock()
            yield desk, clock


async def test_a_role_that_must_have_one_sets_it_up_before_anything_else(strict: tuple[RunningDesk, Clock]) -> None:
    desk, clock = strict
    async with Visitor(desk.app) as boss, Visitor(desk.app) as again, Visitor(desk.app) as dara:
        assert (await dara.sign_in("dara")).headers["location"] == "/", "other roles need not"
        place = (await boss.sign_in("boss", next="/people")).headers["location"]
        assert place == "/sign-in/second-factor?next=%2Fpeople"
        assert (await boss.get("/people")).status_code == 303
        page = (await boss.get(place)).text
        secret = secret_in(page)
        form = {"offer": offer_in(page), "next": "/people"}
        wrong = await boss.post("/sign-in/second-factor", data={**form, "code": "000000"})
        assert (wrong.status_code, secret_in(wrong.text)) == (422, secret)
        forged = await boss.post("/sign-in/second-factor", data={**form, "offer": "forged", "code": "000000"})
        assert (forged.status_code, "open for too long" in forged.text) == (422, True)
        code = code_at(secret, clock.step)
        done = await boss.post("/sign-in/second-factor", data={**form, "code": code})
        assert len(codes_in(done.text)) == 10
        assert 'href="/people"' in done.text
        assert (await boss.get("/people")).status_code == 200
        kept = await boss.post("/me/second-factor/remove", data={"password": PASSWORD})
        assert (kept.status_code, "must have a second factor" in kept.text) == (422, True)
        assert "Switch it off" not in (await boss.get("/me")).text
        assert (await again.sign_in("boss")).headers["location"].startswith("/sign-in/code")
        other = await again.get("/sign-in/second-factor")
        assert other.headers["location"].startswith("/sign-in"), "who has one shows it, and makes no other"


async def test_strangers_get_neither_a_secret_nor_a_question(strict: tuple[RunningDesk, Clock]) -> None:
    desk, _ = strict
    async with Visitor(desk.app) as stranger:
        for answer in (
            await stranger.get("/sign-in/code"),
            await stranger.get("/sign-in/second-factor"),
            await stranger.post("/sign-in/code", data={"code": "1"}),
            await stranger.post("/sign-in/second-factor", data={"code": "1", "offer": "x"}),
        ):
            assert answer.headers["location"].startswith("/sign-in")
            assert "otpauth" not in answer.text


def test_a_role_that_is_none_is_refused_in_the_settings() -> None:
    assert parse({"desk": {"second_factor": ["administrator"]}}).desk.second_factor == ("administrator",)
    with pytest.raises(SettingsError, match=r"desk\.second_factor has 'boss'; write some of 'agent'"):
        parse({"desk": {"second_factor": ["boss"]}})
