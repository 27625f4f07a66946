"""Logging: the standard library's, one line for one event, on standard error.

A module says `log = logging.getLogger(__name__)` and `log.info("call", extra={"fields": {"outcome": "answered"}})`: a
few plain words for what happened, and fields for what it happened to. As text that is a line of `key=value`, as JSON
an object. Names and numbers come from callers, so nothing in them can begin a line of its own or colour a terminal.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from config.settings import Log

QUIET = ("alembic", "aiohttp.access", "asyncio", "uvicorn.access")
"""Libraries that tell at "info" or "debug" what only their authors want to know."""


def setup(settings: Log, stream: TextIO | None = None) -> None:
    """Let the whole process log as `settings` say, to `stream` (standard error). A second call replaces the first."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """`2026-03-01T08:00:00.123Z info ari_app.switchboard call outcome=answered name="Sok Dara"`, a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        head = (_moment(record), record.levelname.lower(), record.name, _plain(record.getMessage()))
        pairs = (f"{key}={_word(value)}" for key, value in _fields(record).items())
        trouble = self.formatException(record.exc_info) if record.exc_info else ""
        return "\n    ".join([" ".join((*head, *pairs)), *map(_plain, trouble.splitlines())])


class JsonLines(logging.Formatter):
    """One JSON object per line: `at`, `level`, `logger`, `event`, then the fields, then `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        said |= {key: value for key, value in _fields(record).items() if key not in said}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields


def _word(value: object) -> str:
    """A value as one word: quoted when it holds a blank, a quote or an equals sign, or nothing at all."""
    text = "" if value is None else _plain(str(value))
    return text if text and not any(char in text for char in ' "=') else '"' + text.replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    """`text` without a line break, control or direction character; those are written as their escapes."""
    return "".join(char if char == " " or char.isprintable() else ascii(char)[1:-1] for char in text)
