"""The designs that a person can choose: Ringcard's own, Bootstrap's and those of Bootswatch, each in light and in dark.

Of a foreign design the colours and the corners are taken, from its stylesheet in static/vendor; fonts, capital letters
and textures are not, because names in Khmer or Arabic must be read in every one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from config.sentences import say
from desk import palette
from desk.colours import Colour, from_oklch, hex_of, read
from desk.palette import Palette, Tokens, as_wished, declarations, painted, settled, tokens_of

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"

USUAL = "ringcard"
COMPANY = "company"
"""The design with the company's own accent."""

HUES: Mapping[str, tuple[float, float, float]] = {
    "Paddy": (0.49, 0.12, 150),
    "Jade": (0.56, 0.10, 172),
    "Lagoon": (0.50, 0.09, 205),
    "Mekong": (0.58, 0.12, 238),
    "Indigo": (0.45, 0.17, 268),
    "Iris": (0.58, 0.17, 292),
    "Orchid": (0.47, 0.17, 322),
    "Lotus": (0.60, 0.18, 355),
    "Chilli": (0.50, 0.18, 26),
    "Clay": (0.45, 0.09, 48),
    "Saffron": (0.68, 0.14, 75),
    "Bamboo": (0.52, 0.11, 118),
}
"""Our accents: lightness, chroma and hue of Oklab."""

PAPER, OWN_TINT, OTHER_TINT = (85.0, 0.25), 1.5, 1.4
"""Our grounds: nearly white, of the accent's own hue, or of one far from it."""

HEAD_OF_A_STYLESHEET = 16_000
"""Characters of a Bootstrap stylesheet within which all of its variables stand."""


@dataclass(frozen=True)
class Design:
    name: str  # as addresses and the records have it
    label: str
    family: str
    light: Palette
    dark: Palette
    corner_px: float | None = None  # None: as usual

    @cached_property
    def stylesheet(self) -> str:
        """What is laid over Bootstrap's variables and the desk's own."""
        lines = (
            f':root,[data-bs-theme="light"]{{{declarations(self.light)}}}',
            f'[data-bs-theme="dark"]{{{declarations(self.dark)}}}',
            *self._corners,
            *self._arrows,
        )
        return "\n".join(lines) + "\n"

    @cached_property
    def href(self) -> str:
        """Its address, which changes with its content."""
        return f"/designs/{self.name}.css?v={mark_of(self.stylesheet)}"

    @property
    def _corners(self) -> tuple[str, ...]:
        if self.corner_px is None:
            return ()
        return (f":root{{--round:{self.corner_px:g}px;--round-small:{min(self.corner_px, 12) * 0.75:g}px}}",)

    @property
    def _arrows(self) -> tuple[str, ...]:
        """Of a design that is dark in light mode too: Bootstrap draws a choice's arrow by the mode."""
        return (f'[data-bs-theme="light"] .form-select{{{_LIGHT_ARROW}}}',) if self.light.dark else ()


def apart(one: Design, other: Design) -> float:
    """How far they are apart to the eye, in the mode in which they differ more."""
    return max(palette.apart(one.light, other.light), palette.apart(one.dark, other.dark))


def different(some: Iterable[Design]) -> list[Design]:
    """Of these, taken in their order, each that is no twin of one before."""
    taken: list[Design] = []
    for design in some:
        if all(apart(design, other) > palette.ALIKE for other in taken):
            taken.append(design)
    return taken


def mark_of(css: str) -> str:
    """Changes with the content, so that a browser may keep what has this address."""
    return hashlib.sha256(css.encode()).hexdigest()[:10]


@cache
def designs() -> Mapping[str, Design]:
    """All of them by name, in the order in which they are shown. Without the vendored files: those of our own."""
    css = (STATIC / "design.css").read_text(encoding="utf-8")
    found = [_foreign(USUAL, "Ringcard", "Ringcard", css, *tokens_of(css))]
    for name, accent in HUES.items():
        grounds = {"": PAPER, " mist": (accent[2], OWN_TINT), " dusk": ((accent[2] + 150) % 360, OTHER_TINT)}
        for kind, ground in grounds.items():
            label = name + kind
            found.append(_own(label.lower().replace(" ", "-"), label, from_oklch(*accent), *ground))
    found += _vendored()
    return {design.name: design for design in found}


@cache
def company_design(accent: str) -> Design:
    """Of the company's accent, as "#rrggbb". Raises ValueError."""
    return _own(COMPANY, say("Your company's"), read(accent), *PAPER)


@cache
def previews() -> str:
    """Every design as a class for a small part of a page, with what such a part shows."""
    return "".join(preview(design) for design in designs().values())


def preview(design: Design) -> str:
    """`.sample-NAME` in light and in dark."""
    shown = {"surface": "surface", "canvas": "canvas", "ink": "ink", "line": "line", "accent": "accent"}
    shown |= {"accent_subtle": "subtle", "soft": "soft", "accent_ink": "on"}
    lines = []
    for mode, colours in (("light", design.light), ("dark", design.dark)):
        tokens = ";".join(f"--s-{short}:{hex_of(getattr(colours, name))}" for name, short in shown.items())
        lines.append(f".sample-{design.name} .in-{mode}{{{tokens}}}\n")
    return "".join(lines)


def _own(name: str, label: str, accent: Colour, ground: float, tint: float) -> Design:
    light, dark = (painted(accent, ground, tint, dark) for dark in (False, True))
    return Design(name, label, "Ringcard", light, dark)


def _vendored() -> list[Design]:
    try:
        head = _head(VENDOR / "bootstrap.min.css")
        files = sorted((VENDOR / "designs").glob("*.min.css"))
    except OSError:
        return []
    base_light, base_dark = tokens_of(head)
    found = [_foreign("bootstrap", "Bootstrap", "Bootstrap", head, base_light, base_dark)]
    for file in files:
        css, name = _head(file), file.name.removesuffix(".min.css")
        found.append(_foreign(name, name.capitalize(), "Bootswatch", css, *tokens_of(css)))
    return found


def _foreign(name: str, label: str, family: str, css: str, light: Tokens, dark: Tokens) -> Design:
    light = {"bs-white": "#fff", **light}
    wished = as_wished(light), as_wished({**light, **dark})
    return Design(name, label, family, settled(wished[0]), settled(wished[1]), _corner(light))


def _corner(tokens: Tokens) -> float | None:
    """Of panels, in pixels; Bootstrap's usual one says nothing, and ours stays."""
    said = tokens.get("bs-border-radius", "0.375rem")
    pixels = float(said.removesuffix("rem")) * 16 if said.endswith("rem") else float(said.removesuffix("px") or 0)
    return None if pixels == 6 else min(28.0, pixels * 2)


def _head(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(HEAD_OF_A_STYLESHEET)


_LIGHT_ARROW = (
    "--bs-form-select-bg-img:url(\"data:image/svg+xml,%3csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3e"
    "%3cpath fill='none' stroke='%23dee2e6' stroke-linecap='round' stroke-linejoin='round' stroke-width='2' "
    "d='m2 5 6 6 6-6'/%3e%3c/svg%3e\")"
)
