"""Portraits of people who do not exist, drawn for the trial: flat shapes, the same for the same seed.

Drawn four times as large and shrunk, which smooths every edge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw

Kind = Literal["woman", "man"]
Colour = tuple[int, int, int]
Ink = Colour | int

SIDE = 256
_SCALE = 4
HAIR, HOLE = 255, 0
_GRID = 100  # coordinates below are on a grid of 100 x 100

_SKINS = ("#f3cfb3", "#e8b994", "#d9a077", "#c68863", "#a96f4b", "#8a5638")
_HAIRS = ("#221c1a", "#2f221d", "#3b2a22", "#57392a", "#141317", "#6d6a68")
_CLOTHES = ("#2f4858", "#7b4b94", "#b5523b", "#2a7f62", "#3d5a9e", "#9a3b5a", "#4c4c55", "#c08a2b")
_BACKDROPS = (
    ("#ffd9a0", "#ff9a76"),
    ("#a8e6cf", "#56b7a0"),
    ("#c3d7ff", "#7d9df0"),
    ("#fbc4d8", "#e882ab"),
    ("#e3d3ff", "#a78be0"),
    ("#ffe9a8", "#f2b94a"),
    ("#bfe9f2", "#5fb2cf"),
    ("#d8e8b8", "#93b866"),
)


@dataclass(frozen=True, slots=True)
class _Look:
    skin: Colour
    hair: Colour
    cloth: Colour
    backdrop: tuple[Colour, Colour]
    style: int
    glasses: bool
    beard: bool


@cache
def portrait(seed: str, kind: Kind) -> bytes:
    """A PNG of SIDE x SIDE pixels."""
    look = _look(seed, kind)
    image = _gradient(look.backdrop, SIDE * _SCALE)
    pen = _pen(image)
    if kind == "woman":
        _hair_behind(pen, look)
    _body(pen, look)
    _head(pen, look)
    if look.beard:
        _through(image, look.hair, _beard)
    _through(image, look.hair, (_WOMEN if kind == "woman" else _MEN)[look.style])
    _face(pen, look)
    if look.glasses:
        _glasses(pen)
    out = BytesIO()
    image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()


class _Pen:
    """Draws on the grid of 100."""

    def __init__(self, draw: ImageDraw.ImageDraw, unit: float) -> None:
        self._draw, self._unit = draw, unit

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Ink) -> None:
        self._draw.ellipse(self._box(x - rx, y - ry, x + rx, y + ry), fill=fill)

    def ring(self, x: float, y: float, rx: float, ry: float, colour: Colour, width: float) -> None:
        self._draw.ellipse(self._box(x - rx, y - ry, x + rx, y + ry), outline=colour, width=round(width * self._unit))

    def block(self, left: float, top: float, right: float, bottom: float, radius: float, fill: Ink) -> None:
        self._draw.rounded_rectangle(self._box(left, top, right, bottom), radius * self._unit, fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Ink) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=fill)

    def arc(
        self, x: float, y: float, rx: float, ry: float, angles: tuple[float, float], colour: Colour, width: float
    ) -> None:
        box = self._box(x - rx, y - ry, x + rx, y + ry)
        self._draw.arc(box, angles[0], angles[1], fill=colour, width=round(width * self._unit))

    def slice(self, x: float, y: float, rx: float, ry: float, angles: tuple[float, float], fill: Ink) -> None:
        self._draw.chord(self._box(x - rx, y - ry, x + rx, y + ry), angles[0], angles[1], fill=fill)

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return (left * self._unit, top * self._unit, right * self._unit, bottom * self._unit)


def _look(seed: str, kind: Kind) -> _Look:
    dice = hashlib.sha256(f"{kind} {seed}".encode()).digest()
    first, second = _BACKDROPS[dice[3] % len(_BACKDROPS)]
    return _Look(
        skin=_colour(_SKINS[dice[0] % len(_SKINS)]),
        hair=_colour(_HAIRS[dice[1] % len(_HAIRS)]),
        cloth=_colour(_CLOTHES[dice[2] % len(_CLOTHES)]),
        backdrop=(_colour(first), _colour(second)),
        style=dice[4] % 3,
        glasses=dice[5] % 4 == 0,
        beard=kind == "man" and dice[6] % 4 == 0,
    )


def _colour(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _darker(colour: Colour, share: float = 0.15) -> Colour:
    return _mix(colour, (20, 10, 20), share)


def _gradient(colours: tuple[Colour, Colour], side: int) -> Image.Image:
    slope = Image.linear_gradient("L").resize((side * 3 // 2, side * 3 // 2), Image.Resampling.BICUBIC).rotate(20)
    edge = side // 4
    mask = slope.crop((edge, edge, edge + side, edge + side))
    return Image.composite(Image.new("RGB", (side, side), colours[1]), Image.new("RGB", (side, side), colours[0]), mask)


def _pen(image: Image.Image) -> _Pen:
    return _Pen(ImageDraw.Draw(image), image.width / _GRID)


def _through(image: Image.Image, colour: Colour, cut: Callable[[_Pen], None]) -> None:
    """Paints `colour` where `cut` draws HAIR and not where it then draws HOLE, so that what lies below shows there."""
    mask = Image.new("L", image.size)
    cut(_pen(mask))
    image.paste(colour, mask=mask)


def _body(pen: _Pen, look: _Look) -> None:
    pen.block(17, 76, 83, 130, 22, look.cloth)
    pen.block(43, 60, 57, 82, 6, _darker(look.skin, 0.18))
    pen.shape([(40, 76), (60, 76), (50, 90)], _darker(look.skin, 0.08))
    pen.shape([(38, 74), (50, 90), (43, 97), (33, 78)], _mix(look.cloth, (255, 255, 255), 0.18))
    pen.shape([(62, 74), (50, 90), (57, 97), (67, 78)], _mix(look.cloth, (255, 255, 255), 0.18))


def _head(pen: _Pen, look: _Look) -> None:
    for x in (29.5, 70.5):
        pen.oval(x, 50, 4, 5.5, _darker(look.skin, 0.1))
    pen.oval(50, 46, 20.5, 24.5, look.skin)
    for x in (37.5, 62.5):
        pen.oval(x, 55.5, 3.8, 2.5, _mix(look.skin, (230, 90, 90), 0.22))


def _face(pen: _Pen, look: _Look) -> None:
    ink = (38, 30, 36)
    for x in (42, 58):
        pen.oval(x, 48, 2.1, 2.5, ink)
        pen.oval(x + 0.7, 47.2, 0.7, 0.8, (255, 255, 255))
        pen.arc(x, 45, 4.8, 3.6, (205, 335), _mix(look.hair, look.skin, 0.15), 1.5)
    pen.arc(50, 51.5, 2.2, 3, (35, 145), _darker(look.skin, 0.35), 1.1)
    pen.slice(50, 57.5, 6.2, 5.2, (8, 172), (150, 52, 60))
    pen.slice(50, 57.3, 5.2, 2.6, (8, 172), (252, 250, 248))


def _beard(pen: _Pen) -> None:
    pen.slice(50, 46, 20.5, 24.6, (14, 166), HAIR)
    pen.oval(50, 51, 17, 6.5, HOLE)
    pen.oval(50, 58.8, 7.6, 4.6, HOLE)


def _hair_behind(pen: _Pen, look: _Look) -> None:
    if look.style == 0:
        pen.block(25, 26, 75, 86, 24, look.hair)
    elif look.style == 1:
        pen.block(26, 24, 74, 68, 22, look.hair)
    else:
        pen.oval(50, 18, 10.5, 9.5, look.hair)


def _parted(pen: _Pen) -> None:
    pen.slice(50, 45, 22.5, 26.5, (178, 362), HAIR)
    pen.oval(39, 47, 12.5, 13, HOLE)
    pen.oval(61, 47, 12.5, 13, HOLE)
    pen.block(28, 46, 72, 60, 0, HOLE)


def _fringe(pen: _Pen) -> None:
    pen.slice(50, 45, 22.5, 26.5, (165, 375), HAIR)
    pen.block(32.5, 38, 67.5, 62, 7, HOLE)


def _swept(pen: _Pen) -> None:
    pen.slice(50, 44, 22, 26, (182, 358), HAIR)
    pen.oval(57, 49, 21, 16, HOLE)


def _short(pen: _Pen) -> None:
    pen.slice(50, 41, 21.5, 22.5, (176, 364), HAIR)
    pen.block(32.5, 35.5, 67.5, 60, 6, HOLE)


def _quiff(pen: _Pen) -> None:
    pen.slice(50, 41, 21.8, 23.5, (178, 362), HAIR)
    pen.oval(48, 50, 19, 16.5, HOLE)
    pen.block(28, 44, 72, 60, 0, HOLE)


def _side_parting(pen: _Pen) -> None:
    pen.slice(50, 41, 21.5, 22.5, (176, 364), HAIR)
    pen.shape([(32, 60), (32, 37), (41, 30), (67.5, 39), (68, 60)], HOLE)


_WOMEN = (_parted, _fringe, _swept)
_MEN = (_short, _quiff, _side_parting)


def _glasses(pen: _Pen) -> None:
    frame = (40, 36, 48)
    for x in (42, 58):
        pen.ring(x, 48, 6, 5.4, frame, 1.1)
    pen.arc(50, 47.6, 2.4, 1.6, (190, 350), frame, 1.1)
