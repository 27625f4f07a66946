"""Doctor's look at what Ringcard itself offers: the desk, the name for the dialplan, and AGI."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from config.sentences import say
from config.settings import Agi, Settings
from ringcard.findings import Finding, fail, ok, warn

ANSWER_S = 2.0
START = say("Start Ringcard: ringcard run")
UNASSIGNED = "+88812345678"  # of no country, so nobody's; any answer but a refusal will do
ALIVE = b"agi_network: yes\nagi_network_script: alive\nagi_request: agi://localhost/alive\n\n"


async def doors(settings: Settings, file: Path | None = None) -> list[Finding]:
    """`file`: where the settings stand, to see whether Ringcard has read it as it is now."""
    limit = aiohttp.ClientTimeout(total=ANSWER_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        return [*await _desk(session, settings, file), await agi(settings.agi)]


async def _desk(session: aiohttp.ClientSession, settings: Settings, file: Path | None) -> list[Finding]:
    here = f"http://{_reachable(settings.desk.host)}:{settings.desk.port}"
    try:
        async with session.get(f"{here}/health") as reply:
            health = await _health(reply)
    except aiohttp.ClientConnectorError:
        return [fail(say("desk"), say("nothing answers at {here}", here=here), START)]
    except (aiohttp.ClientError, TimeoutError) as exc:
        return [_taken(here, say("does not speak as the desk does ({why})", why=type(exc).__name__))]
    if health is None:
        return [_taken(here, say("is not the desk"))]
    away = [f"{name} {state}" for name, state in health.parts.items() if state != "ok"]
    mend = say("Mend what is named; the desk goes on by itself when it is back.")
    serving = (
        warn(say("desk"), say("serves at {here}, without: {parts}", here=here, parts=", ".join(away)), mend)
        if away
        else ok(say("desk"), say("serves at {here}", here=here))
    )
    if file and _changed_at(file) > health.since:
        seen = say(
            "serves at {here}, by the settings of before: {file} was changed after it started",
            here=here,
            file=str(file),
        )
        serving = warn(say("desk"), seen, say("Restart ringcard run; it reads them when it starts."))
    return [serving, await _public(session, settings, here), await _caller_name(session, settings, here)]


def _changed_at(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


@dataclass(frozen=True, slots=True)
class _Health:
    parts: dict[str, str]
    since: datetime  # when it started


async def _health(reply: aiohttp.ClientResponse) -> _Health | None:
    """What the desk says of itself; None: whoever answered is not the desk."""
    with suppress(ValueError, aiohttp.ContentTypeError, KeyError, TypeError):
        said = await reply.json()
        return _Health(dict(said["parts"]), datetime.fromisoformat(said["since"]))
    return None


def _taken(here: str, how: str) -> Finding:
    return fail(
        say("desk"),
        say("what answers at {here} {how}", here=here, how=how),
        say("Stop that program, or set desk.port to a free port."),
    )


async def _public(session: aiohttp.ClientSession, settings: Settings, here: str) -> Finding:
    """Telephones fetch the card and the picture from here; browsers of the staff too."""
    name, url = say("desk for phones"), settings.public_url
    if _is_loopback(urlsplit(url).hostname or ""):
        mend = say("Set desk.public_url to an address that phones and browsers reach, and desk.host to listen there.")
        return warn(name, say("{url} is for this machine alone", url=url), mend)
    try:
        async with session.get(f"{url}/health") as reply:
            if await _health(reply) is not None:
                return ok(name, url)
            seen = say("what answers at {url} is not the desk", url=url)
    except (aiohttp.ClientError, TimeoutError) as exc:
        seen = say("{url} cannot be reached from here: {why}", url=url, why=str(exc) or type(exc).__name__)
    return warn(name, seen, say("Correct desk.public_url, or have it lead to {here}.", here=here))


async def _caller_name(session: aiohttp.ClientSession, settings: Settings, here: str) -> Finding:
    name = say("name for the dialplan")
    token = {"X-Ringcard-Token": settings.desk.dialplan_token}
    try:
        async with session.get(f"{here}/dialplan/caller-name", params={"number": UNASSIGNED}, headers=token) as reply:
            if reply.status == 200:
                return ok(name, say("{here}/dialplan/caller-name answers", here=here))
            seen = say("{here}/dialplan/caller-name answers {status}", here=here, status=reply.status)
    except (aiohttp.ClientError, TimeoutError) as exc:
        seen = say("{here}/dialplan/caller-name: {why}", here=here, why=type(exc).__name__)
    return warn(
        name, seen, say("Restart the desk so that it reads desk.dialplan_token anew, and see desk.dialplan_from.")
    )


async def agi(settings: Agi) -> Finding:
    """Asks the AGI server as Asterisk would. Calls come here only when the other ways failed, so this never fails."""
    where = f"{_reachable(settings.host)}:{settings.port}"
    mend = say("Stop the program that has this port, or set agi.port (and RINGCARD_AGI in the dialplan).")
    try:
        async with asyncio.timeout(ANSWER_S):
            said = await _agi_says(_reachable(settings.host), settings.port)
    except TimeoutError:
        return warn("agi", say("what listens at {where} says nothing", where=where), mend)
    except OSError:
        return warn("agi", say("nothing answers at {where}", where=where), START)
    if not said.startswith(b"VERBOSE "):
        return warn("agi", say("what listens at {where} does not answer AGI", where=where), mend)
    return ok("agi", say("answers at {where}", where=where))


async def _agi_says(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(ALIVE)
        said = await reader.readline()
        writer.write(b"200 result=1\n")
        return said
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _reachable(host: str) -> str:
    """Where to ask a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
