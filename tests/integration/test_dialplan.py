"""dialplan/ringcard.conf on a real Asterisk: with an application that works, that freezes, and with none at all.

The application here (tests/fixtures/ari.py) is a few lines of ARI, so that what is tested is the dialplan: it sets what
a test wants it to set.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agi.conversation import Request
from agi.server import AgiServer, Channel
from ari_app.events import arrived
from config.settings import Agi
from lookup.channel_values import packed
from ringcard.lab import Lab
from ringcard.phones import Phone, call
from tests.fixtures.ari import App, app, freezes, sets
from tests.fixtures.lab import Phones

DIRECT = "+85523900002"  # rings phone 102 where the company has its say
GUARD_S = 0.5

SetGlobal = Callable[[str, str], None]


@pytest.fixture
def set_global(lab: Lab) -> Iterator[SetGlobal]:
    before = {"RINGCARD_BEFORE": "company-inbound", "RINGCARD_OUTSIDE": "company-outside"}
    changed: list[str] = []

    def change(name: str, value: str) -> None:
        changed.append(name)
        lab.set_global(name, value)

    yield change
    for name in changed:
        lab.set_global(name, before.get(name, ""))


def rang(*phones: Phone) -> list[int]:
    return [len(phone.invites) for phone in phones]


# --- the application is not there


async def test_without_an_application_the_companys_phone_rings_with_the_name_as_it_came(
    lab: Lab, phones: Phones
) -> None:
    phone = await phones("102")
    outcome = await call(lab, did=DIRECT, name="As Received")
    assert (outcome.status, phone.invites[0].name) == (200, "As Received")


async def test_without_the_stasis_module_the_companys_phone_rings(lab: Lab, phones: Phones) -> None:
    phone = await phones("102")
    lab.cli("module unload app_stasis.so")
    try:
        assert (await call(lab, did=DIRECT)).status == 200
    finally:
        lab.cli("module load app_stasis.so")
    assert rang(phone) == [1]


async def test_a_frozen_application_costs_the_guard_and_no_more(lab: Lab, phones: Phones) -> None:
    phone = await phones("102")
    async with app(lab, freezes) as it:
        outcome = await call(lab, did=DIRECT, talk_s=GUARD_S * 2)
        assert len(it.calls) == 1
    assert outcome.ring_s is not None
    assert GUARD_S <= outcome.ring_s < GUARD_S + 1
    assert (outcome.status, outcome.hung_up_by) == (200, "caller"), "the guard must not cut a call that talks"
    assert rang(phone) == [1]


async def test_the_company_sets_the_guard(lab: Lab, phones: Phones, set_global: SetGlobal) -> None:
    await phones("102")
    set_global("RINGCARD_GUARD", "1.2")
    async with app(lab, freezes):
        outcome = await call(lab, did=DIRECT)
    assert outcome.ring_s is not None
    assert 1.2 <= outcome.ring_s < 2.2


async def test_a_route_set_by_an_application_that_then_froze_is_not_taken(lab: Lab, phones: Phones) -> None:
    manager, company = await phones("101"), await phones("102")

    async def sets_and_freezes(it: App) -> None:
        await it.set({"RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5"})

    async with app(lab, sets_and_freezes):
        assert (await call(lab, did=DIRECT)).status == 200
    assert rang(manager, company) == [0, 1]


async def test_a_caller_who_gives_up_while_the_application_thinks_leaves_nothing(lab: Lab, phones: Phones) -> None:
    phone = await phones("102")
    async with app(lab, freezes):
        assert (await call(lab, did=DIRECT, give_up_s=0.2)).status == 487
    assert rang(phone) == [0]


# --- the application works: what it was told


async def test_the_application_is_told_the_number_the_trunk_and_whether_the_caller_hides(
    lab: Lab, phones: Phones
) -> None:
    await phones("102")
    async with app(lab, sets({})) as it:
        await call(lab, did=DIRECT)
        await call(lab, did=DIRECT, withheld="privacy")
    shown, hidden = (arrived(channel, 0) for channel in it.calls)
    assert (shown.did, shown.trunk, shown.linkedid) == (DIRECT, "lab", it.calls[0]["id"])
    assert shown.presentation.startswith("allowed")
    assert hidden.presentation.startswith("prohib")


# --- the application works: who rings


async def test_an_answer_in_one_variable_rings_step_by_step_and_can_be_read_in_its_parts(
    lab: Lab, phones: Phones
) -> None:
    manager, deputy = await phones("101", "ignore"), await phones("103")
    url = "http://127.0.0.1:8080/c/x"
    said = {
        "RINGCARD_CALL_ID": "c-1",
        "RINGCARD_CUSTOMER_ID": "42",
        "RINGCARD_REASON": 'Rings, "then" so',
        "__RINGCARD_CARD_URL": url,
    }
    steps = {
        "RINGCARD_ROUTE_1": "in/101&in/106",
        "RINGCARD_RING_1": "1",
        "RINGCARD_ROUTE_2": "in/103",
        "RINGCARD_RING_2": "5",
    }
    values = packed({**said, **steps, "CALLERID(name)": "Sok | Dara"})
    assert len(values) == 2
    async with app(lab, sets(values)):
        calling = asyncio.create_task(call(lab, did=DIRECT, talk_s=0.3))
        while not deputy.invites:
            await asyncio.sleep(0.02)
        channel = next(c["name"] for c in lab.ari("GET", "channels")[1] if c["name"].startswith("PJSIP/trunk"))
        told = lab.cli(f"core show channel {channel}")
        outcome = await calling
    assert (outcome.status, rang(manager, deputy)) == (200, [1, 1])
    for name, value in (said | steps).items():
        assert f"{name.removeprefix('__')}={value}\n" in told
    assert deputy.invites[0].name == "Sok | Dara"
    assert deputy.invites[0].call_info == {"info": url}


async def test_a_name_reaches_the_companys_phone(lab: Lab, phones: Phones) -> None:
    phone = await phones("102")
    async with app(lab, sets({"CALLERID(name)": "សុខ ដារ៉ា (VIP)"})):
        await call(lab, did=DIRECT, name="sokdara77")
    assert phone.invites[0].name == phone.invites[0].asserted_name == "សុខ ដារ៉ា (VIP)"


async def test_every_device_of_every_phone_in_a_step_rings(lab: Lab, phones: Phones) -> None:
    desk, softphone, colleague, company = [await phones(n, "ignore") for n in ("101", "101", "103", "102")]
    async with app(lab, sets({"RINGCARD_ROUTE_1": "in/101&in/103", "RINGCARD_RING_1": "10"})):
        assert (await call(lab, did=DIRECT, give_up_s=0.5)).status == 487
    assert rang(desk, softphone, colleague, company) == [1, 1, 1, 0]


@pytest.mark.parametrize("manner", ["busy", "decline", "ignore"])
async def test_the_next_step_rings_when_one_does_not_answer(lab: Lab, phones: Phones, manner: str) -> None:
    manager, deputy, company = await phones("101", manner), await phones("103"), await phones("102")  # type: ignore[arg-type]
    steps = {"RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "1", "RINGCARD_ROUTE_2": "in/103", "RINGCARD_RING_2": "5"}
    async with app(lab, sets(steps)):
        assert (await call(lab, did=DIRECT)).status == 200
    assert rang(manager, deputy, company) == [1, 1, 0]


async def test_after_the_last_step_the_call_goes_the_companys_way(lab: Lab, phones: Phones) -> None:
    manager, deputy, company = await phones("101", "busy"), await phones("103", "decline"), await phones("102")
    steps = {"RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5", "RINGCARD_ROUTE_2": "in/103", "RINGCARD_RING_2": "5"}
    async with app(lab, sets(steps)):
        assert (await call(lab, did=DIRECT)).status == 200
    assert rang(manager, deputy, company) == [1, 1, 1]


async def test_after_the_last_step_the_call_goes_to_the_destination_that_was_told(lab: Lab, phones: Phones) -> None:
    manager, company, night = await phones("101", "busy"), await phones("102"), await phones("106")
    steps = {"RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5"}
    for values in ({**steps, "RINGCARD_AFTER": "company-internal/106"}, {"RINGCARD_AFTER": "company-internal/106"}):
        async with app(lab, sets(packed(values))):
            assert (await call(lab, did=DIRECT)).status == 200
    assert rang(manager, company, night) == [1, 0, 2]


@pytest.mark.parametrize("after", ["company-internal/999", "nowhere", "/", "company-internal/106)&Hangup("])
async def test_a_destination_that_is_not_there_leads_the_companys_way(lab: Lab, phones: Phones, after: str) -> None:
    company, night = await phones("102"), await phones("106")
    async with app(lab, sets(packed({"RINGCARD_AFTER": after}))):
        assert (await call(lab, did=DIRECT)).status == 200
    assert rang(company, night) == [1, 0]
    assert "see [destinations] in ringcard.toml" in lab.log()


@pytest.mark.parametrize(("block", "status"), [("busy", 486), ("decline", 403), ("something else", 200)])
async def test_a_blocked_caller_is_refused_and_nobody_rings(lab: Lab, phones: Phones, block: str, status: int) -> None:
    manager, company = await phones("101"), await phones("102")
    refused = {"RINGCARD_BLOCK": block, "RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5"}
    async with app(lab, sets(packed(refused))):
        assert (await call(lab, did=DIRECT)).status == status
    assert rang(manager, company) == [0, int(status == 200)]


async def test_a_phone_that_is_not_registered_costs_no_time(lab: Lab, phones: Phones) -> None:
    deputy = await phones("103")
    steps = {"RINGCARD_ROUTE_1": "in/106&in/nobody", "RINGCARD_RING_1": "10", "RINGCARD_ROUTE_2": "in/103"}
    async with app(lab, sets(steps)):
        outcome = await call(lab, did=DIRECT)
    assert outcome.ring_s is not None
    assert outcome.ring_s < 1
    assert rang(deputy) == [1]


async def test_an_answered_call_ends_with_it(lab: Lab, phones: Phones) -> None:
    manager, company = await phones("101", talk_s=0.2), await phones("102")
    async with app(lab, sets({"RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5"})):
        outcome = await call(lab, did=DIRECT, talk_s=None)
    assert (outcome.status, outcome.hung_up_by) == (200, "callee")
    assert rang(manager, company) == [1, 0]


async def test_a_phone_outside_gets_the_name_that_came_and_no_card(lab: Lab, phones: Phones) -> None:
    desk, mobile = await phones("101", "ignore"), await phones("outside", ring_s=0.3)
    values = {
        "CALLERID(name)": "Sok Dara",
        "__RINGCARD_CARD_URL": "http://127.0.0.1:8080/c/x",
        "RINGCARD_ROUTE_1": "in/101&out/+85599000111",
        "RINGCARD_RING_1": "5",
    }
    async with app(lab, sets(values)):
        assert (await call(lab, did=DIRECT, name="sokdara77")).status == 200
    inside, outside = desk.invites[0], mobile.invites[0]
    assert (inside.name, inside.call_info) == ("Sok Dara", {"info": "http://127.0.0.1:8080/c/x"})
    assert (outside.name, outside.call_info) == ("sokdara77", {})
    assert outside.request_uri.startswith("sip:+85599000111@")


async def test_the_card_the_photo_and_the_address_entry_reach_the_phone(lab: Lab, phones: Phones) -> None:
    phone = await phones("101")
    base = "https://desk.example:8443"
    urls = {
        "__RINGCARD_CARD_URL": f"{base}/c/aZ0-_.x",
        "__RINGCARD_PHOTO_URL": f"{base}/p/aZ0-_.x.jpg",
        "__RINGCARD_VCARD_URL": f"{base}/v/aZ0-_.x.vcf",
    }
    async with app(lab, sets({**urls, "RINGCARD_ROUTE_1": "in/101"})):
        await call(lab, did=DIRECT)
    card, photo, vcard = urls.values()
    assert phone.invites[0].call_info == {"info": card, "icon": photo, "card": vcard}


async def test_a_company_whose_telephones_show_no_cards_can_do_without_the_headers(
    lab: Lab, phones: Phones, set_global: SetGlobal
) -> None:
    phone = await phones("101")
    set_global("RINGCARD_HEADERS", "no")
    async with app(lab, sets({"__RINGCARD_CARD_URL": "http://127.0.0.1:8080/c/x", "RINGCARD_ROUTE_1": "in/101"})):
        assert (await call(lab, did=DIRECT)).status == 200
    assert phone.invites[0].call_info == {}


async def test_nothing_of_a_first_pass_counts_in_a_second(lab: Lab, phones: Phones, set_global: SetGlobal) -> None:
    first, second, company = await phones("101", "busy"), await phones("103", "busy"), await phones("102")
    set_global("RINGCARD_BEFORE", "ringcard-inbound")  # the company's way leads back to us, as a transfer may

    reasons = []

    async def routes_once(it: App) -> None:
        if len(it.calls) == 1:
            await it.set({"RINGCARD_ROUTE_1": "in/101", "RINGCARD_ROUTE_2": "in/103", "RINGCARD_REASON": "Yours"})
        else:
            reasons.append(await it.get("RINGCARD_REASON"))
            await it.set({"RINGCARD_BEFORE": "company-inbound", "RINGCARD_ROUTE_1": "in/101"})
        await it.hand_back()

    async with app(lab, routes_once) as it:
        assert (await call(lab, did=DIRECT)).status == 200
        assert len(it.calls) == 2
    assert rang(first, second, company) == [2, 1, 1]
    assert reasons == [""]


# --- data that attacks


ATTACKS = (
    '"="a" & "1):System(touch FILE',
    "x)}$[1+1]${SHELL(touch FILE)}",
    "${SHELL(touch FILE)}",
    "a,b)System(touch FILE)",
    "Evil\r\nX-Injected: yes",
    "http://x/>;purpose=icon\r\nX-Injected: yes",
)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_data_runs_nothing_and_adds_no_header(lab: Lab, phones: Phones, tmp_path: Path, attack: str) -> None:
    phone = await phones("101")
    proof = tmp_path / "ran"
    evil = attack.replace("FILE", str(proof))
    urls = dict.fromkeys(("__RINGCARD_CARD_URL", "__RINGCARD_PHOTO_URL", "__RINGCARD_VCARD_URL"), evil)
    one_line = evil.replace("\r", "").replace("\n", "")  # a line break in a name is the application's to take out
    values = {"RINGCARD_REASON": evil, "RINGCARD_CUSTOMER_ID": evil, "CALLERID(name)": one_line, **urls}
    async with app(lab, sets({**values, "RINGCARD_ROUTE_1": "in/101", "RINGCARD_RING_1": "5"})):
        assert (await call(lab, did=DIRECT)).status == 200
    assert not proof.exists()
    invite = phone.invites[0]
    assert invite.header("X-Injected") == ""
    assert invite.name == one_line
    assert len(invite.call_info) == 3


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_route_runs_nothing(lab: Lab, phones: Phones, tmp_path: Path, attack: str) -> None:
    company = await phones("102")
    proof = tmp_path / "ran"
    evil = attack.replace("FILE", str(proof))
    ends = {"RINGCARD_AFTER": f"company-internal/{evil}", "RINGCARD_BLOCK": evil}
    async with app(lab, sets({"RINGCARD_ROUTE_1": f"in/{evil}", "RINGCARD_RING_1": evil, **ends})):
        assert (await call(lab, did=DIRECT)).status == 200
    assert not proof.exists()
    assert rang(company) == [1]


async def test_a_route_cannot_carry_options_of_the_dial(lab: Lab, phones: Phones) -> None:
    world = await phones("outside")
    async with app(lab, sets({"RINGCARD_ROUTE_1": "out/+85599000111@ringcard-outside,20,S(1)"})):
        await call(lab, did=DIRECT, give_up_s=0.5)
    assert not any(invite.request_uri.startswith("sip:+85599000111@") for invite in world.invites)


@pytest.mark.parametrize("attack", ATTACKS[:4])
async def test_a_callers_name_and_number_run_nothing(
    lab: Lab, phones: Phones, tmp_path: Path, attack: str, set_global: SetGlobal
) -> None:
    phone = await phones("102")
    proof = tmp_path / "ran"
    evil = attack.replace("FILE", str(proof))
    async with http_server(b"") as url:
        set_global("RINGCARD_CURL", f"{url}/?number=")
        await call(lab, number=quote(evil, safe=""), did=DIRECT)
        await call(lab, name=evil, did=DIRECT)
    assert not proof.exists()
    assert len(phone.invites) == 2


# --- the application is gone: the name by other ways


@contextlib.asynccontextmanager
async def server(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """A TCP server on a port of its own."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(one(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def http_server(body: bytes, status: str = "200 OK", heard: list[str] | None = None) -> Any:
    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            if heard is not None:
                heard.append(request.split(b" ")[1].decode())
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()

        async with server(answer) as port:
            yield f"http://127.0.0.1:{port}"

    return serving()


