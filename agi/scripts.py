"""What the dialplan can ask for by AGI: one function for each script, named as the dialplan names it.

`who_calls` does for one call what the ARI application does: it looks the caller up and sets the caller's name, the
customer, the card's addresses and the route. What is asked and what is set is worked out by plain functions, which the
one-process AGI shares.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agi.conversation import Request, get_variable, set_variable, verbose
from config.settings import Settings
from lookup.answers import Answer, Caller, Found, Withheld
from lookup.channel_values import DID, LABEL, TRUNK, channel_values
from lookup.display import display_name
from lookup.duty import Situation
from lookup.links import addresses
from lookup.routing import NOTHING_KNOWN, route
from lookup.screens import on_screens
from records.facts import call_id_of

if TYPE_CHECKING:
    from agi.server import Channel, Script  # the one-process AGI does without the server

log = logging.getLogger(__name__)

PRESENTATION = "CALLERID(num-pres)"
LINKEDID = "CHANNEL(linkedid)"

ASKED = (PRESENTATION, TRUNK, DID, LINKEDID, LABEL)
"""What `who_calls` wants to know beside the request itself."""


class Finder(Protocol):
    """The lookup engine, as far as it is needed here."""

    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call as Asterisk describes it."""

    caller: Caller
    did: str
    linkedid: str
    label: str = ""


def arrival(request: Request, told: Mapping[str, str]) -> Arrival:
    """`told`: the values of ASKED. A trunk named as the script's first argument wins over the channel's variable."""
    trunk = request.arguments[0] if request.arguments and request.arguments[0] else told[TRUNK]
    caller = Caller(request.header("agi_callerid"), request.header("agi_calleridname"), told[PRESENTATION], trunk)
    did = told[DID] or request.header("agi_dnid") or request.header("agi_extension")
    return Arrival(caller, did, told[LINKEDID] or request.header("agi_uniqueid"), told[LABEL])


def values(
    call: Arrival, answer: Answer, settings: Settings, now: float, situation: Situation = NOTHING_KNOWN
) -> dict[str, str]:
    """What to set on the channel, in order. `now`: seconds since the epoch, from which the card's addresses count.

    Without desk.secret there are no addresses: another user's one-process AGI may be unable to read it.
    """
    did = settings.did(call.did)
    way = route(answer, did, settings.routing, settings.asterisk.node, situation)
    name = display_name(answer, did.template or settings.display.template, call.label or did.label, call.caller.name)
    call_id = call_id_of(settings.asterisk.node, call.linkedid)
    chosen = answer.chosen if isinstance(answer, Found) else None
    expires_at = int(now) + settings.desk.link_minutes * 60
    secret = settings.desk.secret
    links = addresses(settings.public_url, secret, chosen, call_id, expires_at) if chosen and secret else None
    known = "" if isinstance(answer, Withheld) else name or call.caller.name
    screens = on_screens(known, settings.phones, settings.phone_models)
    return channel_values(call_id, answer, way, name, links) | screens


Known = Callable[[int], Situation]
"""Who is there at a moment, in milliseconds since the epoch."""


async def who_calls(
    finder: Finder, settings: Settings, now: Callable[[], float], known: Known, request: Request, channel: Channel
) -> None:
    """Look the caller up and say on the channel who it is and who should ring."""
    told = {name: (await channel.ask(get_variable(name))).value for name in ASKED}
    call = arrival(request, told)
    if settings.did(call.did).policy == "leave":
        return
    answer = await finder.find(call.caller, settings.lookup.budget_ms / 1000)
    at = now()
    to_set = values(call, answer, settings, at, known(int(at * 1000)))
    commands = {name: set_variable(name, value) for name, value in to_set.items()}
    for name, command in commands.items():
        reply = await channel.ask(command)
        if not reply.done:
            log.warning("Asterisk did not set %s: %d %s", name, reply.code, reply.value or reply.result)


async def alive(request: Request, channel: Channel) -> None:
    """Say so on Asterisk's console; for whoever tries the way by hand."""
    await channel.ask(verbose("Ringcard answers AGI"))


def scripts(
    finder: Finder,
    settings: Settings,
    now: Callable[[], float] = time.time,
    known: Known = lambda at_ms: NOTHING_KNOWN,
) -> dict[str, Script]:
    """All of them, by name."""

    async def who(request: Request, channel: Channel) -> None:
        await who_calls(finder, settings, now, known, request, channel)

    return {"who_calls": who, "alive": alive}
