"""Telephones that cannot show a name as it is get one that they can show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.display import Screen
from lookup.screens import ROOM, fitted, on_screens

KHMER = "សុខ ដារ៉ា"


@pytest.mark.parametrize(
    ("name", "screen", "shown"),
    [
        ("Sok Dara", Screen(ascii=True), "Sok Dara"),
        ("Семён Ёлкин", Screen(ascii=True), "Semen Elkin"),
        ("Zoë Müller", Screen(ascii=True), "Zoe Muller"),
        ("王小明", Screen(ascii=True), "WangXiaoMing"),
        ("Семён Ёлкин", Screen(length=7), "Семён Ё"),
        ("Семён Ёлкин", Screen(ascii=True, length=8), "Semen El"),
        (KHMER, Screen(), KHMER),
    ],
)
def test_a_name_is_written_as_the_screen_can_show_it(name: str, screen: Screen, shown: str) -> None:
    assert fitted(name, screen) == shown


@given(st.text())
def test_what_such_a_phone_gets_is_printable_ascii(name: str) -> None:
    shown = fitted(name, Screen(ascii=True, length=20))
    assert shown == "" or (shown.isascii() and shown.isprintable())
    assert len(shown) <= 20


def test_each_telephone_is_told_its_name_once_for_all_that_show_it_alike() -> None:
    phones = {"101": Screen(ascii=True), "102": Screen(), "103": Screen(ascii=True)}
    assert on_screens("Семён|Ёлкин", phones, {"Yealink SIP-T4*": Screen(length=3)}) == {
        "__RINGCARD_SCREENS": "101=1&103=1&*Yealink SIP-T4=2",
        "__RINGCARD_SCREEN_1": "Semen/Elkin",
        "__RINGCARD_SCREEN_2": "Сем",
    }


def test_nothing_is_told_when_every_telephone_can_show_the_name() -> None:
    assert on_screens("Sok Dara", {"101": Screen(ascii=True, length=20)}, {}) == {}
    assert on_screens("", {"101": Screen(ascii=True)}, {}) == {}


def test_the_list_of_telephones_does_not_grow_for_ever() -> None:
    told = on_screens(KHMER, {f"phone-{n}": Screen(ascii=True) for n in range(1000)}, {})
    assert len(told["__RINGCARD_SCREENS"]) <= ROOM
