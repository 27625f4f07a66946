"""The dialplan and the program call the same things by the same names, and data stays where it cannot run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookup import channel_values

FILES = sorted((Path(__file__).parents[2] / "dialplan").glob("*.conf"))
NUMBERED = {channel_values.ROUTE, channel_values.RING, channel_values.SCREEN}
CHOSEN_BY_A_STRANGER = (
    r"CALLERID\((name|num)\)|EXTEN|RINGCARD_(ANSWER|AFTER|BLOCK|CARD_URL|PHOTO_URL|VCARD_URL|REASON|CUSTOMER_ID|CALL_ID)"
    r"|RINGCARD_(CALLED_NAME|SCREENS|SCREEN_\d)|ringcard_agent"
    r"|ringcard_(name|received|url|asked)"
)


def applications(file: Path) -> Iterator[tuple[str, str]]:
    """Each application of a dialplan file with its arguments."""
    for line in file.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\s*(?:exten|same) => (?:[^,]+,)?(?:n|\d+)(?:\(\w+\))?,(\w+)\((.*)\)", line)
        if found:
            yield found[1], found[2]


def test_there_is_a_dialplan() -> None:
    assert FILES
    assert sum(1 for _ in applications(FILES[0])) > 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_variable_in_the_dialplan_is_a_constant_of_the_program(file: Path) -> None:
    used = set(re.findall(r"RINGCARD_[A-Z0-9_]+", file.read_text(encoding="utf-8")))
    known = channel_values.ALL | NUMBERED
    assert used <= known, f"unknown to lookup/channel_values.py: {sorted(used - known)}"


def test_every_variable_of_the_program_is_in_the_dialplan() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    written = {name for name in channel_values.ALL if not name.startswith(tuple(NUMBERED))} | NUMBERED
    assert [name for name in sorted(written) if name not in text] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_a_stranger_chose_stands_only_on_the_right_hand_side_of_set(file: Path) -> None:
    for application, arguments in applications(file):
        if application == "Set":
            arguments = arguments.partition("=")[0]
        harmless = re.sub(r"\$\{LEN\((\$\{[^}]*\})+\)\}|\$\{CALLERID\(num-pres\):0:6\}", "", arguments)
        dialled = re.sub(r"\$\{EXTEN\},1$", "", harmless)  # Goto(context,${EXTEN},1), where the pattern allows digits
        assert not re.search(rf"\$\{{({CHOSEN_BY_A_STRANGER})\b", dialled), f"{application}({arguments})"
