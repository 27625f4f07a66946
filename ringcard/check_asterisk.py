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
from config.sentences import counted, say
from config.settings import Asterisk, Settings
from lookup import channel_values as names
from ringcard.check_cel import cel
from ringcard.findings import Finding, fail, ok, warn

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
    "res_ari_asterisk": "ARI",
    "res_ari_bridges": "ARI",
    "res_ari_channels": "ARI",
    "res_ari_endpoints": "ARI",
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

FOR_STATES = {"res_ari_device_states": "which telephones talk", "res_stasis_device_state": "which telephones talk"}
"""What tells who talks and whose telephone is gone; without it all count as free, and calls ring."""

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
            found.append(
                fail(
                    "asterisk",
                    say("stopped answering: {why}", why=str(exc)),
                    say("Look at its console, and ask doctor again."),
                )
            )
        return found


# --- what it is ---


def _unreachable(settings: Asterisk, exc: AriError) -> Finding:
    url = settings.ari_url
    if isinstance(exc, AriRefused):
        match exc.status:
            case 401:
                mend = say(
                    "Write the same user and password in ari.conf and under [asterisk] in ringcard.toml; after a "
                    "change of ari.conf: asterisk -rx 'module reload res_ari.so'"
                )
                return fail(
                    "asterisk",
                    say("{url} refuses the user {username!r} or the password", url=url, username=settings.username),
                    mend,
                )
            case 404:
                return _no_ari(url)
            case 503:
                return fail(
                    "asterisk",
                    say("{url}: Asterisk is still starting", url=url),
                    say("Wait some seconds and ask again."),
                )
        return fail(
            "asterisk",
            say("{url} answers {why}", url=url, why=str(exc)),
            say("Look at Asterisk's console for the reason."),
        )
    if isinstance(exc.__cause__, TimeoutError):
        seen = say("{url} accepts, and does not answer within {limit} ms", url=url, limit=settings.request_ms)
        return fail(
            "asterisk", seen, say("See whether Asterisk is frozen or overloaded: asterisk -rx 'core show uptime'")
        )
    mend = say(
        "Start Asterisk, or set asterisk.ari_url; http.conf needs enabled=yes and a bindaddr that we "
        "reach, under its first [general], and then: asterisk -rx 'module reload http'"
    )
    return fail("asterisk", say("nothing answers at {url}", url=url), mend)


def _no_ari(url: str) -> Finding:
    mend = say("Set asterisk.ari_url (it ends in /ari), and enabled=yes in ari.conf and in http.conf.")
    return fail("asterisk", say("what answers at {url} is not Asterisk's REST interface", url=url), mend)


def _version(version: str) -> Finding:
    major = int((re.match(r"\d+", version) or ["999"])[0])  # a developer's build says GIT-master
    if major < OLDEST:
        return fail("asterisk", version, say("Upgrade Asterisk to {oldest} or newer.", oldest=OLDEST))
    return ok("asterisk", version)


