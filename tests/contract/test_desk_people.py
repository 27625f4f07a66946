"""People and teams as administrators enter and change them, on pages and by the API."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from config.settings import Node, Settings
from desk import staff
from records import users
from records.customers import customer
from records.database import reading, writing
from records.errors import RecordsError
from records.tables import Team
from tests.contract.test_desk_tokens import make, program, token_in
from tests.fixtures.desk import HOSTILE_NAME, PASSWORD, RITHY, People, RunningDesk, Visitor, alive, opened

SINA = {"login": "Sina", "name": "Sina Chhim", "password": "a first password"}


async def ids(boss: Visitor) -> dict[str, int]:
    return {one["login"]: one["id"] for one in (await boss.get("/api/v1/people?inactive=true")).json()}


async def read(boss: Visitor, login: str) -> tuple[str, dict[str, Any], str]:
    """Where the person stands in the API, how they are, and the ETag."""
    path = f"/api/v1/people/{(await ids(boss))[login]}"
    answer = await boss.get(path)
    return path, answer.json(), answer.headers["etag"]


async def patched(boss: Visitor, whom: str, /, **changes: Any) -> httpx.Response:
    path, _, etag = await read(boss, whom)
    return await boss.patch(path, json=changes, headers={"If-Match": etag})


def as_form(page: str) -> dict[str, str]:
    """The form of a person's page, as a browser would send it back."""
    begins = page.index('name="mark"')
    form = page[begins : page.index("</form>", begins)]
    typed = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    for select in re.findall(r"<select.*?</select>", form, re.DOTALL):
        name = re.search(r'name="(\w+)"', select)
        chosen = re.search(r'<option value="([^"]*)" selected', select)
        assert name
        typed[name[1]] = chosen[1] if chosen else ""
    return typed


async def test_only_administrators_see_and_change_people(boss: Visitor, dara: Visitor, desk: RunningDesk) -> None:
    async with Visitor(desk.app) as visitor:
        sophea = await visitor.has_session(desk, desk.people.sophea)
        for other in (dara, sophea):
            assert 'href="/people"' not in (await other.get("/")).text
            for path in ("/people", "/people/new", "/people/1", "/api/v1/people", "/api/v1/people/1", "/api/v1/teams"):
                assert (await other.get(path)).status_code == 403
            for path in ("/people", "/people/1", "/people/1/off", "/people/1/password/set", "/teams"):
                assert (await other.post(path, data={"role": "administrator"})).status_code == 403
            assert (await other.post("/api/v1/people", json=SINA)).status_code == 403
            assert (await other.delete("/api/v1/people/1/sessions")).status_code == 403
    assert 'href="/people"' in (await boss.get("/")).text
    assert [name for name in ("Dara Chan", "Mony Keo", "Sales") if name in (await boss.get("/people")).text] == [
        "Dara Chan",
        "Mony Keo",
        "Sales",
    ]


async def test_a_person_is_entered_on_the_page_and_signs_in(boss: Visitor, stranger: Visitor) -> None:
    form = {**SINA, "role": "supervisor", "team": "Sales", "deputy": "dara", "phones": "105, +855 12 999 888"}
    entered = await boss.post("/people", data=form)
    assert entered.status_code == 303
    page = (await boss.get(entered.headers["location"])).text
    assert as_form(page) == {
        "mark": as_form(page)["mark"],
        "login": "sina",
        "name": "Sina Chhim",
        "role": "supervisor",
        "team": "Sales",
        "deputy": "dara",
        "phones": "+85512999888, 105",
    }
    assert (await stranger.sign_in("sina", "a first password")).status_code == 303
    me = (await stranger.get("/api/v1/me")).json()
    assert (me["role"], me["phones"]) == ("supervisor", ["+85512999888", "105"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"login": ""}, "needs a login and a name"),
        ({"name": " "}, "needs a login and a name"),
        ({"login": "DARA"}, "is in use"),
        ({"password": "short"}, "8 to 1024 characters"),
        ({"role": "king"}, "is no role"),
        ({"team": "North"}, "there is no team North; enter it first"),
        ({"deputy": "nobody"}, "nobody signs in as"),
        ({"phones": "mars/101"}, "there is no PBX"),
        ({"phones": "101)Dial(x"}, "is no phone"),
        ({"phones": "+85"}, "is no whole phone number"),
        ({"name": "x" * 201}, "at most 200 characters"),
    ],
)
async def test_what_cannot_be_comes_back_as_it_was_typed_with_the_reason(
    boss: Visitor, wrong: dict[str, str], said: str
) -> None:
    before = await ids(boss)
    refused = await boss.post("/people", data={**SINA, "phones": "105", **wrong})
    assert refused.status_code == 422
    assert said in refused.text
    assert ("Sina Chhim" in refused.text) == ("name" not in wrong)
    assert "a first password" not in refused.text
    assert await ids(boss) == before


