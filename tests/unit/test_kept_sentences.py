"""A sentence that is kept in a column of texts is one again when it is read."""

from __future__ import annotations

import pickle

import pytest

from config.sentences import Sentence, counted, kept, listed, say, told, with_values


def test_a_kept_sentence_is_the_same_sentence() -> None:
    one = say("{file!r}: {rows}, {names}", file="a.csv", rows=counted("{n} row", "{n} rows", 3), names=listed("ab"))
    for again in (told(kept(one)), pickle.loads(pickle.dumps(one))):
        assert again == one == "'a.csv': 3 rows, a, b"
        assert isinstance(again, Sentence)
        assert again.sentence == one.sentence
        assert again.values["rows"].many == "{n} rows"


LOOKS_LIKE_ONE = '{"sentence": "{x:>999999999}", "many": "", "n": 1, "values": {"x": "a"}}'


@pytest.mark.parametrize("text", ["", "as it was written before", '{"sentence": ', LOOKS_LIKE_ONE])
def test_what_is_no_sentence_stays_as_it_is(text: str) -> None:
    assert told(kept(text)) == text


def test_what_was_written_before_sentences_were_kept_stays_as_it_is() -> None:
    for text in ("", "as it was written before", '{"sentence": ', '{"sentence": "{x}", "values": {}}'):
        assert told(text) == text


def test_braces_of_values_stay() -> None:
    assert told(kept(say("{name} is there", name="{0}{__class__}"))) == "{0}{__class__} is there"


def test_values_can_be_changed() -> None:
    one = say("{what} of {n}", what=say("rows in {file}", file="x7.file"), n=5)
    renamed = with_values(one, lambda text: text.replace("x7.file", "customers.csv"))
    assert isinstance(renamed, Sentence)
    assert (renamed, renamed.sentence) == ("rows in customers.csv of 5", one.sentence)
    assert with_values("x7.file is gone", lambda text: text.replace("x7.file", "it")) == "it is gone"


def test_a_list_of_nothing_is_nothing() -> None:
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b, c")
