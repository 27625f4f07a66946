"""Nobody's password stands in what is shipped, but for that of the trial."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from records.trial import TRIAL_PASSWORD

HOME = Path(__file__).parents[2]
SHIPPED = ("ringcard", "ari_app", "agi", "desk", "lookup", "records", "config", "dialplan")
WORDS = re.compile(r"password|secret|token", re.IGNORECASE)
KNOWN = {
    "TRIAL_PASSWORD",  # of the trial alone
    "SAMPLE_PASSWORD",  # of the sample ari.conf: `ringcard init` never writes it
}


def _name(node: ast.expr) -> str | None:
    """The last name of what is called or assigned to: `hash_password` of `passwords.hash_password`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return None


def _named_texts(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every text that is given to something with a name: assigned, by default, or as an argument."""
    for node in ast.walk(tree):
        pairs: list[tuple[str | None, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_name(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(_name(node.target), node.value)]
        elif isinstance(node, ast.keyword):
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.arguments):
            arguments = [*node.posonlyargs, *node.args]
            pairs = [(arg.arg, value) for arg, value in zip(reversed(arguments), reversed(node.defaults), strict=False)]
            pairs += [(arg.arg, value) for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
        for name, value in pairs:
            if name and isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield name, value.value


@cache
def _python() -> list[tuple[Path, ast.AST]]:
    files = [file for folder in SHIPPED for file in (HOME / folder).rglob("*.py")]
    assert len(files) > 150
    return [(file, ast.parse(file.read_text(encoding="utf-8"))) for file in files]


def test_no_password_secret_or_token_has_a_value_in_the_code() -> None:
    found = {
        (str(file.relative_to(HOME)), name, value)
        for file, tree in _python()
        for name, value in _named_texts(tree)
        if WORDS.search(name) and name not in KNOWN
    }
    assert found == set()


def test_people_get_passwords_that_somebody_gave_and_none_from_the_code() -> None:
    for file, tree in _python():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in ("add_user", "set_password", "hash_password"):
                texts = [ast.unparse(arg) for arg in node.args if isinstance(arg, ast.Constant)]
                assert texts == [], file


def test_the_password_of_the_trial_is_used_by_the_trial_alone() -> None:
    users = [
        str(file.relative_to(HOME))
        for file, _ in _python()
        if "TRIAL_PASSWORD" in file.read_text(encoding="utf-8") or TRIAL_PASSWORD in file.read_text(encoding="utf-8")
    ]
    assert sorted(users) == ["records/trial.py", "ringcard/demo.py"]
    texts = [file for folder in SHIPPED for file in (HOME / folder).rglob("*") if file.suffix in (".toml", ".conf")]
    assert texts
    for file in texts:
        assert TRIAL_PASSWORD not in file.read_text(encoding="utf-8"), file


def test_the_sample_settings_hold_no_password() -> None:
    said = re.findall(
        r"^#?\s*(\w*(?:password|secret|token))\s*=\s*\"([^\"]*)\"",
        (HOME / "config" / "ringcard.toml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {name for name, _ in said} >= {"password", "secret", "dialplan_token"}
    assert [value for _, value in said if value] == []