async def test_a_change_holds_and_the_cards_show_it(boss: Visitor, desk: RunningDesk) -> None:
    path = f"/people/{desk.people.dara}"
    with reading(desk.database()) as session:
        before = customer(session, desk.people.rithy)
    form = as_form((await boss.get(path)).text)
    form |= {"name": "Dara Sok", "phones": "101, 107", "team": "Support", "deputy": "mony"}
    assert (await boss.post(path, data=form)).headers["location"] == "/people"
    _, dara, _ = await read(boss, "dara")
    assert (dara["name"], dara["team"], dara["deputy"]) == ("Dara Sok", "Support", "mony")
    assert dara["phones"] == [
        {"node": "pbx", "name": "101", "inside": True},
        {"node": "pbx", "name": "107", "inside": True},
    ]
    with reading(desk.database()) as session:
        after = customer(session, desk.people.rithy)
    assert before is not None
    assert after is not None
    assert after.version > before.version
    found = (await boss.get("/api/v1/lookup", params={"number": RITHY})).json()
    assert found["candidates"][0]["manager"] == "Dara Sok"


async def test_of_two_administrators_who_change_the_same_person_the_second_is_told(
    boss: Visitor, desk: RunningDesk
) -> None:
    path = f"/people/{desk.people.dara}"
    form = as_form((await boss.get(path)).text)
    assert (await boss.post(path, data=form | {"name": "Dara One"})).status_code == 303
    late = await boss.post(path, data=form | {"name": "Dara Two"})
    assert late.status_code == 409
    assert "was changed by somebody else meanwhile" in late.text
    assert as_form(late.text)["name"] == "Dara One"
    assert (await boss.post(path + "/off", data={"mark": form["mark"]})).status_code == 422
    assert (await read(boss, "dara"))[1]["active"]


async def test_who_is_switched_off_is_out_at_once_and_comes_back_when_switched_on(
    boss: Visitor, dara: Visitor, desk: RunningDesk
) -> None:
    path = f"/people/{desk.people.dara}"
    mark = as_form((await boss.get(path)).text)["mark"]
    assert (await boss.post(path + "/off", data={"mark": mark})).status_code == 303
    assert (await dara.get("/api/v1/me")).status_code == 401
    assert (await dara.sign_in("dara")).status_code == 401
    assert "Switched off" in (await boss.get("/people")).text
    page = (await boss.get(path)).text
    assert as_form(page)["phones"] == ""
    assert (await boss.post(path + "/on", data={"mark": as_form(page)["mark"]})).status_code == 303
    assert (await dara.get("/api/v1/me")).status_code == 401, "what was ended does not come back"
    assert (await dara.sign_in("dara")).status_code == 303
    assert (await boss.post(path + "/sideways")).status_code == 404


async def test_the_last_administrator_stays_one(boss: Visitor) -> None:
    path = f"/people/{(await ids(boss))['boss']}"
    form = as_form((await boss.get(path)).text)
    for refused in (
        await boss.post(path, data=form | {"role": "agent"}),
        await boss.post(path + "/off", data={"mark": form["mark"]}),
        await patched(boss, "boss", role="agent"),
        await patched(boss, "boss", active=False),
    ):
        assert refused.status_code == 422
        assert "Boss Srey is the last administrator" in refused.text
    assert (await patched(boss, "dara", role="administrator")).status_code == 200
    assert (await patched(boss, "boss", role="agent")).status_code == 200
    assert (await boss.get("/api/v1/me")).status_code == 401, "another role signs out"


