"""Text files whose encoding nobody says."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TextIO

from config.sentences import say
from records.errors import Refused


def encoding_of(path: Path) -> str:
    """UTF-8 when all of it is, UTF-16 by its mark, else CP1251, which Excel writes on a Russian Windows."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            decoder = codecs.getincrementaldecoder("utf-8")()
            decoder.decode(start)
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1251"
    except OSError as exc:
        raise Refused(say("cannot read {path}: {why}", path=str(path), why=exc.strerror)) from exc
    return "utf-8-sig"


def opened(path: Path, encoding: str) -> TextIO:
    """What cannot be decoded is replaced; line ends stay as they are. Raises Refused."""
    try:
        return path.open(encoding=encoding, errors="replace", newline="")
    except OSError as exc:
        raise Refused(say("cannot read {path}: {why}", path=str(path), why=exc.strerror)) from exc
