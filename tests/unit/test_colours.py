"""Colours as numbers: read from CSS, compared as WCAG and CIEDE2000 do it, moved until they can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.colours import (
    BLACK,
    TEXT,
    WHITE,
    Colour,
    Lab,
    ciede2000,
    contrast,
    distance,
    from_oklch,
    hex_of,
    lowest_contrast,
    read,
    readable,
    to_oklch,
)

PARTS = st.integers(0, 255).map(lambda part: part / 255)
COLOURS = st.tuples(PARTS, PARTS, PARTS)


@pytest.mark.parametrize(
    ("css", "shown"),
    [
        ("#0B7A5B", "#0b7a5b"),
        ("#fff", "#ffffff"),
        ("rgb(11, 122, 91)", "#0b7a5b"),
        ("rgb(11 122 91)", "#0b7a5b"),
        ("rgba(0, 0, 0, 0.5)", "#808080"),
        ("rgb(0 0 0 / 20%)", "#cccccc"),
        ("#00000080", "#7f7f7f"),
        ("transparent", "#ffffff"),
    ],
)
def test_a_colour_is_read_as_it_looks_on_white(css: str, shown: str) -> None:
    assert hex_of(read(css)) == shown


@pytest.mark.parametrize("css", ["", "#12345", "#zzzzzz", "red", "rgb(1,2)", "url(x)", "var(--bs-body-bg)", "none"])
def test_what_is_no_colour_is_refused(css: str) -> None:
    with pytest.raises(ValueError, match=r"no colour|could not convert"):
        read(css)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000", "#fff", 21),
        ("#767676", "#fff", 4.54),
        ("#777", "#fff", 4.48),
        ("#00f", "#fff", 8.59),
        ("#fff", "#fff", 1),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(read(one), read(other)) == pytest.approx(ratio, abs=0.005)
    assert contrast(read(other), read(one)) == contrast(read(one), read(other))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [  # of the data that Sharma, Wu and Dalal give to check a program with
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
        ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
        ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
        ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((50, 2.5, 0), (56, -27, -3), 31.9030),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_ciede2000(one: Lab, other: Lab, apart: float) -> None:
    assert ciede2000(one, other) == pytest.approx(apart, abs=0.00005)
    assert ciede2000(other, one) == pytest.approx(apart, abs=0.00005)


def test_black_and_white_are_a_hundred_apart() -> None:
    assert distance(BLACK, WHITE) == pytest.approx(100, abs=0.01)
    assert distance(read("#0b7a5b"), read("#0b7a5b")) == 0


@given(COLOURS)
def test_a_colour_survives_the_way_through_oklch(colour: Colour) -> None:
    assert hex_of(from_oklch(*to_oklch(colour))) == hex_of(colour)


@given(COLOURS, st.lists(COLOURS, min_size=1, max_size=3))
def test_a_colour_is_moved_until_it_can_be_read_wherever_any_could_be(colour: Colour, grounds: list[Colour]) -> None:
    found = lowest_contrast(readable(colour, grounds, TEXT), grounds)
    possible = max(lowest_contrast(end, grounds) for end in (BLACK, WHITE))
    assert found >= min(TEXT, possible) - 1e-9


def test_a_colour_that_can_be_read_stays() -> None:
    assert hex_of(readable(read("#0b7a5b"), [WHITE], TEXT)) == "#0b7a5b"
    assert hex_of(readable(read("#777777"), [WHITE], TEXT)) != "#777777"


def test_a_moved_colour_keeps_its_hue() -> None:
    moved = readable(read("#ffc107"), [WHITE], TEXT)
    assert abs(to_oklch(moved)[2] - to_oklch(read("#ffc107"))[2]) < 12
