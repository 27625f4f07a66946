"""The program that Asterisk starts for one call, met through its standard streams: it always ends, and ends well."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

REQUEST = b"agi_request: /usr/bin/ringcard-agi\nagi_callerid: 012345678\nagi_uniqueid: 1.8\n\n"


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    (folder / "ringcard.toml").write_text('company.country = "KH"\nstore.data_dir = "."\n')
    command = [sys.executable, "-m", "ringcard.agi_once", f"--config={folder / 'ringcard.toml'}", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(
    "said",
    [b"", REQUEST, REQUEST + b"520 Invalid command syntax.\n", REQUEST + b"520-Usage\nmore of it\n"],
    ids=["nothing", "a request", "usage in one line", "usage without an end"],
)
def test_an_asterisk_that_falls_silent_is_not_waited_for(tmp_path: Path, said: bytes) -> None:
    with start(tmp_path, "--within=1") as process:
        assert process.stdin
        process.stdin.write(said)
        process.stdin.flush()
        began = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - began > 0.5, "it waited for Asterisk, as long as it may"


def test_an_asterisk_that_goes_away_inside_a_usage_text_does_not_leave_it_running(tmp_path: Path) -> None:
    with start(tmp_path, "--within=1") as process:
        process.communicate(REQUEST + b"520-Usage\nmore of it\n", timeout=30)
        assert process.returncode == 0


def test_an_asterisk_that_goes_away_ends_it_at_once(tmp_path: Path) -> None:
    with start(tmp_path, "--within=600") as process:
        _, complaint = process.communicate(REQUEST, timeout=30)
        assert process.returncode == 0
        assert b"the call goes on as it is" in complaint


@pytest.mark.parametrize("arguments", [("--config=/nowhere.toml",), ("--within=soon",)])
def test_wrong_arguments_are_told_and_the_call_goes_on(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with start(tmp_path, *arguments) as process:
        said, complaint = process.communicate(REQUEST, timeout=30)
        assert (process.returncode, said) == (0, b"")
        assert b"the call goes on as it is" in complaint
