"""Text as it is compared: what does not matter, and what is a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.folding import choice, digits, fold, is_near, latin, stored, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sok  DARA", "sok dara"),
        ("Müller", "MULLER"),
        ("Mu\u0308ller", "muller"),
        ("Straße", "STRASSE"),
        ("Łódź", "lodz"),
        ("Đặng Thị Hường", "dang thi huong"),
        ("Søren Æther", "soren aether"),
        ("İstanbul", "istanbul"),
        ("ＳＯＫ　１２", "sok 12"),
        ("ﬁne", "fine"),
        ("Фёдоров", "ФЕДОРОВ"),
        ("O’Neil", "o'neil"),
        ("a\u200bb\u202ec\x00", "abc"),
        ("a\tb\nc", "a b c"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ],
)
def test_case_accents_and_forms_do_not_matter(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("text", ["Йод", "សុខ ដារ៉ា", "हिन्दी", "O'Neil & Sons, 50 %"])
def test_what_makes_another_letter_stays(text: str) -> None:
    assert fold(text) == text.casefold()


@given(st.text(max_size=40))
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert "\x00" not in fold(text)


def test_each_sign_of_chinese_is_a_word_and_others_end_at_spaces() -> None:
    assert words("王小明 Ltd") == ["王", "小", "明", "ltd"]
    assert words("김철수") == ["김", "철", "수"]
    assert words("Sok Dara") == ["sok", "dara"]


def test_a_column_keeps_each_word_and_its_parts_once_between_two_spaces() -> None:
    assert stored("Sok Dara", "", "sok C-7") == "  sok  dara  c-7  c  7  "
    assert stored("", " ") == ""


@given(st.text(min_size=2000, max_size=2100))
def test_a_column_does_not_grow_without_end(text: str) -> None:
    assert len(stored(text, text)) <= 2004


@pytest.mark.parametrize(
    ("text", "written"),
    [("Иванов", "ivanov"), ("សុខ", "sokh"), ("王小明", "wangxiaoming"), ("Müller", ""), ("Sok", "")],
)
def test_other_letters_are_written_in_latin_ones(text: str, written: str) -> None:
    assert latin(text) == written


def test_digits_of_every_script_are_digits() -> None:
    assert digits("+855 (12) ៣៤៥-٦٧٨") == "85512345678"
    assert digits("H²O ①") == ""


def test_a_value_of_a_field_is_one_word() -> None:
    assert choice("grade", "Gold  Plus") == "grade=gold_plus"


@pytest.mark.parametrize(
    "other", ["angkor", "angcor", "agkor", "aangkor", "angkorr", "nagkor", "angkro", "ngkor", "angko"]
)
def test_one_letter_makes_no_great_difference(other: str) -> None:
    assert is_near("angkor", other)
    assert is_near(other, "angkor")


@pytest.mark.parametrize("other", ["", "ang", "angcar", "gnakor", "akngor", "angkorrr", "bngkot", "rangko"])
def test_two_do(other: str) -> None:
    assert not is_near("angkor", other)
    assert not is_near(other, "angkor")


def _distance(one: str, other: str) -> int:
    """As it stands in books: optimal string alignment."""
    table = [[i + j if not i * j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_near_is_a_distance_of_one_at_most(one: str, other: str) -> None:
    assert is_near(one, other) == (_distance(one, other) <= 1)
