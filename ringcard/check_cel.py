"""Doctor's look at Asterisk's own record of its channels: whether the channel that doctor opened is written there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ari_app.cel import lines_of, row_of
from config.sentences import say
from config.settings import Asterisk
from ringcard.cel_file import at_ms
from ringcard.findings import Finding, ok, warn

NAME = say("own record")
WAIT_S = 1.0
TAIL = 1 << 16
HOW = say("ringcard init does, and docs/log.md says how")


async def cel(settings: Asterisk, channel_id: str, modules: frozenset[str]) -> Finding:
    """`channel_id`: a channel that was made a moment ago."""
    if not settings.cel_file:
        seen = say(
            "what Asterisk writes of its channels is not read: a call that Ringcard did not hear is not in the log"
        )
        return warn(NAME, seen, say("Switch it on, and name the file in asterisk.cel_file: {how}.", how=HOW))
    if "cel_custom" not in modules:
        mend = say(
            "asterisk -rx 'module load cel_custom.so', where there is a res_cdrel_custom.so after that; {how}", how=HOW
        )
        return warn(NAME, say("not loaded: cel_custom.so, so Asterisk writes nothing of its channels"), mend)
    path = Path(settings.cel_file)
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            if channel_id in await asyncio.to_thread(_told, path):
                return ok(NAME, say("Asterisk writes its channels into {path}", path=str(path)))
        except OSError as exc:
            mend = say("Let Asterisk write it (it does not make the folder), and this user read it; {how}.", how=HOW)
            return warn(NAME, say("cannot read {path}: {why}", path=str(path), why=exc.strerror), mend)
        if asyncio.get_running_loop().time() > deadline:
            mend = say(
                "Compare cel.conf and cel_custom.conf in /etc/asterisk with those in config/, then: asterisk -rx "
                "'module reload cel' and asterisk -rx 'module reload cel_custom.so'"
            )
            return warn(NAME, say("the channel that doctor opened is not in {path}", path=str(path)), mend)
        await asyncio.sleep(0.05)


def _told(path: Path) -> set[str]:
    """Channels whose beginning stands at the end of the file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        rows = [row_of(line, at_ms) for line, _ in lines_of(file.read())]
    return {row.uniqueid for row in rows if row is not None and row.kind == "CHAN_START"}
