"""A beat from outside: `python -m tests.bench.pace PER_SECOND COUNT` writes one byte at each.

Lookups are begun by it as calls are begun by a message from Asterisk: something became readable. Timers of an event
loop would not do, they go by whole milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress


async def beats(per_second: float, count: int) -> AsyncIterator[int]:
    """0, 1, 2 ... each when its time has come."""
    pacer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(per_second), str(count), stdout=asyncio.subprocess.PIPE
    )
    assert pacer.stdout is not None
    try:
        for number in range(count):
            await pacer.stdout.readexactly(1)
            yield number
    finally:
        with suppress(ProcessLookupError):
            pacer.kill()
        await pacer.wait()


def main(per_second: float, count: int) -> None:
    began = time.monotonic() + 0.1
    for number in range(count):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        os.write(1, b".")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
