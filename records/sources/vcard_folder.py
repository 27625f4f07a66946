"""A folder of vCards, as address books and synchronising programs write it: only changed files are read again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from config.sentences import say
from config.settings import Source
from records.errors import Refused
from records.intake.rows import Cell, Meaning, Row
from records.intake.vcards import Vcards, look_at_vcards
from records.sources.reading import FileSeen, Known

SETTLED_S = 2.0
"""A file that changed so lately may change once more without its time showing it."""


class FolderReading:
    kind = "vCard"
    unit = "card"
    full = True
    since = ""

    def __init__(self, folder: Path, known: Known) -> None:
        self._files, self._known = _listed(folder), known.files
        self.files: tuple[FileSeen, ...] | None = ()
        self._kept: list[str] = []
        any_file = Vcards(folder, "")
        self.headers: tuple[str, ...] = any_file.headers
        self.meanings: tuple[Meaning | None, ...] = any_file.meanings

    def rows(self) -> Iterator[Row]:
        seen: list[FileSeen] = []
        count = 0
        for path in self._files:
            mark, before = _mark(path), self._known.get(path.name)
            if before and before.mark and before.mark == mark:
                self._kept += before.external_ids
                seen.append(before)
                continue
            ids: list[str] = []
            whole = True
            for number, row in enumerate(look_at_vcards(path).rows(), 1):
                count += 1
                if row.problem:
                    whole = False
                    yield replace(row, number=count, problem=f"in {path.name} {row.problem}")
                    continue
                cells = dict(row.cells)
                if not row.text("external_id"):
                    cells["external_id"] = (Cell(f"{path.name}#{number}", "", "UID"),)
                row = replace(row, number=count, cells=cells)
                ids.append(row.text("external_id"))
                yield row
            if not (whole and mark and mark == _mark(path)):
                # It may be half written, so whoever was in it is there, and it is read again next time.
                mark = ""
                self._kept += before.external_ids if before else ()
                ids += before.external_ids if before else ()
            seen.append(FileSeen(path.name, mark, tuple(dict.fromkeys(ids))))
        self.files = tuple(seen)

    def kept(self) -> Iterable[str]:
        return self._kept


@contextmanager
def open_folder(source: Source, known: Known, full: bool) -> Iterator[FolderReading]:
    """Raises Refused when the folder, or a file in it, cannot be read."""
    yield FolderReading(Path(source.folder), Known() if full else known)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".vcf" and not path.is_dir())
    except OSError as exc:
        raise Refused(say("cannot read the folder {folder}: {why}", folder=str(folder), why=exc.strerror)) from exc


def _mark(path: Path) -> str:
    """Empty for a file that changed just now."""
    try:
        found = path.stat()
    except OSError as exc:
        raise Refused(say("cannot read {path}: {why}", path=str(path), why=exc.strerror)) from exc
    return "" if time.time() - found.st_mtime < SETTLED_S else f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"
