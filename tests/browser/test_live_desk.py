"""The live desk in real Chromium: who sees which card, when it comes, and when it goes."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from playwright.async_api import expect
from sqlalchemy import text

from desk import events
from lookup.answers import Caller, Found
from lookup.notices import LiveCall
from lookup.redis_notices import RedisNotices
from records.database import writing
from tests.fixtures.browser import Line, Office, Person
from tests.fixtures.desk import HOSTILE, KHMER, RITHY, SHARED, answered, ended, live_call, notice


async def test_the_card_is_there_while_the_phone_rings(office: Office) -> None:
    dara = await office.person("dara")
    await expect(dara.page.locator("#idle")).to_be_visible()
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    for shown in (
        "Ringing",
        "Sok Rithy",
        "Angkor Rice Mills",
        "+855 12 345 678",
        "Cambodia",
        "1,245.50",
        "Send the invoice",
    ):
        await expect(card).to_contain_text(shown)
    await expect(dara.page).to_have_title("☎ Sok Rithy")
    await expect(dara.page.locator("#announcer")).to_have_text("Incoming call: Sok Rithy")
    await expect(dara.page.locator("#idle")).to_be_hidden()
    photo = card.locator("img.face")
    await expect(photo).to_have_js_property("naturalWidth", 256)


async def test_the_card_stays_while_one_talks_and_goes_after_the_end(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    taken = answered(call, "101")
    await office.desk.publish(call, taken)
    card = dara.page.locator(dara.card(call.call_id))
    await expect(card).to_contain_text("On the phone")
    await expect(card.locator(".ticking")).to_have_text(re.compile(r"0:0[1-9]"))  # the clock runs
    await office.desk.publish(ended(taken))
    await expect(card).to_contain_text("Ended")
    await expect(card).to_have_count(0, timeout=20_000)
    await expect(dara.page.locator("#idle")).to_be_visible()


async def test_who_put_the_phone_down_before_the_caller_is_told_of_the_end_as_well(office: Office) -> None:
    dara = await office.person("dara")
    taken = answered(live_call(RITHY, "101", customers=(office.people.rithy,)), "101")
    put_down = replace(ended(taken), ended_ms=0, outcome="")
    card = dara.page.locator(dara.card(taken.call_id))
    await office.desk.publish(taken)
    await expect(card).to_contain_text("On the phone")
    await office.desk.publish(put_down)
    await expect(card).to_contain_text("Answered by Dara Chan")
    await office.desk.publish(ended(put_down))
    await expect(card).to_contain_text("Ended")


async def test_two_agents_see_the_calls_of_their_own_phone_only(office: Office) -> None:
    dara, mony = await office.person("dara"), await office.person("mony")
    to_dara = live_call(RITHY, "101", customers=(office.people.rithy,))
    to_mony = live_call(KHMER, "102", customers=(office.people.khmer,))
    await office.desk.publish(to_dara, to_mony)
    await expect(dara.page.locator(dara.card(to_dara.call_id))).to_be_visible()
    await expect(mony.page.locator(mony.card(to_mony.call_id))).to_contain_text("សុខ ចាន់ដារា")
    assert [seen["id"] for seen in await dara.page.evaluate("seen")] == [to_dara.call_id]
    assert [seen["id"] for seen in await mony.page.evaluate("seen")] == [to_mony.call_id]


async def test_the_card_closes_on_the_other_agent_with_who_answered(office: Office) -> None:
    dara, mony = await office.person("dara"), await office.person("mony")
    call = live_call(RITHY, "101", "102", customers=(office.people.rithy,))
    await office.desk.publish(call)
    for person in (dara, mony):
        await expect(person.page.locator(person.card(call.call_id))).to_contain_text("Ringing")
    await office.desk.publish(answered(call, "102"))
    await expect(mony.page.locator(mony.card(call.call_id))).to_contain_text("On the phone")
    left = dara.page.locator(dara.card(call.call_id))
    await expect(left).to_contain_text("Answered by Mony Keo")
    await expect(left).to_have_count(0, timeout=15_000)
    await expect(mony.page.locator(mony.card(call.call_id))).to_be_visible()


async def test_a_reload_keeps_the_card_and_brings_none_back_that_another_took(office: Office) -> None:
    dara = await office.person("dara")
    mine = live_call(RITHY, "101", customers=(office.people.rithy,))
    taken = live_call(SHARED, "101", "102", customers=office.people.shared)
    await office.desk.publish(mine, taken, answered(taken, "102"))
    await expect(dara.page.locator(dara.card(mine.call_id))).to_be_visible()
    await dara.page.reload()
    await dara.is_live()
    await expect(dara.page.locator(dara.card(mine.call_id))).to_have_count(1)
    await expect(dara.page.locator(dara.card(taken.call_id))).to_have_count(0)


async def test_the_card_comes_on_every_page_and_leads_to_the_customer(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.click("nav >> text=Calls")
    await dara.is_live()
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await dara.page.locator(dara.card(call.call_id)).get_by_text("Open the card").click()
    await expect(dara.page.locator("h1")).to_have_text("Sok Rithy")
    await expect(dara.page.locator(dara.card(call.call_id))).to_be_visible()  # and stays in its corner


async def test_a_card_that_was_put_away_stays_away(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await dara.page.locator(dara.card(call.call_id)).get_by_label("Put this card away").click()
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)
    await office.desk.publish(answered(call, "101"))
    await dara.page.reload()
    await dara.is_live()
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)


async def test_a_hostile_name_is_text(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(HOSTILE, "101", customers=(office.people.hostile,), called_number="<i>x</i>")
    strange = live_call("+33142685300", "101", caller_name="<img src=x onerror=\"document.title='owned'\">")
    await office.desk.publish(call, strange)
    await expect(dara.page.locator(dara.card(call.call_id))).to_contain_text('<script>document.title="owned"</script>')
    await expect(dara.page.locator(dara.card(strange.call_id))).to_contain_text("<img src=x")
    await dara.page.goto(f"{office.address}/customers/{office.people.hostile}")
    await dara.is_live()
    assert "owned" not in (await dara.page.title()).removeprefix("☎ ").split("<script>")[0]
    assert await dara.page.locator("img[src=x]").count() == 0


async def test_of_those_who_share_a_number_one_is_chosen_for_this_and_every_call_after(office: Office) -> None:
    dara = await office.person("dara")
    vanna, bopha = office.people.shared
    call = live_call(SHARED, "101", customers=(vanna, bopha))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await expect(card).to_contain_text("2 customers share this number")
    await card.get_by_role("button", name="It is this one Chea Bopha").click()
    await expect(card.locator("h2")).to_have_text("Chea Bopha")
    await expect(card).to_contain_text("Dara Chan chose this one on")
    answer = await office.desk.parts.finder.find(Caller(SHARED), 10)
    assert isinstance(answer, Found)
    assert (answer.chosen and answer.chosen.customer_id) == bopha

    await card.get_by_role("button", name="Not this one").click()
    await expect(card).to_contain_text("2 customers share this number")
    await card.get_by_role("button", name="It is this one Chea Vanna").click()
    await expect(card.locator("h2")).to_have_text("Chea Vanna")
    await card.get_by_text("Open the card").click()
    await dara.is_live()
    await expect(dara.page.locator(".person")).to_contain_text("Chosen for a shared number")
    await dara.page.get_by_role("button", name="No longer").click()
    await expect(dara.page.locator(".person")).not_to_contain_text("Chosen for a shared number")


async def test_a_choice_that_cannot_be_kept_is_said_on_the_card(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(SHARED, "101", customers=office.people.shared)
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    button = card.get_by_role("button", name="It is this one Chea Bopha")
    await expect(button).to_be_visible()
    with writing(office.desk.database()) as session:
        session.execute(text("DELETE FROM phone_numbers WHERE customer_id = :it"), {"it": office.people.shared[1]})
    await button.click()
    await expect(card.get_by_role("alert")).to_contain_text("is no number of Chea Bopha")
    await expect(card).to_contain_text("2 customers share this number")
    async with asyncio.timeout(30):
        while not dara.wrong:  # Chromium counts a refused request among the errors of its console
            await asyncio.sleep(0.01)
    assert "422" in dara.wrong.pop()


async def test_a_supervisor_sees_who_talks_with_whom(office: Office) -> None:
    sophea = await office.person("sophea")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    taken = answered(call, "101")
    await office.desk.publish(call, taken)
    row = sophea.page.locator(f'[data-team="{call.call_id}"]')
    await expect(row).to_contain_text("Dara Chan")
    await expect(row).to_contain_text("Sok Rithy")
    await expect(sophea.page.locator("[data-call]")).to_have_count(0)
    await office.desk.publish(ended(taken))
    await expect(row).to_have_count(0)


async def test_all_tabs_of_a_browser_share_one_connection_and_all_show_the_card(office: Office) -> None:
    dara = await office.person("dara")
    tabs = [dara.page]
    for _ in range(7):
        tab = await dara.context.new_page()
        dara.watch(tab)
        await tab.goto(office.address)
        await dara.is_live(tab)
        tabs.append(tab)
    assert office.desk.app.state.services.hub.browsers == 1
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    for tab in tabs:
        await expect(tab.locator(dara.card(call.call_id))).to_be_visible()


async def test_without_shared_workers_the_page_follows_by_itself(office: Office) -> None:
    dara = await office.person("dara")
    await dara.context.add_init_script("delete window.SharedWorker")
    await dara.page.reload()
    await dara.is_live()
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await expect(dara.page.locator(dara.card(call.call_id))).to_be_visible()


async def followed(person: Person, until: str) -> list[tuple[str, int]]:
    """What the page took, in order, once it took the call `until`."""
    await person.page.wait_for_function("until => seen.some(one => one.id === until)", arg=until, timeout=30_000)
    return [(one["id"], one["version"]) for one in await person.page.evaluate("seen")]


async def published_elsewhere(redis_url: str, states: list[LiveCall]) -> None:
    """Notices are published by another process, whether or not a desk is there to follow them."""
    publisher = RedisNotices(redis_url)
    for state in states:
        publisher.publish(notice(state))
        async with asyncio.timeout(30):
            while state not in (await publisher.snapshot())[1]:
                await asyncio.sleep(0.001)
    await publisher.close()


@pytest.mark.parametrize("shared", [True, False], ids=["shared worker", "alone"])
async def test_a_server_that_starts_again_loses_and_doubles_nothing(office: Office, shared: bool) -> None:
    """200 notices, a third of them while the desk is not there for this browser."""
    dara = await office.person("dara")
    if not shared:
        await dara.context.add_init_script("delete window.SharedWorker")
        await dara.page.reload()
        await dara.is_live()
    calls = [live_call(RITHY, "101", customers=(office.people.rithy,)) for _ in range(100)]
    states = [(call, ended(call)) for call in calls]
    for ring, end in states[:40]:
        await office.desk.publish(ring, end)
    await followed(dara, calls[39].call_id)
    dara.offline = True
    await office.stop()
    await dara.page.wait_for_selector("body[data-stream=lost]")
    await published_elsewhere(office.redis_url, [state for pair in states[40:75] for state in pair])
    await office.start()
    for ring, end in states[75:]:
        await office.desk.publish(ring, end)
    last = live_call(RITHY, "101")
    await office.desk.publish(last)
    seen = await followed(dara, last.call_id)
    assert seen == [(call.call_id, version) for call in calls for version in (1, 2)] + [(last.call_id, 1)]
    await expect(dara.page.locator("[data-state=ringing]")).to_have_count(1)


@pytest.mark.parametrize("how", ["cut", "silence"])
async def test_a_broken_line_loses_and_doubles_nothing(
    office: Office, line: Line, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.5)  # so that a silent line is soon noticed
    dara = await office.person("dara", await line.open())
    calls = [live_call(RITHY, "101", customers=(office.people.rithy,)) for _ in range(60)]
    await office.desk.publish(*calls[:20])
    await followed(dara, calls[19].call_id)
    dara.offline = True
    getattr(line, how)()
    await office.desk.publish(*calls[20:40])
    await dara.page.wait_for_selector("body[data-stream=lost]")
    line.mend()
    await office.desk.publish(*calls[40:])
    assert await followed(dara, calls[-1].call_id) == [(call.call_id, 1) for call in calls]
    await dara.is_live()


async def test_signing_out_in_one_tab_signs_out_all(office: Office) -> None:
    dara = await office.person("dara")
    other = await dara.context.new_page()
    await other.goto(f"{office.address}/calls")
    await dara.is_live(other)
    await dara.page.click(".me summary")
    await dara.page.click("text=Sign out")
    await expect(dara.page.locator("#login")).to_be_visible()
    await expect(other.locator("#login")).to_be_visible()
