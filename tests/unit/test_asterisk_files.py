"""config/asterisk_files.py: what is there is read as Asterisk reads it, and what is not asked for stays as it was."""

from __future__ import annotations

from difflib import ndiff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.asterisk_files import section, sections, with_ending, with_more, with_values

TEXT = """; a comment with [no-section] and key = value
[general](+)
enabled=no          ; not yet
;enabled = yes
list => a,b         ; with \\; in it
--;not the end of anything
;--
[general]
enabled = comment
--; after = it
[tpl](!,base)
context = from-tpl
[phone](tpl)
type = endpoint
[phone]
type = aor
#include other.conf
"""


def test_it_is_read_as_asterisk_reads_it() -> None:
    found = [(each.name, each.values) for each in sections(TEXT)]
    assert found == [
        ("", {}),
        ("general", {"enabled": "no", "list": "a,b", "after": "it"}),
        ("tpl", {"context": "from-tpl"}),
        ("phone", {"context": "from-tpl", "type": "endpoint"}),
        ("phone", {"type": "aor"}),
    ]
    assert [each.name for each in sections(TEXT) if each.is_template] == ["tpl"]
    assert section(TEXT, "phone").values["type"] == "endpoint"
    assert section(TEXT, "none").values == {}


def changed(before: str, after: str) -> list[str]:
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_a_value_is_changed_where_it_stands() -> None:
    assert changed(TEXT, with_values(TEXT, "general", {"enabled": "yes"})) == [
        "- enabled=no          ; not yet",
        "+ enabled = yes",
    ]


def test_of_sections_of_one_name_the_one_of_that_type_is_changed() -> None:
    after = with_values(TEXT, "phone", {"context": "ours"}, type="endpoint")
    assert changed(TEXT, after) == ["+ context = ours"]
    assert [each.values.get("context") for each in sections(after) if each.name == "phone"] == ["ours", None]


def test_a_section_that_is_not_there_is_made_at_the_end() -> None:
    assert with_values("", "mappings", {"a.csv": "${X}"}, arrow="=>") == "[mappings]\na.csv => ${X}\n"
    assert with_values("x = 1", "s", {"a": "1"}) == "x = 1\n\n[s]\na = 1\n"
    assert with_values("x = 1\n", "", {"a": "1"}) == "x = 1\na = 1\n"


def test_lines_that_may_stand_there_many_times_are_added_once() -> None:
    text = "[modules]\nautoload = no\nload = a.so\n\n[other]\nload = b.so\n"
    after = with_more(text, "modules", "load", ["a.so", "b.so", "c.so"])
    assert after == "[modules]\nautoload = no\nload = a.so\nload = b.so\nload = c.so\n\n[other]\nload = b.so\n"
    assert section(after, "modules").all_of("load") == ["a.so", "b.so", "c.so"]
    assert with_ending(with_ending(text, "#tryinclude x"), "#tryinclude x") == text + "\n#tryinclude x\n"


@pytest.mark.parametrize(("on", "text"), [(True, "YES"), (True, "1"), (False, "no"), (False, "")])
def test_what_asterisk_takes_for_yes(on: bool, text: str) -> None:
    assert section(f"[modules]\nautoload = {text}\n", "modules").is_on("autoload") is on


names = st.text("abc", min_size=1, max_size=2)
lines = st.lists(
    st.one_of(
        names.map(lambda name: f"[{name}]"),
        st.tuples(names, names).map(lambda pair: f"{pair[0]} = {pair[1]} ; why"),
        st.sampled_from(["", "; words = words", "#include x", ";-- a", "--; b = c", "b = c ;-- b = d"]),
    ),
    max_size=12,
)


@given(lines, names, names, names, st.sampled_from(["\n", "\r\n"]))
def test_one_value_is_set_and_nothing_else_is_touched(
    before: list[str], name: str, key: str, value: str, end: str
) -> None:
    text = "".join(line + end for line in before)
    after = with_values(text, name, {key: value})
    if not {";-- a", "b = c ;-- b = d"} & set(
        before
    ):  # else what is added at the end may be within a comment that nobody closed
        assert section(after, name).values[key] == value
        assert with_values(after, name, {key: value}) == after
    difference = [line[0] for line in ndiff(text.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert difference.count("-") <= 1
    assert set(text.splitlines(keepends=True)) - set(after.splitlines(keepends=True)) <= {
        line for line in text.splitlines(keepends=True) if line.removeprefix("--; ").startswith(f"{key} =")
    }
    assert [after.count(mark) for mark in (";--", "--;")] == [text.count(mark) for mark in (";--", "--;")]


def test_a_comment_of_many_lines_stays_closed_when_the_line_that_closes_or_opens_it_is_changed() -> None:
    text = "[a]\n;-- was\n--; b = c\nd = e ;-- and\n--;\n[f]\n"
    assert with_values(text, "a", {"b": "1", "d": "2"}) == "[a]\n;-- was\n--; b = 1\nd = 2 ;-- and\n--;\n[f]\n"
