"""The company's logo: decoded within limits and encoded anew as a PNG, so that what is served is ours.

Drawings (SVG) are not taken: a drawing is a program, and a logo is shown to whoever comes to the sign-in page.
"""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from pathlib import Path

from PIL import Image

from config.sentences import say
from records.errors import NotFound, Refused
from records.photos import keep_file, read_picture

WIDEST, TALLEST = 640, 160
"""Pixels, on every screen twice as many as are shown."""

FORMATS = ("PNG", "JPEG", "WEBP")


def store_logo(data_dir: Path, raw: bytes) -> str:
    """Keeps a logo and returns its name for `company_face.logo`. Raises Refused when it is none, or far too large."""
    picture = read_picture(raw, WIDEST * 2, FORMATS)
    edges = picture.getbbox()
    if edges is None:
        raise Refused(say("the picture has nothing on it"))
    picture = picture.crop(edges)
    picture.thumbnail((WIDEST, TALLEST), Image.Resampling.LANCZOS)
    bare = Image.new("RGBA", picture.size)
    bare.paste(picture)  # without what else was in the file
    out = BytesIO()
    bare.save(out, "PNG", optimize=True)
    name = hashlib.sha256(out.getvalue()).hexdigest()
    folder = data_dir / "logos"
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    keep_file(folder / f"{name}.png", out.getvalue())
    return name


def logo_path(data_dir: Path, name: str) -> Path:
    """The PNG file. Raises NotFound for a name that is none of ours, whatever it is made of."""
    path = data_dir / "logos" / f"{name}.png"
    if not re.fullmatch(r"[0-9a-f]{64}", name) or not path.is_file():
        raise NotFound(say("there is no such logo"))
    return path
