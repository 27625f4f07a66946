"""One event is one line that a person and a program can read, whatever a caller is called."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.logging import QUIET, setup
from config.settings import Log

log = logging.getLogger("ari_app.switchboard")

Said = Callable[..., str]


@pytest.fixture
def said() -> Iterator[Said]:
    """Log one event under the given settings and get what was written."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in QUIET}

    def one(message: str, *args: object, form: str = "text", level: str = "info", at: str = "info", **more: Any) -> str:
        stream = io.StringIO()
        setup(Log(level=level, format=form), stream)  # type: ignore[arg-type]
        getattr(log, at)(message, *args, **more)
        return stream.getvalue()

    root.handlers[:] = []  # the test runner's own would be closed
    yield one
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for name, was in before[2].items():
        logging.getLogger(name).setLevel(was)


def test_text_is_a_moment_a_level_a_place_an_event_and_fields(said: Said) -> None:
    line = said("call", extra={"fields": {"outcome": "answered", "name": "Sok Dara", "wait_s": 1.5, "who": None}})
    moment, rest = line.split(" ", 1)
    assert moment[10] == "T"
    assert moment.endswith("Z")
    assert rest == 'info ari_app.switchboard call outcome=answered name="Sok Dara" wait_s=1.5 who=""\n'


def test_json_is_one_object_with_the_same(said: Said) -> None:
    line = json.loads(said("call", form="json", extra={"fields": {"outcome": "answered", "at": "never", "id": 7}}))
    assert line.pop("at") != "never"
    assert line == {
        "level": "info",
        "logger": "ari_app.switchboard",
        "event": "call",
        "outcome": "answered",
        "id": 7,
    }


def test_arguments_are_put_into_the_message(said: Said) -> None:
    assert said("redis is gone: %s", "refused").endswith("redis is gone: refused\n")


def test_what_is_below_the_level_is_not_said(said: Said) -> None:
    assert said("call", level="warning") == ""
    assert said("call", level="warning", at="warning") != ""


def test_a_second_set_up_replaces_the_first(said: Said) -> None:
    said("call")
    assert said("call").count("call\n") == 1
    assert len(logging.getLogger().handlers) == 1


def test_a_traceback_is_kept_and_stays_with_its_event(said: Said) -> None:
    try:
        raise ValueError("bad\nnews")
    except ValueError:
        text = said("failed", at="exception")
        line = json.loads(said("failed", at="exception", form="json"))
    assert "ValueError: bad" in text
    assert [part for part in text.splitlines() if not part.startswith("    ")] == [text.splitlines()[0]]
    assert line["exception"].endswith("ValueError: bad\nnews")


def test_a_callers_name_cannot_begin_a_line_or_colour_a_terminal(said: Said) -> None:
    line = said("call %s", "Evil\r\n2026 info", extra={"fields": {"name": 'x\x1b[31m\u202e"y\u2028'}})
    assert line.count("\n") == 1
    assert line.endswith('call Evil\\r\\n2026 info name="x\\x1b[31m\\u202e\\"y\\u2028"\n')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(), form=st.sampled_from(["text", "json"]))
def test_no_text_makes_logging_fail_or_takes_two_lines(said: Said, form: str, text: str) -> None:
    line = said("call", form=form, extra={"fields": {"name": text}})
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
