"""A company that has Ringcard: its PBX, its data, and Ringcard's processes as a company would run them.

For tests in which something dies: each process can be started, killed, frozen and let go on, by name.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from config.settings import Settings, load
from ringcard.keys import with_keys
from ringcard.lab import NODE, Lab

MANAGED = "+85523900001"
"""The DID whose callers are sent to their manager; the company's own way for it is a menu."""

READY_S = 20.0


class Company:
    def __init__(self, lab: Lab, folder: Path, port: int, *, redis_url: str = "", database_url: str = "") -> None:
        self.lab = lab
        self.folder = folder
        self.file = folder / "ringcard.toml"
        self.file.write_text(
            f"""
[company]
name = "Angkor Trade"
country = "KH"
time_zone = "Asia/Phnom_Penh"
[store]
data_dir = "data"
redis_url = "{redis_url}"
database_url = "{database_url}"
[asterisk]
node = "{NODE}"
ari_url = "{lab.ari_url}"
username = "{lab.ari_user}"
password = "{lab.password}"
[desk]
port = {port}
[agi]
port = {port + 1}
[dids."{MANAGED}"]
policy = "route"
""",
            encoding="utf-8",
        )
        self.settings: Settings = with_keys(load(self.file, {}))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # --- processes

    def start(self, *roles: str) -> None:
        """Start `ringcard run ROLE` for each; "" is the supervisor with all of them. See `ready`."""
        for role in roles:
            command = [
                sys.executable,
                "-m",
                "ringcard.cli",
                "--config",
                str(self.file),
                "run",
                *([role] if role else []),
            ]
            with (self.folder / f"{role or 'run'}.log").open("ab") as log:
                self._processes[role] = subprocess.Popen(
                    command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
                )

    def pid(self, role: str) -> int:
        return self._processes[role].pid

    def kill(self, role: str) -> None:
        self._processes[role].kill()
        self._processes.pop(role).wait()

    def freeze(self, role: str) -> None:
        os.kill(self.pid(role), signal.SIGSTOP)

    def thaw(self, role: str) -> None:
        os.kill(self.pid(role), signal.SIGCONT)

    def stop(self, *roles: str) -> dict[str, int]:
        """End in order, as Ctrl-C does; the exit status of each."""
        ended = {}
        for role in roles or tuple(self._processes):
            process = self._processes.pop(role)
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                ended[role] = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"{role} did not end in 20 s:\n{self.log(role)}") from None
        return ended

    def log(self, role: str) -> str:
        return (self.folder / f"{role or 'run'}.log").read_text(errors="replace")

    # --- what can be asked of it

    async def listening(self) -> None:
        """The ARI application takes calls."""
        await self._until(lambda: self.lab.ari("GET", "applications/ringcard")[0] == 200, "the ARI application")

    async def desk_ready(self) -> None:
        await self._until(lambda: self.health().get("status") == "ok", "the desk")

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.settings.public_url}/health", timeout=2) as answer:
                body: dict[str, Any] = json.load(answer)
                return body
        except OSError:
            return {}

    async def _until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + READY_S
        while not await asyncio.to_thread(holds):
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {role or 'run'}\n{self.log(role)[-2000:]}" for role in self._processes)
                raise AssertionError(f"{what} was not ready in {READY_S:.0f} s\n{logs}")
            await asyncio.sleep(0.05)
