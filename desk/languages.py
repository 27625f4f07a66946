"""The languages of the desk: which there are, which one a request asks for, and what a sentence is in one of them.

English stands in the code and in the templates; `desk/words/` has a catalogue for each other language, in the format of
GNU gettext. What a rule or the records said (`config.sentences`) is put into the reader's language where it is shown.
"""

from __future__ import annotations

import gettext
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import HTTPConnection
from starlette.responses import Response

from config.languages import LANGUAGES
from config.sentences import Sentence, say
from desk.formats import Local

WORDS = Path(__file__).parent / "words"
ENDS = (".", "?", "!", "。", "？", "！", "។", "؟")
COOKIE = "ringcard-language"
COOKIE_S = 5 * 365 * 86_400

_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}
"""Where the locale is not the language alone: days before months, and the letters of the mainland."""


@dataclass(frozen=True)
class Language:
    """One language, ready to speak. `code` is its BCP 47 tag, as `lang` of a page has it."""

    code: str

    @cached_property
    def locale(self) -> Locale:
        return Locale.parse(_LOCALES.get(self.code, self.code))

    @property
    def direction(self) -> str:
        """ltr | rtl"""
        return str(self.locale.text_direction)

    @cached_property
    def catalog(self) -> Catalog:
        """All that is said in it, as the file has it; empty for English."""
        if self.code == "en":
            return Catalog(locale="en")
        with (WORDS / f"{self.code}.po").open("rb") as file:
            return read_po(file, locale=self.code)

    @cached_property
    def _translations(self) -> gettext.NullTranslations:
        if self.code == "en":
            return gettext.NullTranslations()
        compiled = io.BytesIO()
        write_mo(compiled, self.catalog)
        compiled.seek(0)
        return gettext.GNUTranslations(compiled)

    def gettext(self, text: str) -> str:
        return self._translations.gettext(text) if text else ""

    def ngettext(self, one: str, many: str, n: int) -> str:
        return self._translations.ngettext(one, many, n)

    def put(self, text: Any) -> Any:
        """What was said, in this language; a value that looks different in each; anything else as it is."""
        if self.code == "en":
            return text
        if isinstance(text, Sentence):
            sentence = self.ngettext(text.sentence, text.many, text.n) if text.many else self.gettext(text.sentence)
            values = {name: self.put(value) for name, value in text.values.items()}
            return sentence.format(**values) if values else sentence
        return text.put(self.locale) if isinstance(text, Local) else text

    def sentence(self, clause: str) -> str:
        """What a rule said, standing for itself: "choose a person" -> "Choose a person." """
        said = str(self.put(clause))
        said = said[:1].upper() + said[1:]
        return said if said.endswith(ENDS) else str(self.put(say("{said}.", said=said)))

    @cached_property
    def for_scripts(self) -> str:
        """A script that has the sentences of our own scripts in this language, and which of its forms `n` takes."""
        texts = dict(_of_scripts(self.catalog))
        said = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
        return f"globalThis.ringcardWords={{form:(n)=>Number({self.catalog.plural_expr}),texts:{said}}};\n"

    @cached_property
    def scripts_href(self) -> str:
        """Changes with what it says."""
        return f"/words/{self.code}.js?v={hashlib.sha256(self.for_scripts.encode()).hexdigest()[:10]}"


@cache
def language(code: str) -> Language:
    """`code` is one of LANGUAGES; anything else is English."""
    return Language(code if code in LANGUAGES else "en")


def asked_for(connection: HTTPConnection, usual: str) -> str:
    """Of who has chosen none as a person: what this browser was told before, else what it says that it likes to read,
    else the company's."""
    chosen = connection.cookies.get(COOKIE, "")
    return chosen if chosen in LANGUAGES else liked(connection.headers.get("accept-language", "")) or usual


def liked(header: str) -> str:
    """The first of our languages in an Accept-Language (RFC 9110, 12.5.4), or nothing."""
    ranked = sorted(_ranges(header), key=lambda each: -each[1])
    tags = (tag.partition("-")[0].lower() for tag, weight in ranked if weight > 0)
    return next((tag for tag in tags if tag in LANGUAGES), "")


def keep(connection: HTTPConnection, response: Response, code: str) -> None:
    """Have this browser remember a chosen language: for what it asks for without a person, and for the sign-in page."""
    if code and connection.cookies.get(COOKIE) != code:
        https = connection.url.scheme == "https"
        response.set_cookie(COOKIE, code, max_age=COOKIE_S, path="/", secure=https, httponly=True, samesite="lax")


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE)


def _ranges(header: str) -> Iterable[tuple[str, float]]:
    for part in header.split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") or "1"
        try:
            yield tag.strip(), float(weight)
        except ValueError:
            yield tag.strip(), 0.0


def _of_scripts(catalog: Catalog) -> Iterable[tuple[str, str | list[str]]]:
    """What is not translated is left out, so that a script says it in English."""
    for message in catalog:
        if message.id and any(place.endswith(".js") for place, _ in message.locations):
            if isinstance(message.id, (tuple, list)):
                if message.string and all(message.string):
                    yield message.id[0], list(message.string)
            elif message.string:
                yield message.id, str(message.string)
