"""What the records refuse can be said in the reader's language, however much of it there is."""

from __future__ import annotations

import pytest

from config.sentences import say
from desk.languages import Language
from records.errors import Unfit

WRONG = {"name": say("write a name"), "email": say("{text!r} is no address", text="me"), "custom.plan": "as it came"}


def test_what_is_wrong_with_several_fields_is_one_text() -> None:
    assert str(Unfit({"name": say("write a name")})) == "name: write a name"
    assert str(Unfit(WRONG)) == "name: write a name; email: 'me' is no address; custom.plan: as it came"


def test_each_part_of_it_is_said_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    russian = {"{field}: {what}": "{field} — {what}", "{before}; {after}": "{before}. {after}", "write a name": "имя?"}
    monkeypatch.setattr(Language, "gettext", lambda _, text: russian.get(text, text))
    assert Language("ru").put(str(Unfit(WRONG))) == "name — имя?. email — 'me' is no address. custom.plan — as it came"
