"""Colours as numbers: how well one can be read on another, how far two are apart to the eye, and how one is moved until
it can be read. Pure.

A colour is three numbers from 0 to 1, of sRGB. What CSS writes is read by `read`; `hex_of` writes it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

Colour = tuple[float, float, float]
Lab = tuple[float, float, float]

BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)

TEXT = 4.5
"""Contrast that WCAG 2.2 asks for at level AA (1.4.3): of text."""

LARGE = 3.0
"""Of large text, and of what shows a control or its state (1.4.11)."""

STEP = 0.005  # of lightness, from 0 to 1
_NAMED = {"black": "#000000", "white": "#ffffff", "transparent": "#00000000"}
_FUNCTION = re.compile(r"rgba?\(([^)]*)\)")


def read(css: str, below: Colour = WHITE) -> Colour:
    """A colour as a stylesheet writes it (#rgb, #rrggbb, #rrggbbaa, rgb(), rgba()); what shines through is `below`.

    Raises ValueError for anything else.
    """
    text = _NAMED.get(css.strip().lower(), css.strip().lower())
    if text.startswith("#"):
        digits = text[1:]
        if len(digits) in (3, 4):
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) not in (6, 8) or not re.fullmatch(r"[0-9a-f]+", digits):
            raise ValueError(f"{css!r} is no colour")
        parts = [int(digits[at : at + 2], 16) / 255 for at in range(0, len(digits), 2)]
    elif found := _FUNCTION.fullmatch(text):
        parts = [_part(each, at) for at, each in enumerate(re.split(r"[\s,/]+", found[1].strip()))]
        if len(parts) not in (3, 4):
            raise ValueError(f"{css!r} is no colour")
    else:
        raise ValueError(f"{css!r} is no colour")
    alpha = parts[3] if len(parts) == 4 else 1.0
    return mix(below, (parts[0], parts[1], parts[2]), alpha)


def hex_of(colour: Colour) -> str:
    """ "#rrggbb"."""
    return "#" + "".join(f"{round(_within(part) * 255):02x}" for part in colour)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other, as color-mix(in srgb) and transparent layers do it."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21, as WCAG 2.2 defines it."""
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def lowest_contrast(colour: Colour, others: Iterable[Colour]) -> float:
    return min(contrast(colour, other) for other in others)


def readable(colour: Colour, grounds: Sequence[Colour], ratio: float) -> Colour:
    """The nearest colour of the same hue, darker or lighter, that has this contrast on every ground.

    Where none has, the one of black and white that can be read best.
    """
    lightness, chroma, hue = to_oklch(colour)
    best = max((BLACK, WHITE), key=lambda end: lowest_contrast(end, grounds))
    towards = -STEP if best == BLACK else STEP
    for step in range(round(1 / STEP) + 1):
        moved = lightness + step * towards
        if not 0 <= moved <= 1:
            break
        tried = exactly(colour) if step == 0 else exactly(from_oklch(moved, chroma, hue))
        if lowest_contrast(tried, grounds) >= ratio:
            return tried
    return best


def exactly(colour: Colour) -> Colour:
    """As it is written in six digits, so that what was worked out is what is shown."""
    return read(hex_of(colour))


def to_oklch(colour: Colour) -> tuple[float, float, float]:
    """Lightness (0 to 1), chroma (0 to some 0.4) and hue (degrees) of Oklab (Ottosson 2020)."""
    red, green, blue = (_linear(part) for part in colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def from_oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """The colour; one that no screen shows loses chroma until it can be shown."""
    while True:
        found = _unclipped(lightness, chroma, hue)
        if chroma <= 0 or all(-0.0005 <= part <= 1.0005 for part in found):
            return _within(found[0]), _within(found[1]), _within(found[2])
        chroma = max(0.0, chroma - 0.004)


def distance(one: Colour, other: Colour) -> float:
    """How far two colours are apart to the eye: CIEDE2000. 1 is just seen side by side, 100 is black and white."""
    return ciede2000(_lab(one), _lab(other))


def ciede2000(one: Lab, other: Lab) -> float:
    """The same of two colours of CIELAB, by the formula as Sharma, Wu and Dalal write it (2005)."""
    light_1, a_1, b_1 = one
    light_2, a_2, b_2 = other
    mean_7 = ((math.hypot(a_1, b_1) + math.hypot(a_2, b_2)) / 2) ** 7
    stretch = 1.5 - 0.5 * math.sqrt(mean_7 / (mean_7 + 25**7))
    chroma_1, chroma_2 = math.hypot(a_1 * stretch, b_1), math.hypot(a_2 * stretch, b_2)
    hue_1 = math.degrees(math.atan2(b_1, a_1 * stretch)) % 360
    hue_2 = math.degrees(math.atan2(b_2, a_2 * stretch)) % 360
    grey = chroma_1 * chroma_2 == 0
    turn = 0.0 if grey else (hue_2 - hue_1 + 180) % 360 - 180
    by_hue = 2 * math.sqrt(chroma_1 * chroma_2) * math.sin(math.radians(turn / 2))
    light, chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2
    hue = hue_1 + hue_2 if grey else (hue_1 + turn / 2) % 360
    weight = (
        1
        - 0.17 * math.cos(math.radians(hue - 30))
        + 0.24 * math.cos(math.radians(2 * hue))
        + 0.32 * math.cos(math.radians(3 * hue + 6))
        - 0.20 * math.cos(math.radians(4 * hue - 63))
    )
    by_light = (light_2 - light_1) / (1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2))
    by_chroma = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)
    by_hue /= 1 + 0.015 * chroma * weight
    turned = 60 * math.exp(-(((hue - 275) / 25) ** 2))
    together = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(math.radians(turned))
    return math.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + together * by_chroma * by_hue)


def _part(text: str, at: int) -> float:
    whole = 1.0 if at == 3 else 255.0
    return _within(float(text[:-1]) / 100 if text.endswith("%") else float(text) / whole)


def _within(part: float) -> float:
    return min(1.0, max(0.0, part))


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _unclipped(lightness: float, chroma: float, hue: float) -> Colour:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short),
    )


def _lab(colour: Colour) -> Lab:
    """CIELAB under D65."""
    red, green, blue = (_linear(part) for part in colour)
    x = _bent((0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047)
    y = _bent(0.2126729 * red + 0.7151522 * green + 0.0721750 * blue)
    z = _bent((0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _bent(part: float) -> float:
    return math.cbrt(part) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
