"""Asterisk's file of channel events is read on to its end, whatever it is called meanwhile."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ari_app.cel import Position
from ringcard import cel_file
from ringcard.cel_file import CelFile
from tests.unit.test_cel import line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ringcard.csv"


@pytest.fixture(autouse=True)
def nothing_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cel_file, "SETTLED_S", -1.0)


class Reader:
    """Reads as the worker does, and counts what it has read."""

    def __init__(self, path: Path) -> None:
        self.file = CelFile(path)
        self.at = Position()
        self.read: list[int] = []

    def read_on(self) -> list[int]:
        """The numbers of the events that were read now."""
        before = len(self.read)
        more = True
        while more:
            piece = self.file.read(self.at)
            self.read += [row.at_ms // 1000 for row, _ in piece.rows]
            self.at, more = piece.end, piece.more
        return self.read[before:]


def event(number: int) -> bytes:
    return line("CHAN_START", number, name="two\nlines")


def append(path: Path, *numbers: int) -> None:
    with path.open("ab") as file:
        for number in numbers:
            file.write(event(number))


def renamed(path: Path, to: str) -> None:
    path.rename(path.with_name(path.name + to))


def copied(path: Path, to: str) -> None:
    shutil.copy(path, path.with_name(path.name + to))
    os.truncate(path, 0)


def compressed(path: Path, to: str) -> None:
    path.with_name(path.name + to + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


WAYS = (renamed, copied, compressed)


def test_what_is_appended_is_read_once(path: Path) -> None:
    reader = Reader(path)
    append(path, 1, 2)
    assert reader.read_on() == [1, 2]
    assert reader.read_on() == []
    append(path, 3)
    assert reader.read_on() == [3]


def test_a_file_that_is_not_there_yet_is_read_when_it_comes(path: Path) -> None:
    reader = Reader(path)
    with pytest.raises(FileNotFoundError):
        reader.read_on()
    path.touch()
    assert reader.read_on() == []
    append(path, 1)
    assert reader.read_on() == [1]


def test_half_a_line_is_read_when_it_is_whole(path: Path) -> None:
    reader, second = Reader(path), event(2)
    append(path, 1)
    for end in range(len(second)):
        path.write_bytes(event(1) + second[:end])
        reader.read_on()
    path.write_bytes(event(1) + second)
    reader.read_on()
    assert reader.read == [1, 2]


@pytest.mark.parametrize("turned_over", WAYS)
def test_a_file_that_is_turned_over_is_read_to_its_end(path: Path, turned_over: Callable[[Path, str], None]) -> None:
    reader = Reader(path)
    append(path, 1, 2)
    reader.read_on()
    append(path, 3)
    turned_over(path, ".1")
    reader.read_on()
    append(path, 4)
    reader.read_on()
    assert reader.read == [1, 2, 3, 4]


@pytest.mark.parametrize("turned_over", WAYS)
def test_one_who_was_away_while_it_was_turned_over_twice_misses_nothing(
    path: Path, turned_over: Callable[[Path, str], None]
) -> None:
    reader = Reader(path)
    append(path, 1, 2)
    reader.read_on()
    append(path, 3)
    turned_over(path, "-20261125")
    append(path, 4, 5)
    turned_over(path, "-20261126")
    append(path, 6)
    reader.read_on()
    assert reader.read == [1, 2, 3, 4, 5, 6]
    append(path, 7)
    assert reader.read_on() == [7]


def test_what_is_gone_for_good_is_said_and_reading_goes_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(path)
    append(path, 1, 2)
    reader.read_on()
    path.unlink()
    append(path, 5, 6)
    assert reader.read_on() == [5, 6]
    assert caplog.text.count("is gone") == 1


def test_a_large_file_is_read_piece_by_piece(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cel_file, "AT_ONCE", 1000)
    append(path, *range(1, 200))
    reader = Reader(path)
    assert reader.read_on() == list(range(1, 200))


def test_reading_goes_on_from_where_a_line_begins(path: Path) -> None:
    append(path, 1, 2, 3)
    piece = CelFile(path).read(Position())
    for number, (_, begins) in enumerate(piece.rows, 1):
        again = CelFile(path).read(begins)
        assert [row.at_ms // 1000 for row, _ in again.rows] == list(range(number, 4))
