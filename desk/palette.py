"""The colours of one design in one mode, such that everything on our pages can be read. Pure.

A design says what it wants by the variables of Bootstrap; `settled` takes them as they are where they can be read and
moves them where they cannot, because a design is made by one who never saw our pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from desk.colours import (
    BLACK,
    LARGE,
    TEXT,
    WHITE,
    Colour,
    contrast,
    distance,
    exactly,
    from_oklch,
    hex_of,
    lowest_contrast,
    mix,
    read,
    readable,
    to_oklch,
)

Tokens = Mapping[str, str]
"""CSS variables by name, without the dashes before it."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Every colour that a page takes from its design."""

    surface: Colour  # panels, fields
    canvas: Colour  # behind them
    quiet: Colour  # chips, heads
    ink: Colour
    soft: Colour
    line: Colour  # between things; nobody needs to see it
    control: Colour  # around fields and buttons
    accent: Colour
    accent_ink: Colour
    accent_hover: Colour
    accent_active: Colour
    accent_text: Colour
    accent_subtle: Colour
    accent_line: Colour
    link: Colour
    link_hover: Colour
    danger: Colour
    danger_text: Colour
    danger_subtle: Colour
    warning_text: Colour
    warning_subtle: Colour

    @property
    def dark(self) -> bool:
        return contrast(self.surface, WHITE) > contrast(self.surface, BLACK)


VARIABLES: Mapping[str, tuple[str, ...]] = {
    "surface": ("bs-body-bg",),
    "canvas": ("bs-tertiary-bg",),
    "quiet": ("bs-secondary-bg",),
    "ink": ("bs-body-color", "bs-emphasis-color"),
    "soft": ("bs-secondary-color",),
    "line": ("bs-border-color",),
    "control": ("rc-control",),
    "accent": ("bs-primary",),
    "accent_ink": ("rc-accent-ink",),
    "accent_hover": ("rc-accent-hover",),
    "accent_active": ("rc-accent-active",),
    "accent_text": ("bs-primary-text-emphasis",),
    "accent_subtle": ("bs-primary-bg-subtle",),
    "accent_line": ("bs-primary-border-subtle",),
    "link": ("bs-link-color",),
    "link_hover": ("bs-link-hover-color",),
    "danger": ("bs-danger",),
    "danger_text": ("bs-danger-text-emphasis",),
    "danger_subtle": ("bs-danger-bg-subtle",),
    "warning_text": ("bs-warning-text-emphasis",),
    "warning_subtle": ("bs-warning-bg-subtle",),
}
"""The CSS variables that hold each colour; the first is the one that a design is asked for."""

ALSO_AS_NUMBERS = frozenset({"bs-body-bg", "bs-body-color", "bs-primary", "bs-link-color", "bs-link-hover-color"})
"""Bootstrap wants these a second time, as "r, g, b" under NAME-rgb."""

_GROUNDS = ("surface", "canvas", "quiet")
_PAGES = ("surface", "canvas")

PAIRS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("ink", _GROUNDS, TEXT),
    ("soft", _GROUNDS, TEXT),
    ("link", _PAGES, TEXT),
    ("link_hover", _PAGES, TEXT),
    ("accent_ink", ("accent", "accent_hover", "accent_active"), TEXT),
    ("accent_text", (*_PAGES, "accent_subtle"), TEXT),
    ("danger_text", (*_PAGES, "danger_subtle"), TEXT),
    ("warning_text", (*_PAGES, "warning_subtle"), TEXT),
    ("accent", _PAGES, LARGE),
    ("danger", _PAGES, LARGE),
    ("control", _PAGES, LARGE),
)
"""What stands on what on our pages, and the contrast that it needs there."""

SEEN_FIRST = ("canvas", "surface", "accent", "accent_subtle")
"""The areas by which one tells two designs apart across a room."""

ALIKE = 8.0
"""Designs none of whose areas are further apart than this are twins. 2.3 is what one just sees side by side; this many
is another colour at a glance."""


def too_faint(palette: Palette) -> Iterator[str]:
    """The pairs that cannot be read, each with its contrast."""
    for what, grounds, ratio in PAIRS:
        for ground in grounds:
            found = contrast(getattr(palette, what), getattr(palette, ground))
            if found < ratio:
                yield f"{what} on {ground}: {found:.2f}, needs {ratio}"


def apart(one: Palette, other: Palette) -> float:
    """How far two designs are apart to the eye: what the area that differs most differs by (CIEDE2000)."""
    return max(distance(getattr(one, area), getattr(other, area)) for area in SEEN_FIRST)


