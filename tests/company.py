"""A company that has Ringcard: its PBX, its data, and Ringcard's processes as a company would run them.

For tests in which something dies: each process can be started, killed, frozen and let go on, by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, select
from sqlalchemy.orm import selectinload

from config.settings import Settings, load
from lookup.notices import LiveCall
from lookup.redis_notices import RedisNotices
from records.customers import add_customer
from records.database import open_database, reading, writing
from records.migrate import migrate
from records.tables import CallRow
from records.users import add_user, seat, user_by_login
from ringcard import compose
from ringcard.from_settings import redis_url
from ringcard.keys import with_keys
from ringcard.lab import NODE, Lab
from ringcard.redis_server import server_folder

MENU, DIRECT, GROUP, QUEUE, FAX = (f"+8552390000{n}" for n in (1, 2, 3, 4, 5))
"""The company's five numbers; what is behind each: config/lab/extensions.conf."""

MANAGED = MENU
"""The DID whose callers are sent to their manager; the company's own way for it is a menu."""

READY_S = 60.0
WORKER = "west"
MISTAKES = ("Traceback", "ResourceWarning", "never retrieved", "was never awaited", "was destroyed", "set aside")
"""What none of our processes may ever write into its log."""


class Company:
    """`more` is TOML that the settings file ends with. `cel`: the log is completed from Asterisk's own record.

    `before` are words that each process is started with, for one that runs elsewhere or has another clock. `ari_url`
    and `desk_host` are then where its PBX is and where its desk is open. `busy` as in [routing]: its telephones take
    many calls at once, so that calls flow to those for whom they are, unless a test wants to see people who talk passed
    over. Several `workers` of the supervisor share the calls.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        port: int,
        *,
        redis_url: str = "",
        database_url: str = "",
        cel: bool = False,
        more: str = "",
        before: Sequence[str] = (),
        ari_url: str = "",
        desk_host: str = "127.0.0.1",
        busy: str = "ring",
        workers: int = 1,
    ) -> None:
        self._environment = {**os.environ, "RINGCARD_ROUTING__BUSY": busy}
        self.lab = lab
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._before = before
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
ari_url = "{ari_url or lab.ari_url}"
username = "{lab.ari_user}"
password = "{lab.password}"
cel_file = "{lab.cel_file if cel else ""}"
ari_workers = {workers}
worker = "{WORKER if workers > 1 else ""}"
[desk]
host = "{desk_host}"
port = {port}
[agi]
port = {port + 1}
[dids."{MANAGED}"]
policy = "route"
{more}
""",
            encoding="utf-8",
        )
        self.settings: Settings = with_keys(load(self.file, {}))
        self._applications = [f"ringcard-{WORKER}-{n}" for n in range(1, workers + 1)] if workers > 1 else ["ringcard"]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = 0
        self._database: Engine | None = None

    # --- processes

    def start(self, *roles: str) -> None:
        """Start `ringcard run ROLE` for each; "" is the supervisor with all of them. See `listening`.

        "ari-2" is a second process of the role "ari"; "ari-a" one that shares the calls, and is named a;
        "ari@branch" one of a further node.
        """
        for role in roles:
            command = [
                *("setpriv", "--pdeathsig", "TERM", "--"),
                *self._before,
                *(sys.executable, "-W", "default::ResourceWarning"),
                *("-m", "ringcard.cli", "--config", str(self.file), "run", *_words(role)),
            ]
            with (self.folder / f"{role or 'run'}.log").open("ab") as log:
                self._processes[role] = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env=self._environment,
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

    def child(self, role: str) -> int:
        """Process id of one of the supervisor's own processes, or of "redis"."""
        if role == "redis":
            return int((server_folder(self.settings.data_dir) / "redis.pid").read_text())
        if role not in (children := self.children()):
            raise AssertionError(f"the supervisor has no process {role}:\n{self.log('')[-2000:]}")
        return children[role]

    def children(self) -> dict[str, int]:
        """Process ids of the supervisor's own processes; those of several workers are ari-west-1, ari-west-2."""
        supervisor = self.pid("")
        found = {}
        for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            with contextlib.suppress(OSError):
                _, run, words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").rpartition("\0run\0")
                if run:
                    found["-".join(word for word in words.split("\0") if not word.startswith("--"))] = int(pid)
        return found

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

    def close(self) -> None:
        """End whatever still runs, and let go of the records."""
        try:
            self.stop()
        finally:
            if self._database is not None:
                self._database.dispose()
                self._database = None

    def log(self, role: str) -> str:
        path = self.folder / f"{role or 'run'}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def last_words(self) -> str:
        """The ends of the logs of all processes that run."""
        return "\n".join(f"--- {role or 'run'}\n{self.log(role)[-2000:]}" for role in self._processes)

    def mistakes(self) -> list[str]:
        """Lines of our processes' logs that say that something of ours is broken."""
        logs = "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))
        return [line for line in logs.splitlines() if any(mistake in line for mistake in MISTAKES)]

    # --- what can be asked of it

    async def listening(self, within_s: float = READY_S) -> None:
        """The ARI application takes calls, or each of those that share them."""
        for name in self._applications:
            await self.until(
                partial(lambda path: self.lab.ari("GET", path)[0] == 200, f"applications/{name}"), name, within_s
            )

    async def desk_ready(self, within_s: float = READY_S) -> None:
        await self.until(lambda: self.health().get("status") == "ok", "the desk", within_s)

    async def said(self, role: str, words: str, times: int = 1) -> None:
        """The process has written these words into its log so often, in all its lives."""
        await self.until(lambda: self.log(role).count(words) >= times, f"{role or 'run'} saying {words!r}")

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.settings.public_url}/health", timeout=2) as answer:
                body: dict[str, Any] = json.load(answer)
                return body
        except OSError:
            return {}

    async def figures(self) -> dict[str, float]:
        """GET /metrics: each figure by its name and its labels, in order of their names, as Prometheus writes them."""

        def asked() -> str:
            with urllib.request.urlopen(f"{self.settings.public_url}/metrics", timeout=5) as answer:
                page: bytes = answer.read()
                return page.decode()

        page = await asyncio.to_thread(asked)
        return {
            sample.name + "{" + ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items())) + "}": (
                sample.value
            )
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

    async def live(self) -> list[LiveCall]:
        """The live calls as the desk is told them, without those that have ended."""
        notices = RedisNotices(redis_url(self.settings))
        try:
            _, calls = await notices.snapshot()
        finally:
            await notices.close()
        return [call for call in calls if not call.ended_ms]

    def logged(self, since: datetime) -> list[CallRow]:
        """Calls in the log that began since then, in the order in which they began, with their legs and people."""
        wanted = select(CallRow).where(CallRow.started_at >= since).order_by(CallRow.started_at)
        with reading(self.database) as session:
            whole = (selectinload(CallRow.legs), selectinload(CallRow.answered_by), selectinload(CallRow.customer))
            return list(session.scalars(wanted.options(*whole)))

    async def until(self, holds: Callable[[], object], what: str, within_s: float = READY_S) -> None:
        deadline = time.monotonic() + within_s
        while not await asyncio.to_thread(holds):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {within_s:.0f} s\n{self.last_words()}")
            await asyncio.sleep(0.05)

    # --- its records

    @property
    def database(self) -> Engine:
        if self._database is None:
            self._database = open_database(self.settings.database_url)
            migrate(self._database)
        return self._database

    def hire(
        self, login: str, name: str, *phones: str, team: str = "", deputy: str = "", outside: Sequence[str] = ()
    ) -> int:
        """A person at these phones, `outside` at these numbers; the id."""
        with writing(self.database) as session:
            stands_in = user_by_login(session, deputy) if deputy else None
            user = add_user(session, login, name, "a long password", team=team, deputy=stands_in)
            for phone in phones:
                seat(session, user.id, NODE, phone)
            for number in outside:
                seat(session, user.id, NODE, number, inside=False)
            return user.id

    def customer(self, name: str, manager_id: int | None = None, number: str = "", **fields: Any) -> str:
        """A customer; the number they call from, one that nobody had before unless it is given."""
        number = number or self.new_number()
        with writing(self.database) as session:
            reader = compose.reader(self.settings)
            add_customer(session, reader, name=name, numbers=[number], manager_id=manager_id, **fields)
        return number

    def customers(self, count: int, manager_id: int) -> dict[str, str]:
        """So many customers of one manager: their numbers, which nobody called from yet, with their names."""
        names = {number: f"Customer {number[-6:]}" for number in (self.new_number() for _ in range(count))}
        with writing(self.database) as session:
            reader = compose.reader(self.settings)
            for number, name in names.items():
                add_customer(session, reader, name=name, numbers=[number], manager_id=manager_id)
        return names

    def new_number(self) -> str:
        """A mobile number that nobody called from yet."""
        self._numbers += 1
        return f"+85512{self._numbers:06}"


def _words(role: str) -> list[str]:
    what, _, node = role.partition("@")
    what, _, name = what.partition("-")
    worker = ["--worker", name] if name.isalpha() else []
    return [*filter(None, [what]), *worker, *(["--node", node] if node else [])]


def now() -> datetime:
    """To the millisecond, as the log keeps times."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
