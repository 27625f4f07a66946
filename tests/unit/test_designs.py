"""The designs: how many differ to the eye, that everything can be read in each, and that none asks a third party."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.colours import contrast, hex_of, read
from desk.designs import COMPANY, STATIC, VENDOR, Design, apart, company_design, designs, different, mark_of, previews
from desk.palette import ALIKE, PAIRS, VARIABLES, Palette, as_wished, painted, settled, tokens_of, too_faint

ALL = list(designs().values())
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: read(f"#{number:06x}"))


def test_more_than_fifty_designs_differ_to_the_eye() -> None:
    shown = different(ALL)
    assert len(shown) > 50
    for at, one in enumerate(shown):
        assert all(apart(one, other) > ALIKE for other in shown[:at]), one.name


def test_twins_are_counted_once() -> None:
    ringcard = designs()["ringcard"]
    twin = Design("twin", "Twin", "Ringcard", ringcard.light, ringcard.dark)
    assert different([ringcard, twin]) == [ringcard]
    only_dark = Design("other", "Other", "Ringcard", ringcard.light, designs()["solar"].dark)
    assert different([ringcard, only_dark]) == [ringcard, only_dark]


def test_bootstrap_and_all_of_bootswatch_are_among_them() -> None:
    files = {file.name.removesuffix(".min.css") for file in (VENDOR / "designs").glob("*.css")}
    assert len(files) == 26
    assert files | {"ringcard", "bootstrap"} <= designs().keys()
    assert len({design.label for design in ALL}) == len(ALL)


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.name)
def test_in_every_design_and_mode_what_our_pages_show_can_be_read(design: Design) -> None:
    for tokens in tokens_of(design.stylesheet):
        for what, grounds, ratio in PAIRS:
            for ground in grounds:
                ink, below = read(tokens[VARIABLES[what][0]]), read(tokens[VARIABLES[ground][0]])
                assert contrast(ink, below) >= ratio, f"{what} on {ground}"


@pytest.mark.parametrize("name", ["morph", "materia", "minty", "solar", "vapor", "quartz"])
def test_a_design_that_falls_short_is_corrected(name: str) -> None:
    base, _ = tokens_of((VENDOR / "bootstrap.min.css").read_text(encoding="utf-8"))
    light, _ = tokens_of((VENDOR / "designs" / f"{name}.min.css").read_text(encoding="utf-8"))
    wished = as_wished({**base, **light})
    assert [*too_faint(wished)] != []
    assert [*too_faint(settled(wished))] == []


def test_what_can_be_read_is_left_as_it_was_made() -> None:
    made = tokens_of((STATIC / "design.css").read_text(encoding="utf-8"))
    for tokens, palette in zip(made, (designs()["ringcard"].light, designs()["ringcard"].dark), strict=True):
        for name in ("surface", "canvas", "quiet", "ink", "soft", "accent", "accent_text", "link", "danger_text"):
            assert hex_of(getattr(palette, name)) == hex_of(read(tokens[VARIABLES[name][0]])), name


@given(st.fixed_dictionaries(dict.fromkeys(VARIABLES, COLOURS)))
@settings(max_examples=60, deadline=None)
def test_whatever_a_design_wishes_can_be_read(colours: dict[str, tuple[float, float, float]]) -> None:
    assert [*too_faint(settled(Palette(**colours)))] == []


@given(COLOURS, st.floats(0, 360), st.floats(0, 2), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_accent_of_a_company_makes_a_design_that_can_be_read(
    accent: tuple[float, float, float], ground: float, tint: float, dark: bool
) -> None:
    assert [*too_faint(painted(accent, ground, tint, dark))] == []


def test_a_companys_design_has_its_accent() -> None:
    design = company_design("#8a1c4a")
    assert design.name == COMPANY
    assert hex_of(design.light.accent) == "#8a1c4a"


def test_an_address_changes_with_the_design() -> None:
    one, other = company_design("#8a1c4a"), company_design("#1c4a8a")
    assert one.href.partition("?")[0] == other.href.partition("?")[0] == "/designs/company.css"
    assert one.href != other.href
    assert one.href.endswith(mark_of(one.stylesheet))


def test_every_design_has_its_preview() -> None:
    assert {*re.findall(r"\.sample-([a-z-]+) \.in-dark\{", previews())} == designs().keys()


STYLESHEETS = sorted(STATIC.rglob("*.css"))


@pytest.mark.parametrize("file", STYLESHEETS, ids=lambda file: str(file.relative_to(STATIC)))
def test_no_stylesheet_asks_a_third_party_for_anything(file: Path) -> None:
    css = file.read_text(encoding="utf-8")
    assert "@import" not in css
    for address in re.findall(r"url\(\s*[\"']?([^\"')]+)", css):
        if not address.startswith("data:"):
            assert not re.match(r"[a-z]+:|//", address), address
            assert (file.parent / re.split(r"[?#]", address)[0]).is_file() or address.partition("?")[0].endswith(
                ".woff"
            )


def test_no_design_asks_anybody_for_anything() -> None:
    for design in ALL:
        assert re.findall(r"url\((?!\"data:)|@import|https?://(?!www\.w3\.org/2000/svg)", design.stylesheet) == []