def as_wished(tokens: Tokens) -> Palette:
    """The colours as a design says them, readable or not. Raises KeyError for a token that it lacks."""
    surface = read(tokens["bs-body-bg"])
    wished = {name: _wish(tokens, variables[0], surface) for name, variables in VARIABLES.items()}
    wished["surface"] = surface
    return Palette(**wished)


def settled(wished: Palette) -> Palette:
    """The nearest colours in which every one of `PAIRS` can be read."""
    now = {field.name: getattr(wished, field.name) for field in fields(Palette)}
    dark = wished.dark
    surface = now["surface"]
    away = BLACK if dark else WHITE  # from what is written
    if contrast(now["canvas"], surface) > 1.6:  # made for a page of the other kind
        now["canvas"] = mix(surface, BLACK, 0.22 if dark else 0.05)
    if contrast(now["quiet"], surface) > 1.6:
        now["quiet"] = mix(surface, WHITE if dark else BLACK, 0.09)
    now |= {name: _ground(now[name], away) for name in _GROUNDS}
    surface = now["surface"]
    grounds = [exactly(now[name]) for name in _GROUNDS]
    now |= dict(zip(_GROUNDS, grounds, strict=True))
    pages = [now[name] for name in _PAGES]
    for name in ("ink", "soft"):
        now[name] = readable(now[name], grounds, TEXT)
    for name in ("link", "link_hover"):
        now[name] = readable(now[name], pages, TEXT)
    for name in ("accent", "danger", "control"):
        now[name] = readable(now[name], pages, LARGE)
    if contrast(now["line"], surface) > 4:
        now["line"] = exactly(mix(surface, now["ink"], 0.18))
    now["accent"] = _written_on(now["accent"], now["accent_ink"], pages)
    now |= _button(now["accent"], now["accent_ink"])
    for kind, base in (("accent", now["accent"]), ("danger", now["danger"]), ("warning", now["warning_text"])):
        subtle = now[f"{kind}_subtle"]
        if contrast(subtle, surface) > 2.2:
            subtle = mix(surface, mix(base, away, 0.35), 0.3 if dark else 0.14)
        now[f"{kind}_subtle"] = exactly(_ground(subtle, away))
        now[f"{kind}_text"] = readable(now[f"{kind}_text"], [*pages, now[f"{kind}_subtle"]], TEXT)
    now["accent_line"] = mix(now["accent_subtle"], now["accent"], 0.3)
    return Palette(**{name: exactly(colour) for name, colour in now.items()})


def painted(accent: Colour, ground: float, tint: float, dark: bool) -> Palette:
    """A design of our own: an accent on a ground of this hue (degrees) and strength (0: grey, 1: clearly coloured)."""
    lightness, chroma, hue = to_oklch(accent)

    def on_ground(light: float, strength: float) -> Colour:
        return from_oklch(light, strength * tint, ground)

    def shade(light: float, strength: float, of: float = hue) -> Colour:
        return from_oklch(light, strength, of)

    vivid = min(chroma, 0.16)
    if dark:
        accent = shade(max(lightness, 0.74), max(min(chroma, 0.15), min(chroma, 0.02)))
        wished = Palette(
            surface=on_ground(0.245, 0.035),
            canvas=on_ground(0.19, 0.04),
            quiet=on_ground(0.305, 0.04),
            ink=on_ground(0.95, 0.01),
            soft=on_ground(0.74, 0.03),
            line=on_ground(0.35, 0.035),
            control=on_ground(0.58, 0.03),
            accent=accent,
            accent_ink=shade(0.24, min(vivid, 0.05)),
            accent_hover=accent,
            accent_active=accent,
            accent_text=shade(0.85, min(vivid, 0.11)),
            accent_subtle=shade(0.31, min(vivid, 0.055)),
            accent_line=accent,
            link=shade(0.8, min(vivid, 0.13)),
            link_hover=shade(0.86, min(vivid, 0.1)),
            danger=shade(0.76, 0.14, 30),
            danger_text=shade(0.83, 0.1, 32),
            danger_subtle=shade(0.28, 0.06, 28),
            warning_text=shade(0.88, 0.1, 82),
            warning_subtle=shade(0.29, 0.05, 80),
        )
    else:
        wished = Palette(
            surface=on_ground(0.995, 0.006),
            canvas=on_ground(0.962, 0.024),
            quiet=on_ground(0.93, 0.03),
            ink=on_ground(0.23, 0.02),
            soft=on_ground(0.48, 0.035),
            line=on_ground(0.895, 0.03),
            control=on_ground(0.63, 0.03),
            accent=accent,
            accent_ink=WHITE,
            accent_hover=accent,
            accent_active=accent,
            accent_text=shade(0.4, min(vivid, 0.12)),
            accent_subtle=shade(0.945, min(vivid, 0.04)),
            accent_line=accent,
            link=shade(min(lightness, 0.48), vivid),
            link_hover=shade(0.38, vivid),
            danger=shade(0.52, 0.17, 30),
            danger_text=shade(0.44, 0.16, 32),
            danger_subtle=shade(0.95, 0.025, 35),
            warning_text=shade(0.45, 0.1, 70),
            warning_subtle=shade(0.965, 0.035, 85),
        )
    return settled(wished)


