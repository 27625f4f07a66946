"""Reminders, and what is typed during a call, in real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect
from sqlalchemy import select

from records import tasks
from records.database import reading, writing
from records.tables import Note, Task
from ringcard.reminding import Reminding
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import HOSTILE_NAME, KHMER, RITHY, answered, ended, live_call


async def fall_due(office: Office, title: str = "Call back", minutes_ago: int = 1) -> int:
    """A task of Dara's falls due now, and the worker sees it."""
    due_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    with writing(office.desk.database()) as session:
        task, _ = tasks.add_task(
            session, title, user_id=office.people.dara, customer_id=office.people.rithy, due_at=due_at
        )
    assert await Reminding(office.desk.database(), office.desk.notices).look()
    return task.id


async def another_tab(person: Person, path: str = "/") -> Page:
    tab = await person.context.new_page()
    person.watch(tab)
    await tab.goto(f"{person.address}{path}")
    await person.is_live(tab)
    return tab


def kept(office: Office, task_id: int) -> Task:
    with reading(office.desk.database()) as session:
        return tasks.task_by_id(session, task_id)


def notes(office: Office) -> list[Note]:
    with reading(office.desk.database()) as session:
        return list(session.scalars(select(Note).order_by(Note.id)))


async def test_a_task_that_falls_due_pops_up_once_in_each_of_two_tabs_and_is_snoozed_in_both(office: Office) -> None:
    dara = await office.person("dara")
    tab = await another_tab(dara, "/customers")
    task_id = await fall_due(office)
    assert not await Reminding(office.desk.database(), office.desk.notices).look()  # another worker has nothing to tell
    for page in (dara.page, tab):
        await expect(page.locator("#reminders [data-task]")).to_have_count(1)
        await expect(page.locator(f'[data-task="{task_id}"]')).to_contain_text("Call back")
    await tab.get_by_role("button", name="In 10 minutes").click()
    for page in (dara.page, tab):
        await expect(page.locator("#reminders [data-task]")).to_have_count(0)
    until = kept(office, task_id).snoozed_to
    assert until
    assert timedelta(minutes=9) < until - datetime.now(UTC) <= timedelta(minutes=10)
    with writing(office.desk.database()) as session:  # ten minutes later
        tasks.snooze_task(session, task_id, datetime.now(UTC) - timedelta(seconds=1))
    assert await Reminding(office.desk.database(), office.desk.notices).look()
    for page in (dara.page, tab):
        await expect(page.locator("#reminders [data-task]")).to_have_count(1)


async def test_a_reminder_stays_over_pages_and_leads_to_the_customer_and_is_done(office: Office) -> None:
    dara = await office.person("dara")
    task_id = await fall_due(office)
    await dara.page.locator("#reminders").get_by_text("Sok Rithy").click()
    await expect(dara.page.locator("h1")).to_have_text("Sok Rithy")
    reminder = dara.page.locator("#reminders [data-task]")
    await expect(reminder).to_have_count(1)
    await reminder.get_by_role("button", name="Done").click()
    await expect(reminder).to_have_count(0)
    assert kept(office, task_id).state == "done"


async def test_what_was_put_away_does_not_come_back(office: Office) -> None:
    dara = await office.person("dara")
    task_id = await fall_due(office)
    await dara.page.get_by_label("Put this reminder away").click()
    await expect(dara.page.locator("#reminders [data-task]")).to_have_count(0)
    await dara.page.goto(f"{office.address}/tasks")
    await dara.is_live()
    await expect(dara.page.locator(".task-group-overdue")).to_contain_text("Call back")
    await expect(dara.page.locator("#reminders [data-task]")).to_have_count(0)
    assert kept(office, task_id).state == "open"


async def test_what_came_up_before_the_sign_in_is_there_after_it_three_and_a_link_to_the_rest(office: Office) -> None:
    for number in range(5):
        await fall_due(office, f"Task {number}", minutes_ago=10 - number)
    dara = await office.person("dara")
    await expect(dara.page.locator("#reminders [data-task]:visible")).to_have_count(3)
    await expect(dara.page.locator("#reminders")).to_contain_text("Task 0")
    await dara.page.get_by_role("link", name="2 more").click()
    await expect(dara.page.locator(".task-group-overdue .task")).to_have_count(5)


