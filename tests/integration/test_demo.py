"""The demo leaves nothing behind, however it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import port

READY = "Ctrl-C stops everything"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_demo_that_is_told_to_end_takes_all_that_it_started_with_it(short_folder: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "ringcard.cli", "demo", "--port", str(port(18790))]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(short_folder)},
    ) as demo:
        try:
            assert demo.stdout is not None
            assert any(READY in line for line in demo.stdout), "it ended before it was ready"
            assert len(running_in(short_folder)) > 5  # Asterisk, telephones, Redis, Ringcard's own
            demo.send_signal(how)
            said = demo.stdout.read()
            assert (demo.wait(30), "Nothing of the demo is left running" in said) == (0, True)
        finally:
            demo.kill()
    assert running_in(short_folder) == []
    assert list(short_folder.iterdir()) == []


def running_in(folder: Path) -> list[str]:
    """Processes that work in the folder or were given a path in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in words or str(folder) in os.readlink(process / "cwd"):
                found.append(words.replace("\0", " "))
        except OSError:
            continue
    return found
