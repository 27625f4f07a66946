"""Doctor's look at Asterisk, by ARI alone: what it is, whether Ringcard is connected, and where calls would go.

ARI tells nothing of the dialplan, but a channel can be asked for any dialplan function. So doctor opens a channel of
its own for some milliseconds, one that rings nobody and enters no extension, and asks that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from ari_app.ari_requests import (
    GET_INFO,
    GLOBAL_VAR,
    LIST_APPLICATIONS,
    PING,
    AriError,
    AriGone,
    AriRefused,
    HttpWire,
    Operation,
    SocketWire,
    basic,
    request,
)
from ari_app.seat import mark_of
from config.settings import Asterisk, Settings
from lookup import channel_values as names
from ringcard.check_cel import cel
from ringcard.findings import Finding, counted, fail, ok, warn

OLDEST = 18
CLOCKS_S = 5.0  # what two machines' clocks may differ by before times in the log confuse
APP = "ringcard-doctor"
DIALPLAN = Path(__file__).resolve().parent.parent / "dialplan" / "ringcard.conf"

LIST_MODULES = Operation("asterisk", "listModules", "GET", "asterisk/modules")
LIST_ENDPOINTS = Operation("endpoints", "listByTech", "GET", "endpoints/{tech}")
API = Operation("api-docs", "channels", "GET", "api-docs/channels.json")
GET_OBJECT = Operation("asterisk", "getObject", "GET", "asterisk/config/dynamic/{configClass}/{objectType}/{id}")
CREATE = Operation("channels", "create", "POST", "channels/create")
CHANNEL_VAR = Operation("channels", "getChannelVar", "GET", "channels/{channelId}/variable")
HANG_UP = Operation("channels", "hangup", "DELETE", "channels/{channelId}")

MODULES = {
    "app_dial": "ringing",
    "app_stack": "Gosub",
    "app_stasis": "Stasis",
    "app_verbose": "Log",
    "chan_pjsip": "telephones",
    "func_callerid": "CALLERID",
    "func_channel": "CHANNEL",
    "func_cut": "CUT",
    "func_dialplan": "DIALPLAN_EXISTS",
    "func_logic": "IF",
    "func_module": "IFMODULE",
    "func_strings": "FILTER",
    "func_timeout": "TIMEOUT",
    "res_ari_applications": "ARI",
    "res_ari_channels": "ARI",
    "res_ari_events": "ARI",
    "res_http_websocket": "ARI's events",
    "res_pjsip_caller_id": "the name in From",
    "res_pjsip_header_funcs": "PJSIP_HEADER",
}
"""What a call through Ringcard's dialplan needs, and for what."""

FALLBACK = {
    names.CURL: {"res_curl": "CURL", "func_curl": "CURL", "func_uri": "URIENCODE"},
    names.AGI: {"res_agi": "AGI", "res_curl": "CURL", "func_curl": "CURL"},
    names.DIALS: {"func_devstate": "DEVICE_STATE"},
    names.SHARED: {"app_stasis_broadcast": "StasisBroadcast"},
}
"""What is needed beside, where the company has set a variable."""

FOR_MODELS = {"func_pjsip_aor": "PJSIP_AOR", "func_pjsip_contact": "PJSIP_CONTACT"}
"""What finds out which model a telephone is, where settings name some."""


async def asterisk(settings: Settings, phones: Collection[str]) -> list[Finding]:
    """`phones`: endpoints of this node that people sit at. The first thing that is wrong ends what depends on it."""
    base = settings.asterisk.ari_url.rstrip("/")
    limit_s = settings.asterisk.request_ms / 1000
    headers = {"Authorization": basic(settings.asterisk.username, settings.asterisk.password)}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=limit_s)) as session:
        http = HttpWire(session, base, limit_s)
        try:
            info = (await http.send([request(GET_INFO)]))[0]
            version = str(info["system"]["version"])
        except AriError as exc:
            return [_unreachable(settings.asterisk, exc)]
        except (ValueError, KeyError, TypeError):
            return [_no_ari(base)]
        found = [_version(version)]
        try:
            found.append(await _clocks(session, base))
            found.append(await _application(http, settings.asterisk))
            found.append(await _modules(http, FOR_MODELS if settings.phone_models else {}))
            found.append(await _overload(http))
            found += await _phones(http, phones)
            found += await _by_channel(session, http, settings)
        except (AriError, aiohttp.ClientError, TimeoutError) as exc:
            found.append(fail("asterisk", f"stopped answering: {exc}", "Look at its console, and ask doctor again."))
        return found


