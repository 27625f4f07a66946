"""Asterisk's file of channel events, read from where it was read to, under whatever name it is now.

Asterisk opens the file for each event, so it may be renamed, or copied and emptied, at any time. What was read of it is
known by a mark of its first line and not by its name: the rest of a file that was turned over is read where it lies,
plain or compressed, and then those that came after it.
"""

from __future__ import annotations

import gzip
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from ari_app.cel import Position, Row, lines_of, row_of

log = logging.getLogger(__name__)

AT_ONCE = 1 << 19
"""Bytes of one piece; some two thousand lines."""

HEAD = 512
SETTLED_S = 2.0
"""A file that was turned over is finished when nothing was written to it for so long."""


@dataclass(frozen=True, slots=True)
class Piece:
    rows: tuple[tuple[Row, Position], ...]  # each with where its line begins
    end: Position
    more: bool  # there is more to be read now


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    mark: str
    began_ms: int


class CelFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, after: Position) -> Piece:
        """The next piece. Raises OSError: there is no such file, or we may not read it."""
        now = self._look(self._path)
        if now is not None and (not after.mark or now.mark == after.mark):
            return self._piece(now, after.offset if after.mark else 0)
        if not after.mark:
            self._path.stat()
            return Piece((), after, False)
        files = sorted(self._all(), key=lambda found: found.began_ms)
        at = next((place for place, found in enumerate(files) if found.mark == after.mark), None)
        if at is None:
            if not files:
                self._path.stat()
                return Piece((), after, False)
            log.warning("the file of channel events that was read to now is gone; going on with %s", files[-1].path)
            return Piece((), Position(files[-1].mark, 0), True)
        piece = self._piece(files[at], after.offset)
        settled = time.time() - files[at].path.stat().st_mtime > SETTLED_S
        if piece.more or at + 1 == len(files) or not settled:
            return piece
        return Piece(piece.rows, Position(files[at + 1].mark, 0), True)

    def _all(self) -> Iterator[_Found]:
        """This file and those that were turned over."""
        for path in self._path.parent.glob(f"{self._path.name}*"):
            found = self._look(path)
            if found is not None:
                yield found

    def _look(self, path: Path) -> _Found | None:
        """None: nothing is in it yet."""
        try:
            with _opened(path) as file:
                head = file.read(HEAD)
        except (FileNotFoundError, EOFError, gzip.BadGzipFile):
            return None
        line, end, _ = head.partition(b"\n")
        if not end and len(head) < HEAD:
            return None
        try:
            began_ms = at_ms(line.split(b'","')[1].decode("ascii"))
        except (IndexError, ValueError):
            began_ms = 0
        return _Found(path, sha256(line).hexdigest()[:16], began_ms)

    def _piece(self, found: _Found, offset: int) -> Piece:
        with _opened(found.path) as file:
            file.seek(offset)
            raw = file.read(AT_ONCE)
        rows: list[tuple[Row, Position]] = []
        begins = read_to = 0
        for line, ends in lines_of(raw):
            row = row_of(line, at_ms)
            if row is not None:
                rows.append((row, Position(found.mark, offset + ends - len(line))))
            begins = read_to = ends
        full = len(raw) == AT_ONCE
        if full and not begins:  # no line is that long
            read_to = len(raw)
        return Piece(tuple(rows), Position(found.mark, offset + read_to), full)


def at_ms(text: str) -> int:
    """Seconds since the epoch as Asterisk writes them, or a dateformat like FreePBX's, in this machine's time zone.

    Raises ValueError.
    """
    try:
        return round(float(text) * 1000)
    except ValueError:
        return round(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def readable(path: Path) -> str:
    """Why it cannot be read; empty when it can."""
    try:
        with path.open("rb"):
            return ""
    except OSError as exc:
        return os.strerror(exc.errno or 0)
