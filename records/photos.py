"""Photos of customers: decoded within limits, cut to a square and encoded anew, so that what is served is ours.

A picture is kept under the SHA-256 of what was encoded; the same picture twice is one file.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from records.errors import NotFound, Refused

SIZES = (256, 96)
"""Sides in pixels: for the screen, and for the phones that show one."""

MOST_BYTES = 10_000_000
MOST_PIXELS = 50_000_000  # a phone's camera has some 12 million; four bytes each are needed to decode
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # those that browsers send; every further decoder is one more door


def store_photo(data_dir: Path, raw: bytes) -> str:
    """Keeps a picture and returns its name for `customers.photo`. Raises Refused when it is none, or far too large."""
    square = _square(raw)
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
        raise NotFound("there is no such photo")
    path = data_dir / "photos" / _file_name(name, side)
    if not path.is_file():
        raise NotFound("there is no such photo")
    return path


def _file_name(name: str, side: int) -> str:
    return f"{name}-{side}.jpg"


def read_picture(raw: bytes, side: int, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The picture, upright and with its transparency; a JPEG only about as large as `side` needs. Raises Refused."""
    if len(raw) > MOST_BYTES:
        raise Refused(f"the picture has {len(raw) // 1_000_000} MB; send one of at most {MOST_BYTES // 1_000_000} MB")
    try:
        with Image.open(BytesIO(raw), formats=formats) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused(f"the picture has {image.width} x {image.height} pixels; send a smaller one")
            image.draft("RGB", (side, side))  # JPEG decodes straight to about the size that is needed
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise Refused("the picture has far too many pixels; send a smaller one") from exc
    except (OSError, ValueError, SyntaxError, EOFError) as exc:  # what Pillow's decoders raise for damaged files
        raise Refused(f"this is no picture that can be read; send one of {', '.join(formats)}") from exc


def _square(raw: bytes) -> Image.Image:
    upright = read_picture(raw, SIZES[0] * 2)
    white = Image.new("RGBA", upright.size, "white")
    fitted = ImageOps.fit(Image.alpha_composite(white, upright), (SIZES[0], SIZES[0]), Image.Resampling.LANCZOS)
    return fitted.convert("RGB")


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