def test_of_two_administrators_who_switch_each_other_off_at_once_one_is_told_why_not(database: Engine) -> None:
    with writing(database) as session:
        both = [users.add_user(session, login, login.title(), PASSWORD, role="administrator").id for login in "ab"]
    with reading(database) as session:
        marks = [staff.one(session, user_id)[1].mark for user_id in both]
    at_once, said = threading.Barrier(2), []

    def off(user_id: int, mark: str) -> None:
        at_once.wait(10)
        try:
            with writing(database) as session:
                staff.change(session, user_id, staff.Wanted(active=False), mark)
            said.append("done")
        except RecordsError as exc:
            said.append(str(exc))

    threads = [threading.Thread(target=off, args=each) for each in zip(both, marks, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said)[1] == "done"
    assert "is the last administrator" in sorted(said)[0]


async def test_a_new_password_is_set_for_others_and_not_for_oneself(
    boss: Visitor, dara: Visitor, desk: RunningDesk
) -> None:
    path = f"/people/{desk.people.dara}/password/set"
    assert (await boss.post(path, data={"password": "short"})).status_code == 422
    assert (await dara.get("/api/v1/me")).status_code == 200
    assert (await boss.post(path, data={"password": "battery staple"})).status_code == 200
    assert (await dara.get("/api/v1/me")).status_code == 401
    assert (await dara.sign_in("dara", "battery staple")).status_code == 303
    own = (await ids(boss))["boss"]
    for refused in (
        await boss.post(f"/people/{own}/password/set", data={"password": "battery staple"}),
        await boss.put(f"/api/v1/people/{own}/password", json={"password": "battery staple"}),
    ):
        assert (refused.status_code, "on your own page" in refused.text) == (422, True)
    answer = await boss.put(f"/api/v1/people/{desk.people.dara}/password", json={"password": "third password"})
    assert answer.status_code == 204
    assert (await dara.get("/api/v1/me")).status_code == 401


async def test_phones_of_several_nodes_are_told_apart(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    settings = replace(settings, nodes={"branch": Node("http://127.0.0.1:9/ari")})
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, redis_url))
        with writing(desk.database()) as session:
            boss_id = users.add_user(session, "boss", "Boss", PASSWORD, role="administrator").id
        await stack.enter_async_context(alive(desk))
        boss = await (await stack.enter_async_context(Visitor(desk.app))).has_session(desk, boss_id)
        path = f"/people/{people.dara}"
        form = as_form((await boss.get(path)).text)
        assert (await boss.post(path, data=form | {"phones": "branch/101; pbx/103"})).status_code == 303
        assert as_form((await boss.get(path)).text)["phones"] == "branch/101, 103"
        directory = await desk.app.state.services.people.directory()
        assert directory.people("branch", "101") == {people.dara}
        assert directory.people("pbx", "101") == frozenset()


async def test_names_are_shown_as_text(boss: Visitor) -> None:
    entered = await boss.post("/people", data={**SINA, "name": HOSTILE_NAME})
    assert (await boss.post("/teams", data={"name": HOSTILE_NAME})).status_code == 303
    for path in ("/people", "/people/new", entered.headers["location"]):
        assert "<script>document" not in (await boss.get(path)).text
        assert "<img src=x" not in (await boss.get(path)).text


# --- by the API ---


async def test_the_api_enters_reads_and_changes_people(boss: Visitor, stranger: Visitor) -> None:
    made = await boss.post(
        "/api/v1/people", json={**SINA, "phones": [{"name": "105"}, {"name": "+855 12 999 888", "inside": False}]}
    )
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "login": "sina",
        "name": "Sina Chhim",
        "role": "agent",
        "team": "",
        "deputy": "",
        "active": True,
        "phones": [
            {"node": "pbx", "name": "+85512999888", "inside": False},
            {"node": "pbx", "name": "105", "inside": True},
        ],
        "second_factor": False,
    }
    changed = await patched(boss, "sina", role="supervisor", team="Sales", phones=[])
    assert (changed.status_code, changed.json()["team"], changed.json()["phones"]) == (200, "Sales", [])
    assert changed.headers["etag"] != made.headers["etag"]
    assert (await patched(boss, "sina", active=False)).json()["active"] is False
    assert "sina" not in {one["login"] for one in (await boss.get("/api/v1/people")).json()}
    assert (await stranger.sign_in("sina", "a first password")).status_code == 401
    assert (await patched(boss, "sina", active=True)).status_code == 200
    assert (await stranger.sign_in("sina", "a first password")).status_code == 303


async def test_no_token_changes_a_password_or_a_second_factor_or_makes_an_administrator(
    boss: Visitor, desk: RunningDesk
) -> None:
    """It could sign in as an administrator then, and make another token."""
    token = token_in(await make(boss, "read", "write"))
    new = {"login": "sothea", "name": "Sothea", "password": "a long new password"}
    async with program(desk, token) as erp:
        entered = await erp.post("/api/v1/people", json=new)
        assert entered.status_code == 201
        address, tag = f"/api/v1/people/{entered.json()['id']}", {"If-Match": entered.headers["etag"]}
        for refused in (
            await erp.put(f"{address}/password", json={"password": "another long password"}),
            await erp.delete(f"{address}/second-factor"),
            await erp.patch(address, json={"role": "administrator"}, headers=tag),
            await erp.post("/api/v1/people", json={**new, "login": "other", "role": "administrator"}),
        ):
            assert refused.status_code == 403
            assert "No token may do that" in refused.json()["detail"]
        assert (await erp.patch(address, json={"role": "supervisor"}, headers=tag)).status_code == 200
    assert (await boss.put(f"{address}/password", json={"password": "another long password"})).status_code == 204


