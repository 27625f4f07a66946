"""What a dialplan may ask, and who may ask it."""

from __future__ import annotations

import time

import pytest

from desk.dialplan import is_allowed
from lookup.card import Card, CardNumber
from lookup.links import addresses, make
from tests.fixtures.desk import HOSTILE, KHMER, ORIGIN, RITHY, SECRET, SHARED, TOKEN, RunningDesk, Visitor

ASK = {"X-Ringcard-Token": TOKEN}


async def ask(desk: RunningDesk, path: str, address: str = "127.0.0.1", **params: str) -> tuple[int, str]:
    async with Visitor(desk.app, address) as pbx:
        answer = await pbx.get(path, params=params, headers=ASK)
        return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (RITHY, "Sok Rithy"),
        ("012345678", "Sok Rithy"),
        (KHMER, "សុខ ចាន់ដារា"),
        (SHARED, "Chea Vanna / Chea Bopha"),
        ("+33142685300", ""),
        ("anonymous", ""),
        ("", ""),
    ],
)
async def test_the_name_is_plain_text_and_empty_when_unknown(desk: RunningDesk, number: str, name: str) -> None:
    assert await ask(desk, "/dialplan/caller-name", number=number) == (200, name)


async def test_a_withheld_number_is_not_named(desk: RunningDesk) -> None:
    assert await ask(desk, "/dialplan/caller-name", number=RITHY, presentation="prohib") == (200, "")


async def test_a_name_is_one_clean_line(desk: RunningDesk) -> None:
    status, name = await ask(desk, "/dialplan/caller-name", number=HOSTILE)
    assert status == 200
    assert name.isprintable()
    assert len(name) <= 60


async def test_the_manager_is_named_by_their_phones_of_this_pbx(desk: RunningDesk) -> None:
    assert await ask(desk, "/dialplan/manager", number=RITHY) == (200, "101")
    assert await ask(desk, "/dialplan/manager", number=RITHY, node="branch") == (200, "")
    assert await ask(desk, "/dialplan/manager", number=SHARED) == (200, "")


async def test_the_token_may_be_in_the_address_as_well(desk: RunningDesk, stranger: Visitor) -> None:
    answer = await stranger.get("/dialplan/caller-name", params={"number": RITHY, "token": TOKEN})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text == "Sok Rithy"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "ключ"])
async def test_without_the_token_nobody_is_answered(stranger: Visitor, token: str) -> None:
    answer = await stranger.get("/dialplan/caller-name", params={"number": RITHY, "token": token})
    assert (answer.status_code, answer.text) == (403, "")


async def test_from_another_address_nobody_is_answered(desk: RunningDesk) -> None:
    assert await ask(desk, "/dialplan/caller-name", "192.0.2.7", number=RITHY) == (403, "")


async def test_a_session_is_no_token(dara: Visitor) -> None:
    assert (await dara.get("/dialplan/caller-name", params={"number": RITHY})).status_code == 403


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::2", False),
        ("testclient", False),
        ("", False),
    ],
)
def test_the_address_list_takes_networks_of_both_kinds(address: str, allowed: bool) -> None:
    assert is_allowed(address, ("127.0.0.0/8", "::1/128")) is allowed


# --- signed addresses for phones


def card_of(desk: RunningDesk) -> Card:
    return Card(desk.people.rithy, 1, "Sok Rithy", photo="x", numbers=(CardNumber(RITHY),))


async def test_a_phone_fetches_card_picture_and_contact_without_a_session(desk: RunningDesk, stranger: Visitor) -> None:
    links = addresses(ORIGIN, SECRET, card_of(desk), "call-1", int(time.time()) + 60)
    card = await stranger.get(links.card)
    assert card.status_code == 200
    assert "Sok Rithy" in card.text
    assert "1,245" not in card.text  # amounts do not travel by an address that anybody on the way can read
    picture = await stranger.get(links.photo)
    assert (picture.headers["content-type"], picture.content[:2]) == ("image/jpeg", b"\xff\xd8")
    contact = await stranger.get(links.vcard)
    assert contact.headers["content-type"] == "text/vcard; charset=utf-8"
    assert "FN:Sok Rithy\r\n" in contact.text
    assert card.headers["cache-control"] == "no-store"


async def test_the_picture_on_the_phones_card_can_be_fetched_too(desk: RunningDesk, stranger: Visitor) -> None:
    links = addresses(ORIGIN, SECRET, card_of(desk), "call-1", int(time.time()) + 60)
    html = (await stranger.get(links.card)).text
    address = html.split('<img class="face face-xl" src="')[1].split('"')[0]
    assert (await stranger.get(address)).status_code == 200


async def test_an_address_that_is_old_changed_or_for_something_else_is_refused(
    desk: RunningDesk, stranger: Visitor
) -> None:
    soon, past = int(time.time()) + 60, int(time.time()) - 1
    good = make(SECRET, "card", desk.people.rithy, "call-1", soon)
    refused = [
        "/c/" + make(SECRET, "card", desk.people.rithy, "call-1", past),
        "/c/" + make("another secret", "card", desk.people.rithy, "call-1", soon),
        "/c/" + good.replace(f".{desk.people.rithy}.", f".{desk.people.khmer}."),
        "/c/" + make(SECRET, "photo", desk.people.rithy, "call-1", soon),
        "/v/" + good + ".vcf",
        "/p/" + good + ".jpg",
        "/p/" + make(SECRET, "photo", desk.people.khmer, "call-1", soon) + ".jpg",  # has no picture
        "/c/" + make(SECRET, "card", 999_999, "call-1", soon),
        "/c/nonsense",
    ]
    for address in refused:
        answer = await stranger.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8"), address
        assert "no longer valid" in answer.text
