"""`ringcard demo`: the whole product with a small company's data, and customers who call.

Everything is real and throw-away: an Asterisk and a Redis of its own, a database, the desk, telephones that ring and
are answered. It lives in one folder and ends with Ctrl-C. `ring` makes one more call into a running demo.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from config.settings import Settings, Trunk, load
from desk.languages import language
from lookup import numbers
from records import trial_company as company
from records.database import open_database
from records.migrate import migrate
from records.trial import TRIAL_PASSWORD, fill_trial
from ringcard.keys import with_keys
from ringcard.lab import NODE, Lab
from ringcard.phones import Outcome, Phone, PhoneError, call
from ringcard.private_asterisk import cache_dir

PHONES = {"101": 4.0, "102": 6.0, "103": 8.0, "104": 5.0}  # each is answered after so many seconds
MANAGED = "+85523900001"
"""The number of ours that sends customers to their manager; in the lab company it is the menu."""

READY_S = 30.0
TALK_S = 8.0
PAUSE_S = 12.0
WHO = ("known", "shared", "unknown", "withheld")


class DemoError(Exception):
    """The demo cannot go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a running demo takes calls: enough to call it from another terminal."""

    pid: int
    net: str
    address: str
    desk: str


def main_demo(desk_port: int, calls: int | None, spoken: str) -> int:
    """Run the demo until Ctrl-C, or until `calls` calls were made, of a company that speaks the language of the code
    `spoken`. Returns the exit status.
    """
    if shutil.which("sipp") is None:
        raise DemoError("the telephones need SIPp: apt-get install sip-tester, or start the demo with ./run demo")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(_demo(desk_port, calls, spoken))
    except KeyboardInterrupt:
        print("\nStopped. Nothing of the demo is left running.")
    return 0


def ring(number: str, did: str) -> int:
    """Have `number` (or one of WHO) call the demo that runs on this machine. Returns the exit status."""
    if number not in WHO and not re.fullmatch(r"\+?\d+", number):
        raise DemoError(f"{number!r} cannot call; write a number like +85512345678, or one of {', '.join(WHO)}")
    place = _running()
    outcome = asyncio.run(_one_call(place, number, did or MANAGED))
    print(_told(outcome))
    return 0 if outcome.status == 200 else 1


# --- the demo itself


async def _demo(desk_port: int, calls: int | None, spoken: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ringcard-demo-"))
    try:
        async with contextlib.AsyncExitStack() as stack:
            _say("Starting a PBX: a real Asterisk of its own")
            lab = stack.enter_context(Lab(ring_s=20))
            port = _free_port(desk_port)
            if port != desk_port:
                _say(f"Port {desk_port} is taken on this machine, so the desk takes another one: {port}")
            settings = _prepare(folder, lab, port, spoken)
            _say(f"Asterisk {lab.version} takes calls at {lab.address}:5060; making the company's data")
            _fill(settings)
            _say("Starting Ringcard: Redis, the ARI application, AGI, the desk, the worker")
            await stack.enter_async_context(_ringcard(folder))
            await _until_ready(settings, lab)
            phones = {name: Phone(lab, name, ring_s=ring_s, talk_s=TALK_S) for name, ring_s in PHONES.items()}
            for phone in phones.values():
                await stack.enter_async_context(phone)
            place = Place(os.getpid(), lab.net, lab.address, settings.public_url)
            stack.enter_context(_noted(place))
            print(_introduction(settings), flush=True)
            await _customers_call(place, phones, calls)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, lab: Lab, port: int, spoken: str) -> Settings:
    """The settings of this demo, as the file that Ringcard's processes read."""
    file = folder / "ringcard.toml"
    file.write_text(
        f"""[company]
name = "{company.COMPANY}"
country = "{company.COUNTRY}"
time_zone = "{company.TIME_ZONE}"
currency = "{company.CURRENCY}"
language = "{spoken}"

[store]
data_dir = "data"

[asterisk]
node = "{NODE}"
ari_url = "{lab.ari_url}"
username = "{lab.ari_user}"
password = "{lab.password}"

[routing]
ring_s = 15

[desk]
port = {port}

[agi]
port = {_free_port(4573)}

[log]
level = "warning"

[dids."{MANAGED}"]
policy = "route"
""",
        encoding="utf-8",
    )
    return with_keys(load(file, {}))


def _fill(settings: Settings) -> None:
    plan = numbers.plan_of(Trunk(), company.COUNTRY)
    put = language(settings.company.language).put
    engine = open_database(settings.database_url)
    try:
        migrate(engine)
        fill_trial(engine, settings.data_dir, lambda raw: numbers.read(raw, plan), put=put)
    finally:
        engine.dispose()


