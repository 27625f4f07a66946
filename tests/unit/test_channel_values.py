"""What reaches a channel cannot break a header, a dialplan or the connection, whatever the customer base holds."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.answers import Answer, Found, Number, Unavailable, Unknown, Withheld
from lookup.card import Card, Phone
from lookup.channel_values import ALL, INHERITED, PACKED, PHONES, STEPS, channel_values, packed
from lookup.links import Addresses
from lookup.routing import Route, Step

CALL = "5f0c2f0e-8f3a-5c1e-9a51-0d6d7a3c9b11"
NUMBER = Number("+85512345678", "+85512345678", "+85512345678", "12345678")
DARA = Card(7, 1, "Sok Dara")
FOUND = Found(NUMBER, (DARA,), DARA, "exact", "cache", "")
SHARED = Found(NUMBER, (DARA, Card(8, 1, "Rosa Lim")), None, "exact", "cache", "")
LINKS = Addresses("https://desk.example/c/x", "https://desk.example/p/x.jpg", "https://desk.example/v/x.vcf")
NOWHERE = Route((), "The company's own way: the customer has no manager.")


def inside(*names: str) -> tuple[Phone, ...]:
    return tuple(Phone("pbx", name) for name in names)


def step(*phones: Phone, ring_s: int = 20) -> Step:
    return Step(phones, ring_s, "somebody", "some reason")


def test_a_routed_call_of_a_known_customer_says_everything() -> None:
    made = Route(
        (step(*inside("101", "102"), ring_s=15), step(Phone("", "+85577111222", inside=False), ring_s=25)),
        "Rings the assigned manager Sok Dara.",
    )
    assert channel_values(CALL, FOUND, made, "Sok Dara", LINKS) == {
        "RINGCARD_CALL_ID": CALL,
        "CALLERID(name)": "Sok Dara",
        "RINGCARD_CUSTOMER_ID": "7",
        "RINGCARD_REASON": "Rings the assigned manager Sok Dara.",
        "RINGCARD_ROUTE_1": "in/101&in/102",
        "RINGCARD_RING_1": "15",
        "RINGCARD_ROUTE_2": "out/+85577111222",
        "RINGCARD_RING_2": "25",
        "__RINGCARD_CARD_URL": "https://desk.example/c/x",
        "__RINGCARD_PHOTO_URL": "https://desk.example/p/x.jpg",
        "__RINGCARD_VCARD_URL": "https://desk.example/v/x.vcf",
    }


@pytest.mark.parametrize("answer", [Unknown(NUMBER, ""), Withheld(""), Unavailable(NUMBER, ""), SHARED])
def test_without_a_chosen_customer_neither_customer_nor_card_is_told(answer: Answer) -> None:
    assert set(channel_values(CALL, answer, NOWHERE, "", LINKS)) == {"RINGCARD_CALL_ID", "RINGCARD_REASON"}


def test_no_name_leaves_the_name_as_it_was_received() -> None:
    for name in ("", " ", "\r\n", "\u202e"):
        assert "CALLERID(name)" not in channel_values(CALL, FOUND, NOWHERE, name)


def test_a_line_break_in_a_name_never_reaches_the_channel() -> None:
    values = channel_values(CALL, FOUND, NOWHERE, "Evil\r\nX-Injected: yes")
    assert values["CALLERID(name)"] == "Evil X-Injected: yes"


@pytest.mark.parametrize("name", ['Sok "VIP", Dara', "a=b,c;d", "${SHELL(id)}", "\\back"])
def test_a_name_keeps_the_signs_that_asterisk_takes_literally(name: str) -> None:
    assert channel_values(CALL, FOUND, NOWHERE, name)["CALLERID(name)"] == name


@pytest.mark.parametrize(
    "name", ["101&PJSIP/trunk", "101,20,g", "101/sip:+1900@trunk", "", "a b", "10\n1", "${X}", "1" * 81, "ខ្ញុំ"]
)
def test_only_names_of_endpoints_enter_a_route(name: str) -> None:
    assert "RINGCARD_ROUTE_1" not in channel_values(CALL, FOUND, Route((step(*inside(name)),), ""), "")


@pytest.mark.parametrize("number", ["85577111222", "+855 77", "+", "*97", "+1900@trunk", "+8557711122233344"])
def test_only_whole_numbers_are_dialled_outside(number: str) -> None:
    made = Route((step(Phone("", number, inside=False)),), "")
    assert "RINGCARD_ROUTE_1" not in channel_values(CALL, FOUND, made, "")


def test_a_step_that_cannot_ring_leaves_no_gap() -> None:
    made = Route((step(*inside("1&2")), step(*inside("102", "bad name", "102"), ring_s=25)), "")
    values = channel_values(CALL, FOUND, made, "")
    assert (values["RINGCARD_ROUTE_1"], values["RINGCARD_RING_1"]) == ("in/102", "25")
    assert "RINGCARD_ROUTE_2" not in values


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "https://",
        "https://desk/\r\nX: y",
        "https://desk/>;purpose=icon,<http://evil",
        'https://desk/"',
        "https://desk/a b",
        "https://desk/${X}",
        "https://desk/ខ្ញុំ",
        "https://desk/" + "x" * 2000,
    ],
)
def test_an_address_that_would_break_a_header_is_left_out(url: str) -> None:
    assert not any("URL" in name for name in channel_values(CALL, FOUND, NOWHERE, "", Addresses(url, url, url)))


@pytest.mark.parametrize("call_id", ["", "a b", "x\ny", "a" * 65, "${X}"])
def test_a_call_id_that_is_no_plain_word_is_left_out(call_id: str) -> None:
    assert "RINGCARD_CALL_ID" not in channel_values(call_id, FOUND, NOWHERE, "")


@pytest.mark.parametrize(("blocked", "told"), [("busy", "busy"), ("decline", "decline"), ("", ""), ("System(x)", "")])
def test_a_blocked_caller_is_told_what_the_settings_say_and_nothing_else(blocked: str, told: str) -> None:
    made = channel_values(CALL, FOUND, Route((), "Blocked.", blocked=blocked), "")
    assert made.get("RINGCARD_BLOCK", "") == told


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("company-voicemail,100", "company-voicemail/100"),
        ("outbound,+85599000111", "outbound/+85599000111"),
        ("features,*97", "features/*97"),
        ("", ""),
        ("company", ""),
        ("company,100,1", ""),
        ("company,100)&System(touch FILE", ""),
        ("company,${X}", ""),
        ("a b,1", ""),
        ("company,1\n", ""),
    ],
)
def test_a_destination_is_a_context_and_an_extension_or_nothing(after: str, told: str) -> None:
    assert channel_values(CALL, FOUND, Route((), "", after=after), "").get("RINGCARD_AFTER", "") == told


def test_where_a_call_ends_comes_behind_the_steps_so_that_another_versions_dialplan_reads_these() -> None:
    assert [PACKED.index(name) + 1 for name in ("RINGCARD_ROUTE_1", "RINGCARD_RING_9")] == [7, 24]
    assert [PACKED.index(name) + 1 for name in ("RINGCARD_BLOCK", "RINGCARD_AFTER")] == [25, 26]
    file = (Path(__file__).parents[2] / "dialplan" / "ringcard.conf").read_text(encoding="utf-8")
    assert "RINGCARD_BLOCK=${CUT(RINGCARD_ANSWER,|,25)}" in file
    assert "RINGCARD_AFTER=${CUT(RINGCARD_ANSWER,|,26)}" in file


def test_a_reason_cannot_become_dialplan() -> None:
    reason = 'Rings "="a" & "1):System(touch FILE\r\n${SHELL(id)}'
    made = channel_values(CALL, FOUND, Route((), reason), "")["RINGCARD_REASON"]
    assert made == "Rings =a 1):System(touch FILE SHELL(id)"


def test_the_largest_call_stays_far_below_what_one_websocket_frame_may_hold() -> None:
    many = tuple(step(*inside(*(f"{i}-{j}".ljust(80, "x") for j in range(99))), ring_s=10**6) for i in range(50))
    url = "https://desk/" + "x" * 990
    values = channel_values("x" * 64, FOUND, Route(many, "ក" * 9999), "ក" * 9999, Addresses(url, url, url))
    assert sum(len(name.encode()) + len(value.encode()) for name, value in values.items()) < 20_000
    assert values[f"RINGCARD_ROUTE_{STEPS}"].count("&") == PHONES - 1
    assert f"RINGCARD_ROUTE_{STEPS + 1}" not in values


def test_packed_is_the_name_and_everything_else_in_its_place() -> None:
    way = Route((step(*inside("101", "102"), ring_s=15), step(*inside("103"))), "Rings Sok Dara.")
    links = replace(LINKS, photo="")
    assert packed(channel_values(CALL, FOUND, way, "Sok | Dara", links)) == {
        "CALLERID(name)": "Sok | Dara",
        "RINGCARD_ANSWER": f"{CALL}|7|Rings Sok Dara.|{links.card}||{links.vcard}|in/101&in/102|15|in/103|20",
    }
    assert packed({}) == {"RINGCARD_ANSWER": ""}


texts = st.text(max_size=120)
links = st.builds(Addresses, texts, texts, texts) | st.just(LINKS) | st.none()
phones = st.lists(st.builds(Phone, st.just("pbx"), texts | st.just("101"), st.booleans()), min_size=1, max_size=3)
steps = st.builds(Step, phones.map(tuple), st.integers(1, 99), texts, texts)
routes = st.builds(Route, st.lists(steps, max_size=3).map(tuple), texts, texts | st.just("night,100"), texts)


@given(texts, st.sampled_from([FOUND, SHARED, Unknown(NUMBER, "")]), routes, texts, links)
def test_whatever_the_customer_base_holds_every_value_is_harmless(
    call_id: str, answer: Answer, made: Route, name: str, urls: Addresses | None
) -> None:
    values = channel_values(call_id, answer, made, name, urls)
    for variable, value in values.items():
        assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in value)
        assert variable == "CALLERID(name)" or variable.removeprefix(INHERITED) in ALL
        if variable.startswith("RINGCARD_ROUTE"):
            assert re.fullmatch(r"(in/[\w.+-]+|out/\+\d+)(&(in/[\w.+-]+|out/\+\d+))*", value, re.ASCII)
    taken_apart = packed(values)["RINGCARD_ANSWER"].split("|")
    assert [part for part in taken_apart if part] == [values[name] for name in PACKED if values.get(name)]
