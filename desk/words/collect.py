"""Collects what the desk says out of the code and brings the catalogues beside this file up to date.

A sentence that is new stands in each catalogue with nothing beside it until somebody translates it; one that the code
does not say any more is taken out. `--check` changes nothing and lists what lacks.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FLOORS = ("config", "lookup", "records", "desk", "ringcard")
KEYWORDS: Mapping[str, tuple[int, ...] | None] = {"say": None, "counted": (1, 2), "template": (1,), "templates": (1, 2)}
OF_TEMPLATES: Mapping[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "ngettext": (1, 2)}
"""What each kind of file says with; the numbers are those of the arguments."""

UNKEPT = re.compile(
    r'^"(?:Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|Generated-By).*\n', re.M
)


def said() -> Catalog:
    """All that is said in the code, with the files that say it."""
    catalog = Catalog(project="Ringcard", charset="utf-8", header_comment="# What Ringcard's desk says.\n#")
    for path, method, options in sources():
        text = io.BytesIO(path.read_bytes())
        keywords = OF_TEMPLATES if path.suffix == ".html" else KEYWORDS
        for _, message, comments, context in extract(method, text, keywords, ("translators:",), options):
            place = path.relative_to(ROOT).as_posix()
            catalog.add(message, None, [(place, 0)], auto_comments=comments, context=context)
    return catalog


def sources() -> Iterator[tuple[Path, str, dict[str, str]]]:
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if floor == "config" or "from config.sentences import" in path.read_text(encoding="utf-8"):
                yield path, "python", {}  # in other files `say` is something else
    for path in sorted((ROOT / "desk" / "templates").glob("*.html")):
        yield path, "jinja2.ext:babel_extract", {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
    for path in sorted((ROOT / "desk" / "static").glob("*.js")):
        yield path, "javascript", {}


def main() -> int:
    template = said()
    for path in sorted(HERE.glob("*.po")):
        with path.open("rb") as file:
            held = read_po(file, locale=path.stem)
        held.update(template, no_fuzzy_matching=True)
        held.obsolete.clear()
        lacking = sum(bool(message.id) and not _is_done(message.string) for message in held)
        if "--check" not in sys.argv[1:]:
            path.write_text(written(held), encoding="utf-8")
        print(f"{path.stem}: {len(held)} sentences, {lacking} not translated")
    return 0


def written(catalog: Catalog) -> str:
    """As a file, in an order that stays, without what changes each time or says nothing."""
    text = io.BytesIO()
    write_po(text, catalog, width=120, include_lineno=False, sort_by_file=True)
    return UNKEPT.sub("", text.getvalue().decode())


def _is_done(string: str | tuple[str, ...] | list[str] | None) -> bool:
    return all(string) if isinstance(string, (tuple, list)) else bool(string)


if __name__ == "__main__":
    sys.exit(main())