# --- what it is ---


def _unreachable(settings: Asterisk, exc: AriError) -> Finding:
    url = settings.ari_url
    if isinstance(exc, AriRefused):
        match exc.status:
            case 401:
                mend = (
                    "Write the same user and password in ari.conf and under [asterisk] in ringcard.toml; "
                    "after a change of ari.conf: asterisk -rx 'module reload res_ari.so'"
                )
                return fail("asterisk", f"{url} refuses the user {settings.username!r} or the password", mend)
            case 404:
                return _no_ari(url)
            case 503:
                return fail("asterisk", f"{url}: Asterisk is still starting", "Wait some seconds and ask again.")
        return fail("asterisk", f"{url} answers {exc}", "Look at Asterisk's console for the reason.")
    if isinstance(exc.__cause__, TimeoutError):
        seen = f"{url} accepts, and does not answer within {settings.request_ms} ms"
        return fail("asterisk", seen, "See whether Asterisk is frozen or overloaded: asterisk -rx 'core show uptime'")
    mend = (
        "Start Asterisk, or set asterisk.ari_url; http.conf needs enabled=yes and a bindaddr that we reach, "
        "under its first [general], and then: asterisk -rx 'module reload http'"
    )
    return fail("asterisk", f"nothing answers at {url}", mend)


def _no_ari(url: str) -> Finding:
    mend = "Set asterisk.ari_url (it ends in /ari), and enabled=yes in ari.conf and in http.conf."
    return fail("asterisk", f"what answers at {url} is not Asterisk's REST interface", mend)


def _version(version: str) -> Finding:
    major = int((re.match(r"\d+", version) or ["999"])[0])  # a developer's build says GIT-master
    if major < OLDEST:
        return fail("asterisk", version, f"Upgrade Asterisk to {OLDEST} or newer.")
    return ok("asterisk", version)


