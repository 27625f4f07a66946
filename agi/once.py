"""The classic AGI: Asterisk starts a process for one call, talks with it over its standard streams, waits for its end.

pyst2's AGI class leads the dialogue. It escapes nothing, so every command is made by `agi.conversation`; and when
Asterisk goes away in the middle of a usage text it reads on for ever, so whoever starts such a process sets `end_after`
first. FastAGI (`agi.server`) answers a hundred times sooner; this is for a PBX where no server of ours may run.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Mapping
from typing import Any, TextIO

from asterisk.agi import AGI, AGIError, AGIHangup

from agi.conversation import Reply, Request
from agi.scripts import Finder, scripts
from config.settings import Settings


def end_after(seconds: float) -> None:
    """End this process then, with success, wherever it is; the call goes on as it is."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, seconds)


async def converse(finder: Finder, settings: Settings, heard: TextIO, said: TextIO) -> None:
    """Lead the one conversation, as `who_calls` of the FastAGI server does. In the main thread only.

    Raises AGIError when Asterisk hangs up or does not speak AGI, ValueError when it says nothing at all.
    """
    # pyst2 copies the whole dialogue, names and numbers, to what it takes for its error stream: Asterisk's console.
    channel = _Pyst2Channel(AGI(heard, said, io.StringIO()))
    request = Request("who_calls", _without_options(channel.headers))
    await scripts(finder, settings)["who_calls"](request, channel)


class _Pyst2Channel:
    def __init__(self, agi: AGI) -> None:
        self._agi = agi

    @property
    def headers(self) -> Mapping[str, str]:
        return dict(self._agi.env)

    async def ask(self, command: bytes) -> Reply:
        """Blocks, which is in nobody's way: this process has one call."""
        try:
            answer: Mapping[str, Any] = self._agi.execute(command.decode().rstrip("\n"))
        except AGIHangup:
            raise
        except AGIError as exc:
            return Reply(520, value=" ".join(str(exc).split()))
        return Reply(200, *answer["result"])


def _without_options(headers: Mapping[str, str]) -> dict[str, str]:
    """Arguments for this process (--config=...) are none of the script's; the others move up."""
    arguments = [value for name, value in headers.items() if name.startswith("agi_arg_") and not value.startswith("--")]
    kept = {name: value for name, value in headers.items() if not name.startswith("agi_arg_")}
    return {**kept, **{f"agi_arg_{n}": value for n, value in enumerate(arguments, 1)}}
