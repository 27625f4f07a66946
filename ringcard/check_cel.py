"""Doctor's look at Asterisk's own record of its channels: whether the channel that doctor opened is written there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ari_app.cel import lines_of, row_of
from config.settings import Asterisk
from ringcard.cel_file import at_ms
from ringcard.findings import Finding, ok, warn

NAME = "own record"
WAIT_S = 1.0
TAIL = 1 << 16
HOW = "ringcard init does, and docs/log.md says how"


async def cel(settings: Asterisk, channel_id: str, modules: frozenset[str]) -> Finding:
    """`channel_id`: a channel that was made a moment ago."""
    if not settings.cel_file:
        seen = "what Asterisk writes of its channels is not read: a call that Ringcard did not hear is not in the log"
        return warn(NAME, seen, f"Switch it on, and name the file in asterisk.cel_file: {HOW}.")
    if "cel_custom" not in modules:
        mend = "asterisk -rx 'module load cel_custom.so', where there is a res_cdrel_custom.so after that; " + HOW
        return warn(NAME, "not loaded: cel_custom.so, so Asterisk writes nothing of its channels", mend)
    path = Path(settings.cel_file)
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            if channel_id in await asyncio.to_thread(_told, path):
                return ok(NAME, f"Asterisk writes its channels into {path}")
        except OSError as exc:
            mend = f"Let Asterisk write it (it does not make the folder), and this user read it; {HOW}."
            return warn(NAME, f"cannot read {path}: {exc.strerror}", mend)
        if asyncio.get_running_loop().time() > deadline:
            mend = (
                "Compare cel.conf and cel_custom.conf in /etc/asterisk with those in config/, then: "
                "asterisk -rx 'module reload cel' and asterisk -rx 'module reload cel_custom.so'"
            )
            return warn(NAME, f"the channel that doctor opened is not in {path}", mend)
        await asyncio.sleep(0.05)


def _told(path: Path) -> set[str]:
    """Channels whose beginning stands at the end of the file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        rows = [row_of(line, at_ms) for line, _ in lines_of(file.read())]
    return {row.uniqueid for row in rows if row is not None and row.kind == "CHAN_START"}