def declarations(palette: Palette) -> str:
    """The palette as CSS, to stand between braces."""
    lines = ["color-scheme:" + ("dark" if palette.dark else "light")]
    for name, variables in VARIABLES.items():
        colour = getattr(palette, name)
        lines += [f"--{variable}:{hex_of(colour)}" for variable in variables]
        lines += [f"--{each}-rgb:{_numbers(colour)}" for each in variables if each in ALSO_AS_NUMBERS]
    return ";".join((*lines, *(_IN_THE_DARK if palette.dark else _IN_THE_LIGHT)))


def tokens_of(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables that a stylesheet sets for light, and those that it sets for dark (over the ones for light)."""
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for found in _BLOCK.finditer(css):
        into = dark if "dark" in found[1] else light
        for name, value in _VARIABLE.findall(found[2]):
            into.setdefault(name, value.strip())
    return light, {**light, **dark}


_BLOCK = re.compile(r"((?::root,\s*)?\[data-bs-theme=[\"']?(?:light|dark)[\"']?\])\s*\{([^}]*)\}")
_VARIABLE = re.compile(r"--([a-z0-9-]+):([^;}]+)")
_IN_THE_LIGHT = (
    "--rc-shadow:0 1px 2px rgb(40 33 20 / 5%),0 12px 32px -12px rgb(40 33 20 / 18%)",
    "--rc-face:92% .045",
    "--rc-face-ink:39% .1",
)
_IN_THE_DARK = (
    "--rc-shadow:0 1px 2px rgb(0 0 0 / 30%),0 16px 40px -12px rgb(0 0 0 / 60%)",
    "--rc-face:37% .06",
    "--rc-face-ink:93% .045",
)
_INSTEAD = {
    "rc-control": "bs-border-color",
    "rc-accent-ink": "bs-white",
    "rc-accent-hover": "bs-primary",
    "rc-accent-active": "bs-primary",
}
"""What is taken of a design that does not know our own variables."""


def _wish(tokens: Tokens, variable: str, surface: Colour) -> Colour:
    value = tokens.get(variable) or tokens[_INSTEAD[variable]]
    for _ in range(4):
        if not (named := re.fullmatch(r"var\(--([a-z0-9-]+)\)", value)):
            break
        value = tokens[named[1]]
    return read(value, surface)


def _ground(ground: Colour, away: Colour) -> Colour:
    """Far enough `away` that something can be written on it."""
    written = BLACK if away == WHITE else WHITE
    while contrast(ground, written) < TEXT + 0.2:
        ground = mix(ground, away, 0.05)
    return ground


def _written_on(accent: Colour, ink: Colour, pages: Sequence[Colour]) -> Colour:
    """The accent moved a little where the design's own ink could nearly be read on it, and would otherwise change."""
    moved = readable(accent, [ink], TEXT)
    near = contrast(ink, accent) >= LARGE
    return moved if near and lowest_contrast(moved, pages) >= LARGE else accent


def _button(accent: Colour, wished: Colour) -> dict[str, Colour]:
    """What stands on the accent, and the accent under the pointer: moved away from what stands on it."""
    light = next((ink for ink in (wished, WHITE, BLACK) if contrast(ink, accent) >= TEXT), BLACK)
    away = BLACK if contrast(light, BLACK) > contrast(light, WHITE) else WHITE
    return {"accent_ink": light, "accent_hover": mix(accent, away, 0.14), "accent_active": mix(accent, away, 0.22)}


def _numbers(colour: Colour) -> str:
    return ", ".join(str(round(part * 255)) for part in colour)