async def test_a_note_typed_during_a_call_survives_events_a_reload_and_the_end_and_is_kept(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    taken = answered(call, "101")
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    note = card.get_by_label("Note of this call").and_(card.locator("textarea"))
    await note.press_sequentially("Wants 5 tons")
    await office.desk.publish(taken)
    await expect(card).to_contain_text("On the phone")
    await expect(note).to_be_focused()
    await note.press_sequentially(" of jasmine")
    with writing(office.desk.database()) as session:
        tasks.add_task(session, "Another task", customer_id=office.people.rithy, user_id=office.people.dara)
    office.desk.app.state.services.cards.changed([office.people.rithy])
    await expect(card).to_contain_text("On the phone")
    await note.press_sequentially(" rice")
    await expect(note).to_have_value("Wants 5 tons of jasmine rice")

    await dara.page.reload()
    await dara.is_live()
    await expect(note).to_have_value("Wants 5 tons of jasmine rice")
    await office.desk.publish(ended(taken))
    await expect(card).to_contain_text("Ended")
    # A card on which nothing was typed goes after its end, and this one, whose end was before, waits.
    other = live_call(KHMER, "101", customers=(office.people.khmer,))
    await office.desk.publish(other, ended(answered(other, "101")))
    await expect(dara.page.locator(dara.card(other.call_id))).to_contain_text("Ended")
    await expect(dara.page.locator(dara.card(other.call_id))).to_have_count(0, timeout=20_000)
    await expect(note).to_have_value("Wants 5 tons of jasmine rice")
    await card.get_by_role("button", name="Save").click()
    await expect(card).to_have_count(0)
    [written] = notes(office)
    assert (written.text, written.call_id) == ("Wants 5 tons of jasmine rice", call.call_id)
    assert (written.customer_id, written.user_id) == (office.people.rithy, office.people.dara)
    await dara.page.goto(f"{office.address}/customers/{office.people.rithy}")
    await expect(dara.page.locator("#notes")).to_contain_text("Wants 5 tons of jasmine rice")
    await expect(dara.page.locator("[data-unsent]")).to_have_count(0)


async def test_what_has_no_card_any_more_is_offered_on_every_page_until_it_is_sent(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(KHMER, "101", customers=(office.people.khmer,))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await card.locator("textarea").fill(HOSTILE_NAME)
    await card.get_by_role("button", name="Task").click()
    await card.get_by_placeholder("What is to be done?").fill("Send a sample")
    await card.get_by_label("Task: day").fill("2040-03-10")
    await office.desk.publish(ended(answered(call, "101")))
    await dara.page.goto(f"{office.address}/customers")
    unsent = dara.page.locator("[data-unsent]")
    await expect(unsent).to_contain_text("your note of the call with សុខ ចាន់ដារា")
    await expect(unsent).to_contain_text("<script>document.title")
    await unsent.get_by_role("button", name="Save").click()
    await expect(unsent).to_have_count(0)
    [written] = notes(office)
    assert (written.text, written.customer_id) == (HOSTILE_NAME, office.people.khmer)
    with reading(office.desk.database()) as session:
        task = session.scalars(select(Task).where(Task.title == "Send a sample")).one()
    assert (task.call_id, task.customer_id, task.user_id) == (call.call_id, office.people.khmer, office.people.dara)
    assert task.due_at == datetime(2040, 3, 10, 2, tzinfo=UTC)
    assert await dara.page.evaluate("localStorage.length") == 0


async def test_what_is_typed_in_one_tab_is_in_the_other_and_is_sent_once(office: Office) -> None:
    dara = await office.person("dara")
    tab = await another_tab(dara)
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    here, there = (page.locator(dara.card(call.call_id)) for page in (dara.page, tab))
    await here.locator("textarea").fill("Call after noon")
    await expect(there.locator("textarea")).to_have_value("Call after noon")
    await there.get_by_role("button", name="Save").click()
    await expect(here.locator("textarea")).to_have_value("")
    await expect(here.get_by_role("button", name="Save")).to_be_disabled()
    assert [note.text for note in notes(office)] == ["Call after noon"]


async def test_a_note_that_cannot_be_sent_stays_and_is_sent_later(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await card.locator("textarea").fill("Pays on Friday")
    dara.offline = True
    await dara.page.route("**/notes", lambda route: route.abort())
    await card.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("it stays here")
    await dara.page.unroute("**/notes")
    await card.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("Saved.")
    assert [note.text for note in notes(office)] == ["Pays on Friday"]


async def test_a_task_for_a_customer_is_made_on_the_page_of_tasks(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.click("nav >> text=Tasks")
    await dara.page.get_by_text("New task").click()
    await dara.page.get_by_label("What is to be done?").fill("Ask for the meter")
    await dara.page.get_by_label("Customer", exact=True).press_sequentially("Rith")
    await dara.page.get_by_role("option", name="Sok Rithy").click()
    await dara.page.get_by_role("button", name="Add", exact=True).click()
    row = dara.page.locator(".task", has_text="Ask for the meter")
    await expect(row).to_contain_text("Sok Rithy")
    await row.get_by_role("button", name="Done").click()
    await expect(row).to_have_count(0)
