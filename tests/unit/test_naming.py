"""A name from a customer base is harmless and readable wherever it is shown."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.answers import Found, Number
from lookup.card import Card
from lookup.naming import LIMIT, OCTETS, clean, phone_name

NUMBER = Number("+85512345678", "+85512345678", "+85512345678", "12345678")

KHMER = "សុខ ដារ៉ា"
NAMES = [
    "Sok Dara (VIP)",
    KHMER,
    "Семён Ёлкин",
    "محمد بن سلمان",
    "فروشگاه می\u200cخواهم",  # ZWNJ is spelling in Persian
    "ක්\u200dරිස්ටි",  # ZWJ is spelling in Sinhala
    "Zoë O'Brien",
    'Jean "Jo" Müller \\ Söhne',
    "王小明",
    "👩\u200d💻 Ada",
]


def found(*cards: Card, tier: str = "exact", chosen: Card | None = None) -> Found:
    return Found(NUMBER, cards, chosen, tier, "memory", "")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_script_stay_as_they_are(name: str) -> None:
    assert clean(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Evil\r\nX-Injected: yes", "Evil X-Injected: yes"),
        ("a\x00b\x01c\x1b[31md\x7fe\x9bf", "abc[31mdef"),
        ("  many \t blanks\u00a0\u3000here  ", "many blanks here"),
        ("line\u2028and\u2029paragraph\u0085next", "line and paragraph next"),
        ("\u202eEvil\u202c \u2066x\u2069 \u200fy\u200e \u061cz", "Evil x y z"),
        ("in\u200bvis\ufeffible\u00ad", "invisible"),
        ("half \ud83d emoji", "half emoji"),
        ("\u200d\u200c", ""),
        ("a\u200d\u0301\u200d \u200d", "a\u200d\u0301"),
        ("\r\n", ""),
        ("", ""),
        ("e\u0301", "é"),
    ],
)
def test_what_could_fool_a_header_a_terminal_or_a_reader_is_gone(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300), st.integers(0, 70), st.integers(0, 250)
)
def test_plain_letters_are_cleaned_quicker_and_not_otherwise(text: str, limit: int, octets: int) -> None:
    assert clean(text, limit, octets) == clean(text + "\0", limit, octets)


@given(st.text(st.characters(), max_size=300), st.integers(0, 70), st.integers(0, 250))
def test_cleaned_text_is_one_short_line_that_cleaning_leaves_alone(text: str, limit: int, octets: int) -> None:
    name = clean(text, limit, octets)
    assert len(name.encode()) <= octets
    assert name == " ".join(name.split())
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name)
    assert all(char in "\u200c\u200d" for char in name if unicodedata.category(char) == "Cf")
    assert clean(name, limit, octets) == name


@pytest.mark.parametrize(
    "grapheme",
    [
        "a",
        "ខ្ញុំ",  # consonant, subscript consonant, vowel, sign
        "ដ៉ា",
        "e\u0323\u0301",
        "👩🏽\u200d🚀",
        "🇰🇭",
        "❤\ufe0f",
        "क्षि",
        "ශ්\u200dරී",
    ],
)
def test_a_cut_never_falls_inside_a_character(grapheme: str) -> None:
    one = unicodedata.normalize("NFC", grapheme)
    assert clean(one * 5, limit=3, octets=1000) == one * 3
    assert clean(one * 5, limit=60, octets=3 * len(one.encode()) - 1) == one * 2


def test_a_long_name_is_cut_at_sixty_characters_and_two_hundred_bytes() -> None:
    assert clean("x" * 20_000) == "x" * LIMIT
    assert len(clean(KHMER * 100).encode()) <= OCTETS


def test_a_cut_leaves_nothing_that_would_join_what_follows() -> None:
    assert clean("ab\u200ccd", limit=2) == "ab"


def test_a_tower_of_accents_does_not_swallow_the_name() -> None:
    assert clean("Z" + "\u0335" * 500 + " Sok").startswith("Z")


# --- what the phone shows ---

DARA = Card(1, 1, "Sok Dara", company="Angkor Trade")
CHAN = Card(2, 1, "Chan Vibol", company="Angkor Trade")
ROSA = Card(3, 1, "Rosa Lim", company="Mekong Foods")
MINH = Card(4, 1, "Minh Tran")


def test_the_chosen_customers_name_is_shown() -> None:
    assert phone_name(found(DARA, chosen=DARA)) == "Sok Dara"


def test_a_customer_without_a_name_shows_the_company() -> None:
    card = Card(1, 1, " ", company="Angkor Trade")
    assert phone_name(found(card, chosen=card)) == "Angkor Trade"


def test_a_customer_without_any_name_leaves_the_name_as_received() -> None:
    card = Card(1, 1, "")
    assert phone_name(found(card, chosen=card)) == ""
    assert phone_name(found(card, chosen=card, tier="probable")) == ""


def test_a_probable_match_is_marked_where_it_may_name_the_phone() -> None:
    assert phone_name(found(DARA, chosen=DARA, tier="probable")) == "Sok Dara?"


def test_a_match_that_may_only_show_the_card_leaves_the_name_as_received() -> None:
    for cards, chosen in (((DARA,), DARA), ((DARA, CHAN), None)):
        answer = found(*cards, chosen=chosen)
        assert phone_name(answer)
        assert phone_name(replace(answer, may="card")) == ""
        assert phone_name(replace(answer, may="name")) == phone_name(answer)


def test_several_customers_of_one_company_show_the_company() -> None:
    assert phone_name(found(DARA, CHAN)) == "Angkor Trade"


def test_several_customers_show_who_it_may_be() -> None:
    assert phone_name(found(DARA, ROSA)) == "Sok Dara / Rosa Lim"
    assert phone_name(found(DARA, ROSA, MINH, CHAN)) == "Sok Dara / Rosa Lim +2"
    assert phone_name(found(MINH, Card(5, 1, "Minh Tran"))) == "Minh Tran"
    assert phone_name(found(Card(6, 1, ""), Card(7, 1, ""))) == ""


@given(st.lists(st.text(max_size=90), min_size=1, max_size=4), st.sampled_from(["exact", "probable"]), st.booleans())
def test_every_name_that_is_shown_is_clean(names: list[str], tier: str, is_chosen: bool) -> None:
    cards = tuple(Card(i, 1, name) for i, name in enumerate(names))
    shown = phone_name(found(*cards, tier=tier, chosen=cards[0] if is_chosen else None))
    assert clean(shown) == shown
