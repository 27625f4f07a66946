"""Nothing that a customer base holds ends a line of AMI."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ami import read, written


@given(st.text())
def test_a_message_has_the_lines_that_were_meant_whatever_the_value(value: str) -> None:
    raw = written({"Action": "Setvar", "Value": value})
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\n") == raw.count(b"\r") == 3
    assert set(read(raw)) == {"action", "value"}


def test_an_answer_is_read_by_its_keys() -> None:
    raw = b"Response: Error\r\nActionID: ringcard-2\r\nMessage: No such channel: PJSIP/101\r\n\r\n"
    assert read(raw) == {"response": "Error", "actionid": "ringcard-2", "message": "No such channel: PJSIP/101"}


@pytest.mark.parametrize("value", ["x\r\n\r\nAction: Originate", "x\nAction: Command", "x\x00y"])
def test_no_value_begins_another_action(value: str) -> None:
    assert len(read(written({"Value": value}))) == 1
