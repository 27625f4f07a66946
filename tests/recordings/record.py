"""Records scenarios into ari/NAME.jsonl: `python -m tests.recordings.record [NAME ...]`; no name: all that have none.

Every event that Asterisk has to tell, one JSON object a line, as they come to an application that subscribes to all.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp

from ringcard.lab import Lab
from tests.fixtures.lab import leftovers
from tests.scenarios import SCENARIOS, Stage, play

HERE = Path(__file__).parent / "ari"
QUIET_S = 0.3


async def record(lab: Lab, name: str) -> int:
    """How many events the scenario had."""
    lines: list[str] = []
    async with aiohttp.ClientSession(headers={"Authorization": lab.authorization}) as session:
        everything = {"app": "recorder", "subscribeAll": "true"}
        async with session.ws_connect(f"{lab.ari_url}/events", params=everything, max_msg_size=0) as events:

            async def listen() -> None:
                lines.extend([" ".join(message.data.split("\n")) async for message in events])

            listening = asyncio.create_task(listen())
            await play(name, Stage(lab))
            await leftovers(lab)
            await asyncio.sleep(QUIET_S)
            await events.close()
            await listening
    (HERE / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


async def main(names: list[str]) -> None:
    with Lab() as lab:
        for name in names:
            print(f"{name}: {await record(lab, name)} events", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or [name for name in SCENARIOS if not (HERE / f"{name}.jsonl").exists()]))
