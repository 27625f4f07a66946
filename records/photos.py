"""Photos of customers: decoded within limits, cut to a square and encoded anew, so that what is served is ours.

A picture is kept under the SHA-256 of what was encoded; the same picture twice is one file.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
import threading
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from config.sentences import say
from records.errors import NotFound, Refused

SIZES = (256, 96)
"""Sides in pixels: for the screen, and for the phones that show one."""

MOST_BYTES = 10_000_000
MOST_PIXELS = 25_000_000  # a phone's camera has some 12 million; nine bytes each are needed meanwhile
MOST_OF_JPEG = 50_000_000  # which is decoded straight to about the size that is needed
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # those that browsers send; every further decoder is one more door


_decoding = threading.Lock()  # one at a time: many large ones at once would need more memory than there is


SMALLEST_CROP = 0.05
"""Of the shorter side: below that there is nothing to see."""


@dataclass(frozen=True, slots=True)
class Crop:
    """The square of a picture that is kept, in fractions: where it begins, of the upright picture's width and height,
    and how long its side is, of the shorter of these two.
    """

    x: float
    y: float
    size: float


def read_crop(text: str) -> Crop | None:
    """From "x,y,size"; None for an empty text: the largest square in the middle. Raises Refused."""
    if not text.strip():
        return None
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts if len(part) <= 40]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or len(parts) != 3 or not all(map(math.isfinite, numbers)):
        raise Refused(say("the part of the picture cannot be read; choose it again"))
    x, y, size = numbers
    if not (0 <= x < 1 and 0 <= y < 1 and SMALLEST_CROP <= size <= 1):
        raise Refused(say("the chosen part is not within the picture, or too small; choose it again"))
    return Crop(x, y, size)


def store_photo(data_dir: Path, raw: bytes, crop: Crop | None = None) -> str:
    """Keeps a picture and returns its name for `customers.photo`. Raises Refused when it is none, or far too large."""
    square = _square(raw, crop)
    encoded = {side: _jpeg(square, side) for side in SIZES}
    name = hashlib.sha256(encoded[SIZES[0]]).hexdigest()
    folder = data_dir / "photos"
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for side, body in encoded.items():
        keep_file(folder / _file_name(name, side), body)
    return name


def photo_path(data_dir: Path, name: str, side: int = SIZES[0]) -> Path:
    """The JPEG file. Raises NotFound for a name that is none of ours, whatever it is made of."""
    if not re.fullmatch(r"[0-9a-f]{64}", name) or side not in SIZES:
        raise NotFound(say("there is no such photo"))
    path = data_dir / "photos" / _file_name(name, side)
    if not path.is_file():
        raise NotFound(say("there is no such photo"))
    return path


def _file_name(name: str, side: int) -> str:
    return f"{name}-{side}.jpg"


def read_picture(raw: bytes, side: int, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The picture, upright and with its transparency, about as large as `side` needs. Raises Refused."""
    if len(raw) > MOST_BYTES:
        raise Refused(
            say(
                "the picture has {size} MB; send one of at most {most} MB",
                size=len(raw) // 1_000_000,
                most=MOST_BYTES // 1_000_000,
            )
        )
    try:
        with _decoding, Image.open(BytesIO(raw), formats=formats) as image:
            most = MOST_OF_JPEG if image.format == "JPEG" else MOST_PIXELS
            if image.width * image.height > most:
                raise Refused(
                    say(
                        "the picture has {width} x {height} pixels; send a smaller one",
                        width=image.width,
                        height=image.height,
                    )
                )
            image.draft("RGB", (side, side))
            return ImageOps.exif_transpose(_reduced(image, side)).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise Refused(say("the picture has far too many pixels; send a smaller one")) from exc
    except (OSError, ValueError, SyntaxError, EOFError) as exc:  # what Pillow's decoders raise for damaged files
        raise Refused(
            say("this is no picture that can be read; send one of {formats}", formats=", ".join(formats))
        ) from exc


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """By a whole number, to about as large as is needed, before anything else is done with it."""
    factor = min(image.size) // side
    return image.convert("RGBA").reduce(factor) if factor > 1 else image


def _square(raw: bytes, crop: Crop | None) -> Image.Image:
    upright = read_picture(raw, math.ceil(SIZES[0] * 2 / (crop.size if crop else 1)))
    side = (SIZES[0], SIZES[0])
    if crop is None:
        square = ImageOps.fit(upright, side, Image.Resampling.LANCZOS)
    else:
        square = upright.resize(side, Image.Resampling.LANCZOS, box=_box(crop, *upright.size))
    return Image.alpha_composite(Image.new("RGBA", side, "white"), square).convert("RGB")


def _box(crop: Crop, width: int, height: int) -> tuple[float, float, float, float]:
    """In pixels, within the picture: a browser's last digit may lie beyond its edge."""
    side = min(width, height) * crop.size
    left, top = min(crop.x * width, width - side), min(crop.y * height, height - side)
    return left, top, left + side, top + side


def _jpeg(square: Image.Image, side: int) -> bytes:
    out = BytesIO()
    square.resize((side, side), Image.Resampling.LANCZOS).save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def keep_file(path: Path, body: bytes) -> None:
    """A reader sees the whole file or none."""
    if path.exists():
        return
    handle, half = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
    os.chmod(half, 0o640)
    os.replace(half, path)