async def _clocks(session: aiohttp.ClientSession, base: str) -> Finding:
    """Its HTTP server tells its time with every answer."""
    async with session.get(f"{base}/{PING.path}") as reply:
        told = reply.headers.get("Date", "")
    with suppress(ValueError, TypeError):
        apart_s = abs((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
        if apart_s > CLOCKS_S:
            mend = "Let an NTP client keep the clocks of both machines."
            return warn("clocks", f"Asterisk's and ours are {apart_s:.0f} s apart", mend)
        return ok("clocks", "Asterisk's and ours agree")
    return ok("clocks", "Asterisk does not tell its time")


async def _application(http: HttpWire, settings: Asterisk) -> Finding:
    """Who has the calls, and who follows them."""
    name, app, tracker = "application", settings.app, settings.tracker_app
    (listed,) = await http.send([request(LIST_APPLICATIONS)])
    connected = {str(each["name"]) for each in listed}
    sharing = sorted(each for each in connected if each.startswith(f"{app}-") and each not in (tracker, APP))
    shared = await _global(http, names.SHARED) == "yes"
    ours = sharing if shared else sorted({app} & connected)
    if not ours and sharing:
        mend = f"Set {names.SHARED} = yes under [globals] in extensions.conf, or leave asterisk.worker empty."
        return fail(name, f"calls are offered to {app!r} alone, and {', '.join(sharing)} want to share them", mend)
    if not ours and app in connected:
        mend = f"Name the workers (asterisk.worker), or take {names.SHARED} away from [globals] in extensions.conf."
        return fail(name, f"calls are offered to those that share them, and {app!r} does not", mend)
    if not ours:
        return fail(name, f"no Ringcard is connected as {app!r}", "Start Ringcard: ringcard run")
    seen = f"Ringcard is connected as {', '.join(map(repr, ours))}"
    if tracker not in connected:
        return warn(
            name, f"{seen}, and nobody follows the calls", "Look at the log of ari: why is the tracker not there?"
        )
    holder = await _global(http, mark_of(tracker))
    return ok(name, f"{seen}; {holder.partition(' ')[0] or tracker} follows the calls")


async def _modules(http: HttpWire, more: Mapping[str, str]) -> Finding:
    running = await _running(http)
    wanted = {**MODULES, **more}
    for variable, modules in FALLBACK.items():
        if await _global(http, variable):
            wanted |= modules
    missing = {module: use for module, use in wanted.items() if module not in running}
    if missing:
        seen = "not loaded: " + ", ".join(f"{module}.so ({use})" for module, use in missing.items())
        return fail(
            "modules", seen, "Load each: a line load = NAME in modules.conf, and asterisk -rx 'module load NAME'."
        )
    return ok("modules", f"all {len(wanted)} that calls need are loaded")


async def _running(http: HttpWire) -> frozenset[str]:
    (listed,) = await http.send([request(LIST_MODULES)])
    return frozenset(str(module["name"]).removesuffix(".so") for module in listed if module["status"] == "Running")


async def _global(http: HttpWire, variable: str) -> str:
    (answer,) = await http.send([request(GLOBAL_VAR, variable=variable)])
    return str(answer["value"])


async def _phones(http: HttpWire, phones: Collection[str]) -> list[Finding]:
    (listed,) = await http.send([request(LIST_ENDPOINTS, tech="PJSIP")])
    state = {str(endpoint["resource"]): str(endpoint["state"]) for endpoint in listed}
    unknown = sorted(phone for phone in phones if phone not in state)
    offline = sorted(phone for phone in phones if state.get(phone, "online") != "online")
    found = []
    if unknown:
        mend = (
            "Seat people at their phones (ringcard user change LOGIN --phone NAME), or add the endpoints to pjsip.conf."
        )
        found.append(fail("telephones", f"Asterisk has no PJSIP endpoint {', '.join(unknown)}", mend))
    if offline:
        mend = "See that they are switched on and registered: asterisk -rx 'pjsip show contacts'"
        found.append(warn("telephones", f"not registered: {', '.join(offline)}", mend))
    return found or ([ok("telephones", f"all {len(phones)} are registered")] if phones else [])


# --- where calls would go ---


class _Probe:
    """A channel that can be asked for dialplan functions."""

    def __init__(self, http: HttpWire, channel: Mapping[str, Any], over: str) -> None:
        self.http = http
        self.channelvars: Mapping[str, str] = channel.get("channelvars") or {}
        self.over = over
        self.id = str(channel["id"])

    async def ask(self, function: str) -> str | None:
        """The function's value; None: this Asterisk does not have it."""
        try:
            (answer,) = await self.http.send([request(CHANNEL_VAR, channelId=self.id, variable=function)])
        except AriRefused as exc:
            if exc.status != 500:
                raise
            return None
        return str(answer["value"])


async def _by_channel(session: aiohttp.ClientSession, http: HttpWire, settings: Settings) -> list[Finding]:
    base = settings.asterisk.ari_url.rstrip("/")
    try:
        async with _probe(session, http, base) as probe:
            return [
                await _requests(http, probe),
                _channelvars(probe.channelvars),
                *await _dialplan(probe),
                await _way_before(probe, settings),
                *await _destinations(probe, settings),
                await _trunks(probe),
                await _guard(http, settings),
                await cel(settings.asterisk, probe.id, await _running(http)),
            ]
    except (aiohttp.ClientError, TimeoutError) as exc:
        mend = "See that res_http_websocket.so is loaded and that no proxy in between cuts WebSockets."
        return [fail("events", f"the WebSocket at {base}/events does not open: {exc or type(exc).__name__}", mend)]
    except AriRefused as exc:
        if exc.status != 403:
            raise
        mend = f"Take read_only=yes away from the user {settings.asterisk.username!r} in ari.conf."
        return [fail("permission", "our ARI user may only look", mend)]


@asynccontextmanager
async def _probe(session: aiohttp.ClientSession, http: HttpWire, base: str) -> AsyncIterator[_Probe]:
    """An application of our own, connected for as long as this lasts, and its one channel."""
    async with session.ws_connect(f"{base}/events", params={"app": APP}) as socket:
        over = await _over(socket)
        endpoint = f"Local/s@{APP}"  # there is no such context; the channel is never dialled
        (channel,) = await http.send([request(CREATE, endpoint=endpoint, app=APP)])
        try:
            yield _Probe(http, channel, over)
        finally:
            with suppress(AriError):
                await http.send([request(HANG_UP, channelId=str(channel["id"]))])


async def _over(socket: aiohttp.ClientWebSocketResponse) -> str:
    """How Ringcard would send its requests: by the same question that it asks itself."""
    wire = SocketWire(socket, 1.0)

    async def read() -> None:
        async for message in socket:
            raw = orjson.loads(message.data)
            if raw.get("type") == "RESTResponse":
                wire.answered(raw)

    reading = asyncio.create_task(read())
    try:
        await wire.send([request(PING)])
    except AriGone:
        return "HTTP"
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    return "the WebSocket"


async def _requests(http: HttpWire, probe: _Probe) -> Finding:
    (api,) = await http.send([request(API)])
    several = any("/variables" in str(each.get("path")) for each in api.get("apis", ()))
    return ok("requests", f"go over {probe.over}, variables {'all at once' if several else 'one by one'}")


async def _overload(http: HttpWire) -> Finding:
    """A queue of events that is not read at once may stop SIP: docs/benchmarks.md, Load, has what was measured."""
    name = "overload"
    try:
        (told,) = await http.send([request(GET_OBJECT, configClass="res_pjsip", objectType="global", id="global")])
    except AriRefused:
        told = []  # no such section: as shipped
    what = {str(each.get("attribute")): str(each.get("value")) for each in told}
    if what.get("taskprocessor_overload_trigger", "global") != "global":
        return ok(name, "only SIP's own queues can hold calls up")
    mend = (
        "Run ringcard init, or write taskprocessor_overload_trigger = pjsip_only in the section of pjsip.conf with "
        "type = global, then: asterisk -rx 'module reload res_pjsip.so'"
    )
    return warn(name, "when events are read slowly for a moment, Asterisk takes no new calls meanwhile", mend)


def _channelvars(told: Mapping[str, str]) -> Finding:
    """We need none; those that others ask for are paid by every call."""
    slow = [name for name in told if name.startswith("PJSIP") or name == "CHANNEL(endpoint)"]
    if slow:
        mend = "Take it out of channelvars in ari.conf, then restart Asterisk."
        return fail("channelvars", f"{', '.join(slow)} is asked for every event and can stop SIP altogether", mend)
    return ok("channelvars", "nothing is asked for at every event that could stop SIP")


async def _dialplan(probe: _Probe) -> list[Finding]:
    include = (
        f'Run ringcard init, or put #tryinclude "{DIALPLAN}" at the end of extensions.conf, then: '
        'asterisk -rx "dialplan reload". '
        "If it is there, Asterisk's user cannot read that file: try it as that user."
    )
    entered = await probe.ask(f"DIALPLAN_EXISTS({names.INBOUND},s,1)")
    if entered is None:
        return []  # func_dialplan is missing; the modules' finding says so
    if entered != "1":
        trunks = await _our_trunks(probe)
        refused = f", and {', '.join(trunks)} sends its calls there: they are refused now" if trunks else ""
        return [fail("dialplan", f"there is no context {names.INBOUND}{refused}", include)]
    if await probe.ask("DIALPLAN_EXISTS(ringcard-call,T,1)") != "1":
        seen = "there is no extension T behind the guard, so a call that Ringcard does not give back is lost"
        return [fail("dialplan", seen, f"Have Asterisk read {DIALPLAN} anew and as it is.")]
    return [ok("dialplan", f"calls can enter {names.INBOUND}")]


async def _way_before(probe: _Probe, settings: Settings) -> Finding:
    name, variable = "company's own way", names.BEFORE
    context = await _global(probe.http, variable)
    if not context:
        mend = (
            f"Under [globals] in extensions.conf write {variable} = the context that your trunk's calls "
            'went to before, then: asterisk -rx "dialplan reload"'
        )
        return fail(name, f"{variable} is not set: calls without a route end there", mend)
    if context == names.INBOUND or not re.fullmatch(r"[\w.-]+", context):
        return fail(
            name, f"{variable} = {context}, which leads nowhere", "Name the context that took your calls before."
        )
    if await probe.ask(f"DIALPLAN_EXISTS({context})") == "0":
        mend = (
            f"Correct {variable} under [globals] in extensions.conf: the context that took your trunk's calls before."
        )
        return fail(name, f"there is no context {context}: every call without a route is refused", mend)
    lost = [did for did in settings.dids if not await _takes(probe, context, did)]
    if lost:
        mend = f"See dialplan show {context}; correct the number in [dids] or add the extension."
        return warn(name, f"{context} has no extension for {', '.join(lost)}", mend)
    numbers = f"; it knows the {counted(len(settings.dids), 'number')} of [dids]" if settings.dids else ""
    return ok(name, f"calls without a route go to {context}{numbers}")


async def _destinations(probe: _Probe, settings: Settings) -> list[Finding]:
    gone = []
    for name, place in settings.destinations.items():
        if await probe.ask(f"DIALPLAN_EXISTS({place},1)") == "0":
            gone.append(f"{name} ({place})")
    if gone:
        mend = "Correct [destinations] in ringcard.toml, or add the extension; such calls go the company's own way."
        return [fail("destinations", f"Asterisk's dialplan does not have {', '.join(gone)}", mend)]
    count = len(settings.destinations)
    return [ok("destinations", f"Asterisk's dialplan has {'it' if count == 1 else f'all {count}'}")] if count else []


async def _takes(probe: _Probe, context: str, did: str) -> bool:
    """Whether the dialled number has an extension there, written as a provider may write it."""
    digits = re.sub(r"\D", "", did)
    spellings = [f"+{digits}", digits] if digits else ["s"]
    return any([await probe.ask(f"DIALPLAN_EXISTS({context},{each},1)") != "0" for each in spellings])


async def _our_trunks(probe: _Probe) -> list[str]:
    """PJSIP endpoints whose calls come to us."""
    (listed,) = await probe.http.send([request(LIST_ENDPOINTS, tech="PJSIP")])
    endpoints = sorted(str(endpoint["resource"]) for endpoint in listed)
    return [each for each in endpoints if await probe.ask(f"PJSIP_ENDPOINT({each},context)") == names.INBOUND]


async def _trunks(probe: _Probe) -> Finding:
    if ours := await _our_trunks(probe):
        return ok("trunks", f"{', '.join(ours)} sends its calls to {names.INBOUND}")
    mend = (
        f"Write context = {names.INBOUND} at your trunk's endpoint in pjsip.conf; "
        "nothing to do if your dialplan leads there."
    )
    return warn("trunks", f"no PJSIP endpoint sends its calls to {names.INBOUND}", mend)


async def _guard(http: HttpWire, settings: Settings) -> Finding:
    told = await _global(http, names.GUARD)
    budget_s = settings.lookup.budget_ms / 1000
    try:
        guard_s = float(told or 0.5)
    except ValueError:
        return fail(
            "guard", f"{names.GUARD} = {told} is no number of seconds", f"Write for example {names.GUARD} = 0.5"
        )
    if guard_s <= budget_s:
        mend = f"Set {names.GUARD} well above lookup.budget_ms, or the latter lower."
        return warn("guard", f"calls are taken back after {guard_s} s, a lookup may take {budget_s} s", mend)
    return ok("guard", f"a call waits {guard_s} s at most, a lookup takes {budget_s} s at most")