async def is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and says nothing until it is taken away."""
    await asyncio.Event().wait()


async def test_the_name_comes_by_curl_when_the_application_is_gone(
    lab: Lab, phones: Phones, set_global: SetGlobal
) -> None:
    phone = await phones("102")
    heard: list[str] = []
    async with http_server("Пётр Ёлкин, ООО".encode(), heard=heard) as url:
        set_global("RINGCARD_CURL", f"{url}/dialplan/caller-name?token=t&number=")
        await call(lab, number="+85512000001", did=DIRECT, name="raw")
    assert heard == ["/dialplan/caller-name?token=t&number=%2B85512000001&trunk=lab"]
    assert phone.invites[0].name == "Пётр Ёлкин, ООО"


@pytest.mark.parametrize(
    ("body", "status"), [(b"", "200 OK"), (b"wrong token", "403 Forbidden"), (b"oops", "500 Internal Server Error")]
)
async def test_no_name_by_curl_leaves_the_name_that_came(
    lab: Lab, phones: Phones, set_global: SetGlobal, body: bytes, status: str
) -> None:
    phone = await phones("102")
    async with http_server(body, status) as url:
        set_global("RINGCARD_CURL", f"{url}/?number=")
        assert (await call(lab, did=DIRECT, name="As Received")).status == 200
    assert phone.invites[0].name == "As Received"


async def test_line_breaks_in_a_name_by_curl_do_not_reach_the_wire(
    lab: Lab, phones: Phones, set_global: SetGlobal
) -> None:
    phone = await phones("102")
    async with http_server(b"Evil\r\nX-Injected: yes\x01\x7f") as url:
        set_global("RINGCARD_CURL", f"{url}/?number=")
        assert (await call(lab, did=DIRECT)).status == 200
    assert phone.invites[0].name == "EvilX-Injected: yes"
    assert phone.invites[0].header("X-Injected") == ""


@pytest.mark.parametrize("withheld", ["privacy", "anonymous"])
async def test_a_withheld_number_is_not_asked_for(
    lab: Lab, phones: Phones, set_global: SetGlobal, withheld: str
) -> None:
    phone = await phones("102")
    heard: list[str] = []
    async with http_server(b"Somebody", heard=heard) as url:
        set_global("RINGCARD_CURL", f"{url}/?number=")
        await call(lab, number="+85512000001", did=DIRECT, withheld=withheld)  # type: ignore[arg-type]
    assert not any("12000001" in asked for asked in heard)
    if withheld == "privacy":
        assert heard == []
        assert phone.invites[0].name == "Anonymous"


@pytest.mark.parametrize("name", ["RINGCARD_CURL", "RINGCARD_AGI"])
@pytest.mark.parametrize("peer", ["silent", "refusing", "unreachable"])
async def test_a_peer_that_does_not_answer_delays_the_ring_by_a_bounded_time(
    lab: Lab, phones: Phones, set_global: SetGlobal, name: str, peer: str
) -> None:
    phone = await phones("102")
    async with server(is_silent) as port:
        where = {"silent": f"127.0.0.1:{port}", "refusing": "127.0.0.1:9", "unreachable": "127.255.255.255:9"}[peer]
        scheme = "http" if name == "RINGCARD_CURL" else "agi"
        set_global(name, f"{scheme}://{where}/caller-name?number=")
        outcome = await call(lab, did=DIRECT, name="As Received")
    assert outcome.ring_s is not None
    assert outcome.ring_s < 3
    assert phone.invites[0].name == "As Received"


async def test_the_name_comes_by_agi_when_the_application_and_the_desk_are_gone(
    lab: Lab, phones: Phones, set_global: SetGlobal
) -> None:
    async def caller_name(request: Request, channel: Channel) -> None:
        await channel.ask(b'SET CALLERID "x"\n')
        await channel.ask(b'SET VARIABLE "CALLERID(name)" "By AGI"\n')

    phone = await phones("102")
    agi = AgiServer(Agi(port=0), {"caller-name": caller_name})
    await agi.start()
    try:
        set_global("RINGCARD_CURL", "http://127.0.0.1:9/?number=")
        set_global("RINGCARD_AGI", f"agi://127.0.0.1:{agi.port}/caller-name")
        assert (await call(lab, did=DIRECT)).status == 200
        set_global("RINGCARD_AGI", f"agi://127.0.0.1:{agi.port}/unknown")
        assert (await call(lab, did=DIRECT)).status == 200
    finally:
        await agi.stop()
    assert [invite.name for invite in phone.invites] == ["By AGI", ""]
    assert agi.counters.no_such_script == 0, "the knock already said that there is no such script"


# --- the company's way


async def test_an_unknown_number_is_refused_as_without_ringcard(lab: Lab) -> None:
    before, now = [await call(lab, did="+85523909999", way=way) for way in ("before", "trunk")]
    assert now.status == before.status == 404


async def test_a_missing_company_context_is_refused_and_said_in_the_log(lab: Lab, set_global: SetGlobal) -> None:
    set_global("RINGCARD_BEFORE", "")
    assert (await call(lab, did=DIRECT)).status == 503
    assert "RINGCARD_BEFORE is not set" in lab.log()


async def test_a_way_that_leads_back_to_us_ends_and_is_said_in_the_log(lab: Lab, set_global: SetGlobal) -> None:
    set_global("RINGCARD_BEFORE", "ringcard-inbound")
    assert (await call(lab, did=DIRECT)).status >= 400
    assert "does RINGCARD_BEFORE lead back to it?" in lab.log()


async def test_phones_outside_are_passed_over_when_no_way_out_is_named(
    lab: Lab, phones: Phones, set_global: SetGlobal
) -> None:
    world, company = await phones("outside"), await phones("102")
    set_global("RINGCARD_OUTSIDE", "")
    async with app(lab, sets({"RINGCARD_ROUTE_1": "out/+85599000111"})):
        outcome = await call(lab, did=DIRECT)
    assert rang(world, company) == [0, 1]
    assert outcome.ring_s is not None
    assert outcome.ring_s < 5, "the step that nobody can be rung in costs no time"


async def test_a_trunk_may_name_its_own_context(lab: Lab, phones: Phones) -> None:
    here, company = await phones("101"), await phones("102")
    async with app(lab, sets({"RINGCARD_BEFORE": "plain"})):
        await call(lab, did=DIRECT)
    assert rang(here, company) == [1, 0]


async def test_a_call_without_a_number_goes_to_the_companys_s(lab: Lab, phones: Phones, set_global: SetGlobal) -> None:
    group = [await phones(name, ring_s=0.2) for name in ("101", "102", "103")]
    set_global("RINGCARD_BEFORE", "company-group")
    assert (await call(lab, did="s")).status == 200
    assert rang(*group) == [1, 1, 1]
