"""What a phone shows follows the company's template, and an empty part leaves no stray signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.answers import Answer, Found, Number, Unavailable, Unknown, Withheld
from lookup.card import Card
from lookup.display import display_name, filled
from lookup.naming import LIMIT

NUMBER = Number("+85512345678", "+85512345678", "+85512345678", "12345678")
DARA = Card(7, 1, "Sok Dara", company="Angkor")
KNOWN = Found(NUMBER, (DARA,), DARA, "exact", "cache", "")
ALL = {"name": "Dara", "company": "Angkor", "queue": "Sales"}


@pytest.mark.parametrize(
    ("template", "empty", "shown"),
    [
        ("{name}", "", "Dara"),
        ("{queue}: {name}", "", "Sales: Dara"),
        ("{queue}: {name}", "queue", "Dara"),
        ("{queue}: {name}", "name", "Sales"),
        ("{name} ({company})", "company", "Dara"),
        ("{name} ({company})", "name", "(Angkor)"),
        ("{queue}: {name} - {company}", "name", "Sales: Angkor"),
        ("{queue}: {name} - {company}", "company", "Sales: Dara"),
        ("{name} [{queue}] ({company})", "queue company", "Dara"),
        ("[{queue}/{company}] {name}", "queue", "[Angkor] Dara"),
        ("{queue} | {name} | {company}", "name company queue", ""),
        ("({queue}) call of {name}", "queue", "Dara"),
        ("VIP {name}!", "", "VIP Dara!"),
        ("VIP {name}!", "name", ""),
    ],
)
def test_an_empty_part_leaves_no_stray_signs(template: str, empty: str, shown: str) -> None:
    assert filled(template, {**ALL, **dict.fromkeys(empty.split(), "")}) == shown


def test_what_a_part_holds_is_no_placeholder() -> None:
    assert filled("{queue}: {name}", {**ALL, "queue": "{name}", "name": "{company} \\1"}) == "{name}: {company} \\1"


@pytest.mark.parametrize(
    ("answer", "label", "received", "shown"),
    [
        (KNOWN, "Sales", "as received", "Sales: Sok Dara"),
        (KNOWN, "", "", "Sok Dara"),
        (Unknown(NUMBER, ""), "Sales", "as received", "Sales: as received"),
        (Unavailable(NUMBER, ""), "Sales", "", "Sales"),
        (Unknown(NUMBER, ""), "", "as received", ""),
        (Withheld(""), "Sales", "Dara", ""),
        (KNOWN, "Sa\r\nles", "", "Sa les: Sok Dara"),
        (Unknown(NUMBER, ""), "Sales", "x\r\nX-Injected: y", "Sales: x X-Injected: y"),
    ],
)
def test_the_label_stands_before_whatever_name_there_is(answer: Answer, label: str, received: str, shown: str) -> None:
    assert display_name(answer, "{queue}: {name}", label, received) == shown


def test_a_template_without_a_place_for_the_label_leaves_the_received_name_alone() -> None:
    assert display_name(Unknown(NUMBER, ""), "{name} ({company})", "Sales", "as received") == ""
    assert display_name(KNOWN, "{name} ({company})", "Sales") == "Sok Dara (Angkor)"


def test_a_company_is_not_shown_twice() -> None:
    nameless = Card(7, 1, "", company="Angkor")
    assert display_name(Found(NUMBER, (nameless,), nameless, "exact", "cache", ""), "{name} ({company})") == "Angkor"


@given(st.text(), st.text(max_size=10))
def test_it_is_one_line_and_not_too_long(name: str, label: str) -> None:
    shown = filled("{queue}: {name} ({company})", {"name": name, "queue": label, "company": name})
    assert shown.isprintable() or not shown.isascii()
    assert "\n" not in shown
    assert "\r" not in shown
    assert len(shown) <= 16 * LIMIT