async def _clocks(session: aiohttp.ClientSession, base: str) -> Finding:
    """Its HTTP server tells its time with every answer."""
    async with session.get(f"{base}/{PING.path}") as reply:
        told = reply.headers.get("Date", "")
    with suppress(ValueError, TypeError):
        apart_s = abs((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
        if apart_s > CLOCKS_S:
            mend = say("Let an NTP client keep the clocks of both machines.")
            return warn(say("clocks"), say("Asterisk's and ours are {seconds} s apart", seconds=round(apart_s)), mend)
        return ok(say("clocks"), say("Asterisk's and ours agree"))
    return ok(say("clocks"), say("Asterisk does not tell its time"))


async def _application(http: HttpWire, settings: Asterisk) -> Finding:
    """Who has the calls, and who follows them."""
    name, app, tracker = say("application"), settings.app, settings.tracker_app
    (listed,) = await http.send([request(LIST_APPLICATIONS)])
    connected = {str(each["name"]) for each in listed}
    sharing = sorted(each for each in connected if each.startswith(f"{app}-") and each not in (tracker, APP))
    shared = await _global(http, names.SHARED) == "yes"
    ours = sharing if shared else sorted({app} & connected)
    if not ours and sharing:
        mend = say(
            "Set {variable} = yes under [globals] in extensions.conf, or leave asterisk.worker empty.",
            variable=names.SHARED,
        )
        return fail(
            name,
            say(
                "calls are offered to {app!r} alone, and {programs} want to share them",
                app=app,
                programs=", ".join(sharing),
            ),
            mend,
        )
    if not ours and app in connected:
        mend = say(
            "Name the workers (asterisk.worker), or take {variable} away from [globals] in extensions.conf.",
            variable=names.SHARED,
        )
        return fail(name, say("calls are offered to those that share them, and {app!r} does not", app=app), mend)
    if not ours:
        return fail(name, say("no Ringcard is connected as {app!r}", app=app), say("Start Ringcard: ringcard run"))
    seen = say("Ringcard is connected as {apps}", apps=", ".join(map(repr, ours)))
    if tracker not in connected:
        return warn(
            name,
            say("{seen}, and nobody follows the calls", seen=seen),
            say("Look at the log of ari: why is the tracker not there?"),
        )
    holder = await _global(http, mark_of(tracker))
    return ok(name, say("{seen}; {app} follows the calls", seen=seen, app=holder.partition(" ")[0] or tracker))


async def _modules(http: HttpWire, more: Mapping[str, str]) -> Finding:
    running = await _running(http)
    wanted = {**MODULES, **more}
    for variable, modules in FALLBACK.items():
        if await _global(http, variable):
            wanted |= modules
    missing = {module: use for module, use in {**wanted, **FOR_STATES}.items() if module not in running}
    if missing:
        modules_for = ", ".join(f"{module}.so ({use})" for module, use in missing.items())
        found = warn if missing.keys() <= FOR_STATES.keys() else fail
        return found(
            say("modules"),
            say("not loaded: {modules}", modules=modules_for),
            say("Load each: a line load = NAME in modules.conf, and asterisk -rx 'module load NAME'."),
        )
    return ok(say("modules"), say("all {n} that calls need are loaded", n=len(wanted)))


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
        mend = say(
            "Seat people at their phones (ringcard user change LOGIN --phone NAME), or add the endpoints to pjsip.conf."
        )
        found.append(
            fail(say("telephones"), say("Asterisk has no PJSIP endpoint {phones}", phones=", ".join(unknown)), mend)
        )
    if offline:
        mend = say("See that they are switched on and registered: asterisk -rx 'pjsip show contacts'")
        found.append(warn(say("telephones"), say("not registered: {phones}", phones=", ".join(offline)), mend))
    return found or ([ok(say("telephones"), say("all {n} are registered", n=len(phones)))] if phones else [])


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
        mend = say("See that res_http_websocket.so is loaded and that no proxy in between cuts WebSockets.")
        return [
            fail(
                say("events"),
                say(
                    "the WebSocket at {base}/events does not open: {why}", base=base, why=str(exc) or type(exc).__name__
                ),
                mend,
            )
        ]
    except AriRefused as exc:
        if exc.status != 403:
            raise
        mend = say(
            "Take read_only=yes away from the user {username!r} in ari.conf.", username=settings.asterisk.username
        )
        return [fail(say("permission"), say("our ARI user may only look"), mend)]


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
    return say("the WebSocket")


async def _requests(http: HttpWire, probe: _Probe) -> Finding:
    (api,) = await http.send([request(API)])
    several = any("/variables" in str(each.get("path")) for each in api.get("apis", ()))
    if several:
        return ok(say("requests"), say("go over {over}, variables all at once", over=probe.over))
    return ok(say("requests"), say("go over {over}, variables one by one", over=probe.over))


async def _overload(http: HttpWire) -> Finding:
    """A queue of events that is not read at once may stop SIP: docs/benchmarks.md, Load, has what was measured."""
    name = say("overload")
    try:
        (told,) = await http.send([request(GET_OBJECT, configClass="res_pjsip", objectType="global", id="global")])
    except AriRefused:
        told = []  # no such section: as shipped
    what = {str(each.get("attribute")): str(each.get("value")) for each in told}
    if what.get("taskprocessor_overload_trigger", "global") != "global":
        return ok(name, say("only SIP's own queues can hold calls up"))
    mend = say(
        "Run ringcard init, or write taskprocessor_overload_trigger = pjsip_only in the section of "
        "pjsip.conf with type = global, then: asterisk -rx 'module reload res_pjsip.so'"
    )
    return warn(name, say("when events are read slowly for a moment, Asterisk takes no new calls meanwhile"), mend)


def _channelvars(told: Mapping[str, str]) -> Finding:
    """We need none; those that others ask for are paid by every call."""
    slow = [name for name in told if name.startswith("PJSIP") or name == "CHANNEL(endpoint)"]
    if slow:
        mend = say("Take it out of channelvars in ari.conf, then restart Asterisk.")
        return fail(
            "channelvars",
            say("{names} is asked for every event and can stop SIP altogether", names=", ".join(slow)),
            mend,
        )
    return ok("channelvars", say("nothing is asked for at every event that could stop SIP"))


async def _dialplan(probe: _Probe) -> list[Finding]:
    include = say(
        'Run ringcard init, or put #tryinclude "{dialplan}" at the end of extensions.conf, then: '
        'asterisk -rx "dialplan reload". If it is there, Asterisk\'s user cannot read that file: try it '
        "as that user.",
        dialplan=str(DIALPLAN),
    )
    entered = await probe.ask(f"DIALPLAN_EXISTS({names.INBOUND},s,1)")
    if entered is None:
        return []  # func_dialplan is missing; the modules' finding says so
    if entered != "1":
        trunks = await _our_trunks(probe)
        seen = say("there is no context {context}", context=names.INBOUND)
        if trunks:
            refused = say("{trunks} sends its calls there: they are refused now", trunks=", ".join(trunks))
            seen = say("{seen}, and {refused}", seen=seen, refused=refused)
        return [fail(say("dialplan"), seen, include)]
    if await probe.ask("DIALPLAN_EXISTS(ringcard-call,T,1)") != "1":
        seen = say("there is no extension T behind the guard, so a call that Ringcard does not give back is lost")
        return [
            fail(say("dialplan"), seen, say("Have Asterisk read {dialplan} anew and as it is.", dialplan=str(DIALPLAN)))
        ]
    return [ok(say("dialplan"), say("calls can enter {context}", context=names.INBOUND))]


async def _way_before(probe: _Probe, settings: Settings) -> Finding:
    name, variable = say("company's own way"), names.BEFORE
    context = await _global(probe.http, variable)
    if not context:
        mend = say(
            "Under [globals] in extensions.conf write {variable} = the context that your trunk's calls went "
            'to before, then: asterisk -rx "dialplan reload"',
            variable=variable,
        )
        return fail(name, say("{variable} is not set: calls without a route end there", variable=variable), mend)
    if context == names.INBOUND or not re.fullmatch(r"[\w.-]+", context):
        return fail(
            name,
            say("{variable} = {context}, which leads nowhere", variable=variable, context=context),
            say("Name the context that took your calls before."),
        )
    if await probe.ask(f"DIALPLAN_EXISTS({context})") == "0":
        mend = say(
            "Correct {variable} under [globals] in extensions.conf: the context that took your trunk's calls before.",
            variable=variable,
        )
        return fail(
            name, say("there is no context {context}: every call without a route is refused", context=context), mend
        )
    lost = [did for did in settings.dids if not await _takes(probe, context, did)]
    if lost:
        mend = say("See dialplan show {context}; correct the number in [dids] or add the extension.", context=context)
        return warn(
            name, say("{context} has no extension for {numbers}", context=context, numbers=", ".join(lost)), mend
        )
    seen = say("calls without a route go to {context}", context=context)
    if not settings.dids:
        return ok(name, seen)
    knows = counted("it knows the {n} number of [dids]", "it knows the {n} numbers of [dids]", len(settings.dids))
    return ok(name, say("{seen}; {knows}", seen=seen, knows=knows))


async def _destinations(probe: _Probe, settings: Settings) -> list[Finding]:
    gone = []
    for name, place in settings.destinations.items():
        if await probe.ask(f"DIALPLAN_EXISTS({place},1)") == "0":
            gone.append(f"{name} ({place})")
    if gone:
        mend = say(
            "Correct [destinations] in ringcard.toml, or add the extension; such calls go the company's own way."
        )
        return [
            fail(say("destinations"), say("Asterisk's dialplan does not have {places}", places=", ".join(gone)), mend)
        ]
    count = len(settings.destinations)
    if not count:
        return []
    seen = counted("Asterisk's dialplan has it", "Asterisk's dialplan has all {n}", count)
    return [ok(say("destinations"), seen)]


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
        return ok(
            say("trunks"), say("{trunks} sends its calls to {context}", trunks=", ".join(ours), context=names.INBOUND)
        )
    mend = say(
        "Write context = {context} at your trunk's endpoint in pjsip.conf; nothing to do if your dialplan leads there.",
        context=names.INBOUND,
    )
    return warn(say("trunks"), say("no PJSIP endpoint sends its calls to {context}", context=names.INBOUND), mend)


async def _guard(http: HttpWire, settings: Settings) -> Finding:
    told = await _global(http, names.GUARD)
    budget_s = settings.lookup.budget_ms / 1000
    try:
        guard_s = float(told or 0.5)
    except ValueError:
        return fail(
            say("guard"),
            say("{variable} = {told} is no number of seconds", variable=names.GUARD, told=told),
            say("Write for example {variable} = 0.5", variable=names.GUARD),
        )
    if guard_s <= budget_s:
        mend = say("Set {variable} well above lookup.budget_ms, or the latter lower.", variable=names.GUARD)
        return warn(
            say("guard"),
            say(
                "calls are taken back after {guard_s} s, a lookup may take {budget_s} s",
                guard_s=guard_s,
                budget_s=budget_s,
            ),
            mend,
        )
    return ok(
        say("guard"),
        say(
            "a call waits {guard_s} s at most, a lookup takes {budget_s} s at most", guard_s=guard_s, budget_s=budget_s
        ),
    )