@contextlib.asynccontextmanager
async def _ringcard(folder: Path) -> AsyncIterator[None]:
    """`ringcard run` as a company would run it, ended in order."""
    log = folder / "ringcard.log"
    command = [sys.executable, "-m", "ringcard.cli", "--config", str(folder / "ringcard.toml"), "run"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if trouble := log.read_text(errors="replace").strip():
            print(f"Ringcard said meanwhile:\n{trouble}", file=sys.stderr)


async def _until_ready(settings: Settings, lab: Lab) -> None:
    """Ready is when Asterisk has our application and the desk says that its parts answer."""
    deadline = time.monotonic() + READY_S
    while True:
        seen = await asyncio.to_thread(_health, settings.public_url)
        if seen == "ok" and lab.ari("GET", f"applications/{settings.asterisk.app}")[0] == 200:
            return
        if time.monotonic() > deadline:
            raise DemoError(f"Ringcard did not become ready in {READY_S:.0f} s: {seen}")
        await asyncio.sleep(0.1)


def _health(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return str(json.load(answer)["status"])
    except (OSError, ValueError, KeyError) as exc:
        return str(exc)


async def _customers_call(place: Place, phones: dict[str, Phone], calls: int | None) -> None:
    turns = itertools.chain(WHO, itertools.cycle(("known", "unknown", "shared", "known", "withheld")))
    for made, who in enumerate(turns, start=1):
        seen = {name: len(phone.invites) for name, phone in phones.items()}
        _say(f"A call comes in ({who}); look at the desk now")
        outcome = await _one_call(place, who, MANAGED)
        for name, phone in phones.items():
            for invite in phone.invites[seen[name] :]:
                print(f"    phone {name} rang: From shows {invite.name!r} {invite.number}", flush=True)
        print(f"    {_told(outcome)}", flush=True)
        if made == calls:
            return
        await asyncio.sleep(PAUSE_S)


async def _one_call(place: Place, who: str, did: str) -> Outcome:
    number = {"known": company.STAR_NUMBER, "shared": company.SHARED_NUMBER, "withheld": company.STAR_NUMBER}.get(
        who, company.UNKNOWN_NUMBER if who == "unknown" else who
    )
    try:
        return await call(place, number, did, withheld="privacy" if who == "withheld" else "", talk_s=None)
    except PhoneError as exc:
        raise DemoError(f"the caller's telephone failed: {exc}") from exc


def _told(outcome: Outcome) -> str:
    who = outcome.dialled.number if not outcome.dialled.withheld else "a withheld number"
    if outcome.status != 200:
        return f"{who} was not answered (SIP {outcome.status or 'no answer'})."
    return f"{who} was answered after {outcome.answer_s or 0:.1f} s and talked {outcome.talk_s or 0:.1f} s."


# --- what others find


def _note() -> Path:
    return cache_dir() / "demo.json"


@contextlib.contextmanager
def _noted(place: Place) -> Iterator[None]:
    """While the demo runs, `ringcard call` finds it here."""
    _note().write_text(json.dumps(asdict(place)), encoding="utf-8")
    try:
        yield
    finally:
        _note().unlink(missing_ok=True)


def _running() -> Place:
    try:
        place = Place(**json.loads(_note().read_text(encoding="utf-8")))
        os.kill(place.pid, 0)
    except (OSError, ValueError, TypeError):
        raise DemoError("no demo runs on this machine; start one with ./run demo, then call it again") from None
    return place


def _introduction(settings: Settings) -> str:
    called = next(one for one in company.PEOPLE if one.phone in PHONES)
    boss = next(one for one in company.PEOPLE if one.role == "administrator")
    logins = "\n".join(
        f"    {one.login:10} {one.name}, {one.role}" + (f", phone {one.phone}" if one.phone else ", no phone")
        for one in company.PEOPLE
        if one is not called
    )
    return f"""
  The desk is open at  {settings.public_url}
  Sign in as  {called.login}  with the password  {TRIAL_PASSWORD}
  That is phone {called.phone}, which rings most often. The others, with the same password:
{logins}

  New to it? Sign in as {boss.login}: the desk has a customer ring you, and goes through your first call with you.

  More calls, from another terminal:
    ./run call known | unknown | withheld | shared | +855...
  Ctrl-C stops everything.
"""


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)


def _free_port(wanted: int) -> int:
    """`wanted` when it is free, else any: a demo must not fail because something else runs on this machine."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise DemoError("no free TCP port on 127.0.0.1")
