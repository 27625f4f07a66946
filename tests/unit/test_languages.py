"""How sentences and values are put into a reader's language, and which language that is."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from babel.messages.catalog import Catalog

from config.languages import LANGUAGES
from config.sentences import counted, say
from desk import formats
from desk.languages import Language, language, liked


def test_a_sentence_is_english_until_it_is_put() -> None:
    assert say("{name} works here no more", name="Dara") == "Dara works here no more"
    assert counted("{n} row", "{n} rows", 1) == "1 row"
    assert counted("{n} row", "{n} rows", 3) == "3 rows"
    assert str(ValueError(say("as it is {here}", here=1))).sentence == "as it is {here}"  # type: ignore[attr-defined]


def test_braces_of_a_value_stay() -> None:
    assert language("ru").put(say("today {name}", name="{0}")) == "today {0}"
    assert language("ru").put("today") == "today", "what is no sentence is somebody's own words"


def test_values_look_as_the_language_writes_them() -> None:
    german, french, chinese, arabic = (language(code) for code in ("de", "fr", "zh", "ar"))
    assert german.put(formats.amount(-123450, "USD")) == "−1.234,50"
    assert french.put(formats.amount(123450, "USD")) == "1\u202f234,50"
    assert language("en").put(formats.amount(123450, "USD")) == "1,234.50"
    assert german.put(formats.full_date(date(2026, 3, 14))) == "14. März 2026"
    assert chinese.put(formats.full_date(date(2026, 3, 14))) == "2026年3月14日"
    assert arabic.put(formats.amount(5, "KWD")) == "0.005", "digits are those of the telephone in every language"
    now = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert formats.day(now, UTC, now.date()) == "today"
    assert (arabic.direction, german.direction) == ("rtl", "ltr")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", ""),
        ("km-KH,km;q=0.9,en;q=0.8", "km"),
        ("it, fr;q=0.5, de;q=0.7", "de"),
        ("zh-Hant-TW", "zh"),
        ("de;q=0, en;q=0.1", "en"),
        ("*;q=0.5, ;;=,ru;q=x", ""),
    ],
)
def test_a_browser_gets_the_language_it_likes_best(header: str, code: str) -> None:
    assert liked(header) == code


def test_the_code_is_of_a_language() -> None:
    assert [language(code).code for code in ("km", "", "xx", "../km")] == ["km", "en", "en", "en"]


def test_a_clause_that_stands_for_itself_is_a_sentence() -> None:
    assert language("en").sentence(say("choose a person, or nobody")) == "Choose a person, or nobody."
    assert language("en").sentence("This is one already.") == "This is one already."
    asks = say("a task needs a title: what is to be done?")
    assert language("en").sentence(asks) == "A task needs a title: what is to be done?"
    assert not [code for code in LANGUAGES if language(code).sentence(asks)[-2] in "?？؟"]


def test_scripts_get_what_is_translated() -> None:
    spoken, catalog = Language("ru"), Catalog(locale="ru")
    for id, string, place in (
        ("Close {title}", "Закрыть {title}", "tabs.js"),
        ("Keep {title}", "", "tabs.js"),
        ("Sign in", "Войти", "sign_in.html"),
        (("{n} tab", "{n} tabs"), ("{n} вкладка", "{n} вкладки", "{n} вкладок"), "tabs.js"),
        (("{n} row", "{n} rows"), ("{n} строка", "", ""), "tabs.js"),
    ):
        catalog.add(id, string, [(place, 0)])
    spoken.__dict__["catalog"] = catalog
    said = spoken.for_scripts.split("texts:")[1]
    assert said == '{"Close {title}":"Закрыть {title}","{n} tab":["{n} вкладка","{n} вкладки","{n} вкладок"]}};\n'
