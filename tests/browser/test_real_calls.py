"""Real calls on real screens: SIPp calls Asterisk, Ringcard's processes run as a company runs them, Chromium shows it.

The company is the trial's: Sreymom at phone 101 with her deputy Visal at 102, Kunthea at 104. Telephones ring until the
test picks them up, so nothing here depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import Any, Protocol

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, StorageState, expect

from desk.formats import lasting
from lookup import links
from records.photos import SIZES
from records.trial import fill_trial
from records.trial_company import SHARED_NUMBER, STAR_NAME, STAR_NUMBER, UNKNOWN_NUMBER
from ringcard import compose
from ringcard.lab import Lab
from ringcard.phones import Outcome, Withheld, call
from ringcard.redis_server import OwnServer
from tests.company import GROUP, MANAGED, Company, now
from tests.fixtures.browser import NOTES, Line, Person
from tests.fixtures.company import no_call_is_live
from tests.fixtures.desk import PASSWORD
from tests.fixtures.lab import Phones
from tests.ports import free_ports

ROLES = ("ari", "worker", "desk")
PATIENCE_MS = 20_000
CARD = "[data-call]"
LOST = "body[data-stream=lost]"
TOKEN = re.compile(r"/[cpv]/([^/]+?)(?:\.jpg|\.vcf)?$")

SETTINGS = """
[lookup]
budget_ms = 5000
[routing]
ring_s = 30
group_ring_s = 30
"""
GUARD_S = "10"
"""What is claimed here is what stands on the screen: a slow machine may take its time to find out who calls."""

NO_CARD_TWICE = """
    new MutationObserver(() => {
        const ids = [...document.querySelectorAll("[data-call]")].map((card) => card.dataset.call);
        if (new Set(ids).size < ids.length) console.error(`a card is there twice: ${ids}`);
    }).observe(document, { childList: true, subtree: true });
