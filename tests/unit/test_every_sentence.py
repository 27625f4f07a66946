"""Every sentence of the desk is said in every language, and nothing is shown that is no sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from config.languages import LANGUAGES
from desk.languages import language
from desk.words import collect

ROOT = Path(__file__).parents[2]
OTHERS = [code for code in LANGUAGES if code != "en"]
PLACES = re.compile(r"%\(\w+\)s|\{\w+(?:![rs])?\}|</?\w+[^>]*>")
"""What a translation must have as well: values, and the tags of a template."""


@cache
def said() -> Catalog:
    return collect.said()


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ("",))


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_is_said(code: str) -> None:
    held = language(code).catalog
    wanted = {message.id for message in said() if message.id}
    lacking = [str(id) for id in wanted if (one := held.get(id)) is None or not all(forms(one)) or one.fuzzy]
    assert sorted(lacking) == [], f"say it in desk/words/{code}.po; ./run words adds what is new"
    assert sorted(str(message.id) for message in held if message.id and message.id not in wanted) == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_all_that_is_put_into_the_sentence(code: str) -> None:
    wrong = []
    for message in language(code).catalog:
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        wanted = {tuple(sorted(PLACES.findall(id))) for id in ids}
        for form in forms(message):
            has = tuple(sorted(PLACES.findall(form)))
            # A form that stands for exactly one or two may say the number as a word.
            if (
                form
                and has not in wanted
                and not (len(ids) > 1 and set(has) <= {place for each in wanted for place in each})
            ):
                wrong.append((ids[0], form))
            if form and form.count("%") != form.count("%(") + 2 * form.count("%%") and "%(" in form:
                wrong.append((ids[0], form))
    assert wrong == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_can_be_filled_in(code: str) -> None:
    for message in language(code).catalog:
        text = message.id if isinstance(message.id, str) else message.id[0]
        names = re.findall(r"%\((\w+)\)|\{(\w+)", " ".join([text, *message.id[1:]] if text != message.id else [text]))
        values = {one or other: 3 for one, other in names}
        for form in forms(message) if text else ():
            if any(by_percent for by_percent, _ in names) or "%%" in text:
                assert form % values
            elif values:
                assert form.format(**values)
            assert '"' not in form or '"' in text, "it may stand in an attribute"


# --- nothing is shown that is no sentence ---

TEMPLATES = sorted((ROOT / "desk" / "templates").glob("*.html"))
SAID_IN_TAGS = re.compile(r"""\b(?:title|aria-label|placeholder|alt|data-(?:busy|said))="([^"]*)\"""")
OURS = {"Ringcard", "https", "API", "PBX", "Asterisk", "ext", "CSV", "XLSX", "vCard", "OK"}
TYPED = {"light", "dark", "Mon", "Fri", "Sat"}
"""Values of tags, and what is typed as it stands in every language."""


def shown_as_it_stands(text: str) -> Iterator[str]:
    """Words of a template that are in no sentence: between tags, and in attributes that people read or hear."""
    text = re.sub(r"{#.*?#}", "", text, flags=re.S)
    text = re.sub(r"{%-?\s*trans\b.*?{%-?\s*endtrans\s*-?%}", "", text, flags=re.S)
    text = re.sub(r"{% block kind %}.*?{% endblock %}", "", text)  # a class of the page
    text = re.sub(r"{%.*?%}|{{.*?}}", "", text, flags=re.S)
    text = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", text, flags=re.S)
    for attribute in SAID_IN_TAGS.findall(text):
        yield from re.findall(r"[A-Za-z]{2,}", attribute if "width=" not in attribute else "")
    text = re.sub(r"<[^>]*>", " ", text)
    text = re.sub(r"""\b[\w-]+="[^"]*\"""", " ", text)  # attributes that a macro gives to tags
    yield from re.findall(r"(?<!&)[A-Za-z]{2,}(?![A-Za-z]*;)", text)


def said_in_expressions(text: str) -> Iterator[str]:
    """Literals in expressions that look like words for people and are not given to `_`."""
    for code in re.findall(r"{{(.*?)}}|{%(.*?)%}", re.sub(r"{#.*?#}", "", text, flags=re.S), flags=re.S):
        bare = re.sub(r"""(?:_\(|[=!]=)\s*(['"])(?:(?!\1).)*\1""", "", "".join(code))  # compared: not shown
        for literal in re.findall(r"""'([^']*)'|"([^"]*)\"""", bare):
            if re.match(r"[A-Z][a-z]+\b(?!\()|[a-z]+ [a-z]", one := "".join(literal)):
                yield one


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_shows_only_sentences(path: Path) -> None:
    text = path.read_text()
    assert sorted(set(shown_as_it_stands(text)) - OURS - TYPED) == []
    assert sorted(set(said_in_expressions(text)) - OURS) == []


TELLS = {"Refused", "NotFound", "Conflict", "Unfit", "HTTPException", "TooMany", "Step"}
TELLING = {"said", "detail"}
FOR_PROGRAMS = {"dialplan.py", "metrics.py"}


def untold(tree: ast.AST) -> Iterator[int]:
    """Lines where a plain text is raised or shown to somebody."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            texts = list(node.args) if name in TELLS else []
            texts += [word.value for word in node.keywords if word.arg in TELLING]
            yield from (text.lineno for text in texts if isinstance(text, ast.JoinedStr) or is_words(text))


def is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


@pytest.mark.parametrize("floor", ["desk", "records"])
def test_what_is_refused_is_said_in_sentences(floor: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / floor).rglob("*.py"))
        if path.name not in FOR_PROGRAMS
        for line in untold(ast.parse(path.read_text()))
    ]
    assert found == []


SHOWN_BY_SCRIPTS = re.compile(r"""(?<!say\()(?<!counted\()(?<!, )(["`])([A-Z][a-z]+ [^"`]*|[A-Z][a-z]+[.!?])\1""")


@pytest.mark.parametrize("path", sorted((ROOT / "desk" / "static").glob("*.js")), ids=lambda path: path.name)
def test_a_script_shows_only_sentences(path: Path) -> None:
    code = re.sub(r"\(\s+", "(", re.sub(r",\s+", ", ", re.sub(r"(?m)//.*$", "", path.read_text())))
    assert [text for _, text in SHOWN_BY_SCRIPTS.findall(code)] == []