async def test_a_change_says_what_it_was_made_from(boss: Visitor, desk: RunningDesk) -> None:
    path, _, etag = await read(boss, "dara")
    assert (await boss.patch(path, json={"name": "x"})).status_code == 428
    assert (await boss.patch(path, json={"name": "Dara One"}, headers={"If-Match": etag})).status_code == 200
    late = await boss.patch(path, json={"name": "Dara Two"}, headers={"If-Match": etag})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert (await read(boss, "dara"))[1]["name"] == "Dara One"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"login": "mony"}, 409),
        ({"name": ""}, 422),
        ({"role": "king"}, 422),
        ({"team": "nowhere"}, 422),
        ({"deputy": "dara"}, 422),
        ({"deputy": "nobody"}, 404),
        ({"phones": [{"name": "x y"}]}, 422),
        ({"phones": [{"name": "101", "node": "mars"}]}, 422),
        ({"password": "not here"}, 422),
        ({"active": "no"}, 422),
    ],
)
async def test_the_api_refuses_what_cannot_be(boss: Visitor, body: dict[str, Any], status: int) -> None:
    _, before, _ = await read(boss, "dara")
    refused = await patched(boss, "dara", **body)
    assert refused.status_code == status
    assert refused.json()["detail"]
    assert (await read(boss, "dara"))[1] == before


async def test_an_unknown_person_or_team_is_not_there(boss: Visitor) -> None:
    for path in ("/people/999", "/api/v1/people/999", "/api/v1/teams/999"):
        assert (await boss.get(path)).status_code == 404
    headers = {"If-Match": '"x"'}
    assert (await boss.patch("/api/v1/people/999", json={}, headers=headers)).status_code == 404
    assert (await boss.delete("/api/v1/people/999/second-factor")).status_code == 404
    assert (await boss.delete("/api/v1/people/999/sessions/1")).status_code == 404
    assert (await boss.patch("/api/v1/teams/999", json={"name": "x"}, headers=headers)).status_code == 404


# --- teams ---


async def test_teams_are_entered_renamed_and_removed_on_the_page(boss: Visitor, desk: RunningDesk) -> None:
    assert (await boss.post("/teams", data={"name": "North"})).status_code == 303
    with reading(desk.database()) as session:
        teams = {team.name: team.id for team in session.query(Team)}
    page = (await boss.get("/people")).text
    assert f"/teams/{teams['North']}/remove" in page
    assert f"/teams/{teams['Sales']}/remove" not in page, "somebody is in it"
    assert (await boss.post(f"/teams/{teams['North']}/rename", data={"name": "The north"})).status_code == 303
    for path, name, said in (
        ("/teams", "Sales", "there is a team Sales already"),
        ("/teams", " ", "needs a name"),
        (f"/teams/{teams['North']}/rename", "Sales", "there is a team Sales already"),
        (f"/teams/{teams['Sales']}/remove", "", "still in Sales"),
    ):
        refused = await boss.post(path, data={"name": name})
        assert (refused.status_code, said in refused.text) == (422, True)
    assert (await boss.post(f"/teams/{teams['North']}/remove")).status_code == 303
    assert "The north" not in (await boss.get("/people")).text


async def test_teams_are_entered_renamed_and_removed_by_the_api(boss: Visitor) -> None:
    made = await boss.post("/api/v1/teams", json={"name": "North"})
    assert made.status_code == 201
    path, etag = f"/api/v1/teams/{made.json()['id']}", made.headers["etag"]
    assert (await boss.patch(path, json={"name": "South"})).status_code == 428
    renamed = await boss.patch(path, json={"name": "South"}, headers={"If-Match": etag})
    assert renamed.json()["name"] == "South"
    assert (await boss.delete(path, headers={"If-Match": etag})).status_code == 412
    listed = {team["name"]: team["people"] for team in (await boss.get("/api/v1/teams")).json()}
    assert listed == {"Sales": 3, "South": 0, "Support": 1}
    assert (await boss.delete(path, headers={"If-Match": renamed.headers["etag"]})).status_code == 204
    assert (await boss.get(path)).status_code == 404


async def test_a_supervisor_sees_the_calls_of_another_team_from_the_next_look_on(
    boss: Visitor, desk: RunningDesk
) -> None:
    async with Visitor(desk.app) as visitor:
        sophea = await visitor.has_session(desk, desk.people.sophea)
        assert "Sok Rithy" in (await sophea.get("/calls")).text
        assert (await patched(boss, "sophea", team="Support")).status_code == 200
        assert "Sok Rithy" not in (await sophea.get("/calls")).text