"""


# --- the company, its people, its callers


@pytest.fixture(scope="module")
def standing_lab() -> Iterator[Lab]:
    """A PBX of this file's own: on the common one no Ringcard is at work."""
    with Lab(ring_s=30) as lab:
        lab.set_global("RINGCARD_GUARD", GUARD_S)
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing_trade(standing_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    folder = tmp_path_factory.mktemp("trade")
    with OwnServer(folder / "data") as redis:
        company = Company(standing_lab, folder, free_ports(2)[0], redis_url=redis.url, more=SETTINGS)
        try:
            settings = company.settings
            fill_trial(company.database, settings.data_dir, compose.reader(settings), password=PASSWORD)
            company.start(*ROLES)
            await company.listening()
            await company.desk_ready()
            yield company
            assert company.stop() == dict.fromkeys(ROLES, 0)
        finally:
            company.close()
        assert company.mistakes() == []


@pytest_asyncio.fixture
async def trade(standing_trade: Company, lab: Lab) -> AsyncIterator[Company]:
    """The trial's company at work; after the test no call is live."""
    yield standing_trade
    await no_call_is_live(standing_trade)


class AtDesk(Protocol):
    async def __call__(self, login: str, address: str = "") -> Person: ...


@pytest.fixture(scope="module")
def signed_in() -> dict[str, StorageState]:
    """What the browser of each who has signed in keeps of it."""
    return {}


@pytest_asyncio.fixture
async def at_desk(trade: Company, browser: Browser, signed_in: dict[str, StorageState]) -> AsyncIterator[AtDesk]:
    """`await at_desk("visal")`: he sits before a browser of his own, signed in. Nothing may go wrong on its pages."""
    people: list[Person] = []

    async def sit_down(login: str, address: str = "") -> Person:
        context = await browser.new_context(storage_state=signed_in.get(login))
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(NOTES + NO_CARD_TWICE)
        person = Person(context, await context.new_page(), address or trade.settings.public_url)
        person.watch(person.page)
        people.append(person)
        if login in signed_in:
            await person.page.goto(person.address)
            await person.is_live()
        else:
            await person.sign_in(login)
            signed_in[login] = await context.storage_state()
        return person

    yield sit_down
    for person in people:
        await person.context.close()
    assert [what for person in people for what in person.wrong] == []


@pytest_asyncio.fixture
async def line(trade: Company) -> AsyncIterator[Line]:
    """A line to the desk that can be cut; `Line.open` gives the address to come by."""
    carried = Line(trade.settings.desk.port)
    yield carried
    await carried.close()


class Calls(Protocol):
    def __call__(self, number: str, did: str, *, withheld: Withheld = "") -> asyncio.Task[Outcome]: ...


@pytest_asyncio.fixture
async def customer_calls(lab: Lab) -> AsyncIterator[Calls]:
    """Somebody calls, waits for long, and talks until the other side hangs up."""
    calling: list[asyncio.Task[Outcome]] = []

    def begin(number: str, did: str, *, withheld: Withheld = "") -> asyncio.Task[Outcome]:
        calling.append(asyncio.create_task(call(lab, number, did, withheld=withheld, give_up_s=60, talk_s=None)))
        return calling[-1]

    yield begin
    for task in calling:
        task.cancel()
    await asyncio.gather(*calling, return_exceptions=True)


# --- what is seen


async def shows(place: Locator, *texts: str) -> None:
    for text in texts:
        await expect(place).to_contain_text(text, timeout=PATIENCE_MS)


async def gone(place: Locator) -> None:
    await expect(place).to_have_count(0, timeout=PATIENCE_MS)


async def photo_is_drawn(place: Locator, side: int) -> None:
    await expect(place.locator("img.face")).to_have_js_property("naturalWidth", side, timeout=PATIENCE_MS)


async def load_again(person: Person) -> None:
    await person.page.reload()
    await person.is_live()


async def answered(trade: Company) -> None:
    """The only live call is answered, as far as the desk could know."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while [bool(call.answered_ms) for call in await trade.live()] != [True]:
            await asyncio.sleep(0.02)


async def told(person: Person) -> list[str]:
    """The states of the only live call, as they changed, that the page was given since it was opened."""
    seen = await person.page.evaluate("seen")
    assert len({one["id"] for one in seen}) <= 1
    return [state for state, _ in groupby(one["state"] for one in seen)]


async def live_for(person: Person) -> list[dict[str, Any]]:
    """The live calls that the desk would show this person now."""
    answer = await person.page.evaluate("fetch('/api/v1/live').then((answer) => answer.json())")
    assert answer["live"]
    calls: list[dict[str, Any]] = answer["calls"]
    return calls


# --- calls


async def test_the_managers_screen_shows_who_calls_while_the_phone_rings_and_the_log_what_became_of_it(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    sreymom, kunthea = await at_desk("sreymom"), await at_desk("kunthea")
    phone, began = await phones("101", "told"), now()
    calling = customer_calls(STAR_NUMBER, MANAGED)
    await phone.rang()
    card = sreymom.page.locator(CARD)
    await shows(card, "Ringing", "Sok Dara", "Dara Rice Mill", "+855 12 345 678", "mobile", "Cambodia", "1,250.00 USD")
    await shows(card.locator(".facts"), "Manager", "You", "Last task", "Send the new price list for jasmine rice")
    await shows(card.locator(".facts"), "Other numbers", "+855 23 988 710", "work")
    await shows(card.locator(".facts"), "Contact", "dara@ricemill.example", "18 Street 271, Phnom Penh")
    await expect(card.locator(".orders li")).to_have_count(3)
    await shows(card.locator(".why"), "the assigned manager Chan Sreymom")
    await photo_is_drawn(card, SIZES[0])
    await expect(sreymom.page).to_have_title(f"☎ {STAR_NAME}")
    assert len(await live_for(sreymom)) == 1
    assert await live_for(kunthea) == []

    phone.pick_up()
    await shows(card, "On the phone", "Sok Dara")
    phone.hang_up()
    outcome = await calling
    await shows(card, "Ended")
    assert outcome.talk_s is not None

    await trade.until(lambda: [row for row in trade.logged(began) if row.ended_at], "the call in the log")
    (row,) = trade.logged(began)
    assert row.talk_s == pytest.approx(outcome.talk_s, abs=0.5)
    log = await sreymom.context.new_page()
    sreymom.watch(log)
    await log.goto(f"{sreymom.address}/calls")
    await shows(log.locator(".log .row-link").first, STAR_NAME, "Answered", "Chan Sreymom", lasting(row.talk_s))
    await gone(card)
    assert await told(sreymom) == ["ringing", "talking", "ended"]
    assert await told(kunthea) == []


async def test_of_two_whose_phones_ring_one_answers_and_the_other_reads_who(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    sreymom, visal = await at_desk("sreymom"), await at_desk("visal")
    hers, his = await phones("101", "told"), await phones("102", "told")
    customer_calls(UNKNOWN_NUMBER, GROUP)
    cards = [person.page.locator(CARD) for person in (sreymom, visal)]
    for card in cards:
        await shows(card, "Ringing", "+855 77 999 000", "Nobody in your customer base has this number.")
    await asyncio.gather(hers.rang(), his.rang())
    his.pick_up()
    await shows(cards[0], "Answered by Lim Visal")
    await shows(cards[1], "On the phone")
    await gone(cards[0])
    await expect(sreymom.page.locator("#idle")).to_be_visible()
    await load_again(sreymom)
    await expect(cards[0]).to_have_count(0)
    await expect(cards[1]).to_have_count(1)
    his.hang_up()
    await shows(cards[1], "Ended")


async def test_the_card_moves_on_with_the_call_when_the_manager_is_busy(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    sreymom, visal = await at_desk("sreymom"), await at_desk("visal")
    manager, deputy = await phones("101", "told"), await phones("102", "told")
    customer_calls(STAR_NUMBER, MANAGED)
    left, card = sreymom.page.locator(CARD), visal.page.locator(CARD)
    await manager.rang()
    await shows(left, "Ringing", STAR_NAME)
    assert await live_for(visal) == []
    manager.refuse()
    await shows(left, "No longer ringing here")
    await shows(card, "Ringing", STAR_NAME, "Lim Visal, the deputy of Chan Sreymom")
    await deputy.rang()
    deputy.pick_up()
    await shows(card, "On the phone")
    await gone(left)
    deputy.hang_up()
    await shows(card, "Ended")


async def test_who_withholds_the_number_is_not_named(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    """The provider says who it is, and that the caller does not want it told."""
    sreymom = await at_desk("sreymom")
    phone = await phones("101", "told")
    customer_calls(STAR_NUMBER, GROUP, withheld="privacy")
    card = sreymom.page.locator(CARD)
    await shows(card, "Ringing", "Number withheld", "The caller asked not to show the number, so it is not looked up.")
    everything = await card.inner_html() + str(await live_for(sreymom))
    assert not re.search(r"Sok|Dara|12 ?345 ?678", everything)
    await phone.rang()
    phone.pick_up()
    await shows(card, "On the phone", "Number withheld")
    phone.hang_up()
    await shows(card, "Ended")


async def test_of_a_shared_number_every_candidate_is_listed(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    visal = await at_desk("visal")
    phone = await phones("102", "told")
    customer_calls(SHARED_NUMBER, MANAGED)
    card = visal.page.locator(CARD)
    await shows(card, "Ringing", "2 customers share this number")
    await expect(card.locator(".candidates li")).to_have_count(2)
    await shows(card.locator(".candidates"), "Heng Sopheap", "Heng Ratha")
    await phone.rang()
    phone.pick_up()
    await shows(card, "On the phone")
    phone.hang_up()
    await shows(card, "Ended")


# --- pages that are loaded again, lines that break, a desk that dies


async def test_a_page_that_is_loaded_again_keeps_the_card_once(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    sreymom = await at_desk("sreymom")
    phone = await phones("101", "told")
    customer_calls(STAR_NUMBER, MANAGED)
    card = sreymom.page.locator(CARD)
    await phone.rang()
    await shows(card, "Ringing")
    await load_again(sreymom)
    await shows(card, "Ringing", STAR_NAME)
    await photo_is_drawn(card, SIZES[0])
    phone.pick_up()
    await shows(card, "On the phone")
    await load_again(sreymom)
    await shows(card, "On the phone", STAR_NAME)
    phone.hang_up()
    await shows(card, "Ended")
    await load_again(sreymom)
    await expect(card).to_have_count(0)


async def test_a_line_that_is_cut_while_another_answers_ends_without_the_card(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls, line: Line
) -> None:
    sreymom = await at_desk("sreymom", await line.open())
    hers, his = await phones("101", "told"), await phones("102", "told")
    customer_calls(STAR_NUMBER, GROUP)
    card = sreymom.page.locator(CARD)
    await shows(card, "Ringing", STAR_NAME)
    await asyncio.gather(hers.rang(), his.rang())
    sreymom.offline = True
    await sreymom.context.set_offline(True)
    line.cut()  # the browser's own switch lets a shared worker talk on
    await sreymom.page.wait_for_selector(LOST)
    his.pick_up()
    await answered(trade)
    line.mend()
    await sreymom.context.set_offline(False)
    await shows(card, "Answered by Lim Visal")
    await sreymom.is_live()
    his.hang_up()
    await sreymom.page.wait_for_function("() => seen.at(-1).state === 'ended'")
    await expect(sreymom.page.locator("[data-state=ended]")).to_have_count(0)  # of a call that was never hers
    assert await told(sreymom) == ["ringing", "elsewhere", "ended"]


async def test_a_desk_that_is_killed_while_the_phone_is_answered_comes_back_with_the_card_as_it_is_then(
    trade: Company, at_desk: AtDesk, phones: Phones, customer_calls: Calls
) -> None:
    sreymom = await at_desk("sreymom")
    phone = await phones("101", "told")
    customer_calls(STAR_NUMBER, MANAGED)
    card = sreymom.page.locator(CARD)
    await shows(card, "Ringing", STAR_NAME)
    await phone.rang()
    sreymom.offline = True
    trade.kill("desk")
    await sreymom.page.wait_for_selector(LOST)
    await shows(card, "Ringing", STAR_NAME)  # what was there is not taken away
    phone.pick_up()
    await answered(trade)
    trade.start("desk")
    await trade.desk_ready()
    await shows(card, "On the phone", STAR_NAME)
    await sreymom.is_live()
    phone.hang_up()
    await shows(card, "Ended")
    assert await told(sreymom) == ["ringing", "talking", "ended"]


# --- the telephone's own screen


async def test_the_addresses_in_the_phones_invite_work_without_a_session_until_they_expire_and_unchanged_only(
    trade: Company, phones: Phones, customer_calls: Calls, browser: Browser
) -> None:
    phone = await phones("101", "told")
    customer_calls(STAR_NUMBER, MANAGED)
    (invite,) = await phone.rang()
    assert set(invite.call_info) == {"info", "icon", "card"}
    page, photo, vcard = (invite.call_info[purpose] for purpose in ("info", "icon", "card"))
    screen = await browser.new_page()
    await screen.goto(page)
    await expect(screen.locator("h1")).to_have_text(STAR_NAME)
    await photo_is_drawn(screen.locator("body"), SIZES[1])
    async with httpx.AsyncClient() as visitor:
        picture = await visitor.get(photo)
        assert picture.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(picture.content)).format == "JPEG"
        contact = (await visitor.get(vcard)).text
        assert contact.startswith("BEGIN:VCARD\r\n")
        assert f"FN:{STAR_NAME}" in contact
        for address in (page, photo, vcard):
            assert (await visitor.get(valid_for(trade, address, 60))).status_code == 200
            for wrong in (valid_for(trade, address, -1), *changed(address)):
                refused = await visitor.get(wrong)
                assert refused.status_code == 404
                assert STAR_NAME not in refused.text
    phone.pick_up()
    await answered(trade)
    phone.hang_up()


def valid_for(trade: Company, address: str, seconds: int) -> str:
    """The same address as it would be signed to expire so many seconds from now."""
    secret, token = trade.settings.desk.secret, TOKEN.findall(address)[0]
    link = links.read(secret, token, 0)
    assert link is not None
    again = links.make(secret, link.kind, link.customer_id, link.call_id, int(time.time()) + seconds)
    return address.replace(token, again)


def changed(address: str) -> Iterator[str]:
    """With another customer, another end, another signature, and as another kind of thing."""
    kind, customer, expires, call_id, signature = TOKEN.findall(address)[0].split(".")
    for token in (
        f"{kind}.{int(customer) + 1}.{expires}.{call_id}.{signature}",
        f"{kind}.{customer}.{int(expires) + 3600}.{call_id}.{signature}",
        f"{kind}.{customer}.{expires}.{call_id}.{signature[::-1]}",
        f"{'v' if kind == 'c' else 'c'}.{customer}.{expires}.{call_id}.{signature}",
    ):
        yield address.replace(TOKEN.findall(address)[0], token)
