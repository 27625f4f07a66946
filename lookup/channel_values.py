"""What is said to Asterisk about a call: the names of the dialplan's variables and their values.

The last place that text from a customer base passes before it reaches a channel. Asterisk takes a value literally, so a
comma or a bracket does no harm on the right-hand side of Set(); line breaks do, and so do names that are no phone's.
Both doors (ARI and AGI) set what `channel_values` returns, in its order; ARI as `packed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from config.display import LOOKS
from lookup.answers import Answer, Found
from lookup.card import Phone
from lookup.links import Addresses
from lookup.naming import clean
from lookup.routing import Route

# Set by the dialplan, before it asks.
DID = "RINGCARD_DID"  # the number that was dialled
TRUNK = "RINGCARD_TRUNK"  # the trunk that it came in on
INBOUND = "ringcard-inbound"  # the context that a trunk sends its calls to
BEFORE = "RINGCARD_BEFORE"  # the company's own context, where every call goes that has no route

# Set by the company in [globals] of its dialplan; each has a default there.
GUARD = "RINGCARD_GUARD"  # seconds that a call may wait for us
OUTSIDE = "RINGCARD_OUTSIDE"  # the context that dials outside numbers
SHARED = "RINGCARD_SHARED"  # "yes": calls are offered to several processes of ours
HEADERS = "RINGCARD_HEADERS"  # "no": telephones get no Call-Info headers
DIALS = "RINGCARD_DIALS"  # the context that takes calls of the company's telephones; empty: OUTSIDE
LABEL = "RINGCARD_LABEL"  # what a call came in for, {queue} of the template; empty: as settings say
CURL = "RINGCARD_CURL"  # where the name is asked for when the application is gone; empty: not asked
AGI = "RINGCARD_AGI"  # the same by AGI

# Set by us.
CALLER_NAME = "CALLERID(name)"
CALL_ID = "RINGCARD_CALL_ID"
CUSTOMER_ID = "RINGCARD_CUSTOMER_ID"
REASON = "RINGCARD_REASON"
ROUTE = "RINGCARD_ROUTE_"  # and a number from 1: what rings together, "in/101&in/102&out/+85512345678"
RING = "RINGCARD_RING_"  # and the same number: for how many seconds
BLOCK = "RINGCARD_BLOCK"  # "busy" or "decline": the caller is on the block list, and nobody rings
AFTER = "RINGCARD_AFTER"  # "context/extension": where the call goes when nobody answered; empty: to BEFORE
CARD_URL = "RINGCARD_CARD_URL"
PHOTO_URL = "RINGCARD_PHOTO_URL"
VCARD_URL = "RINGCARD_VCARD_URL"
SCREENS = "RINGCARD_SCREENS"  # "101=1&*Yealink=2": which telephones get another name, by endpoint or User-Agent
SCREEN = "RINGCARD_SCREEN_"  # and the number that stands there: the name

CALLED_NAME = "RINGCARD_CALLED_NAME"  # of a call that a telephone of ours makes: who is called

ANSWER = "RINGCARD_ANSWER"  # all of these in one, as `packed` writes it and the dialplan takes it apart

INHERITED = "__"  # in front of a name when it is set: the phones' own channels get the variable too

STEPS = 9  # at most; the dialplan counts with one digit
PHONES = 20  # in one step; with STEPS and the lengths below all values together stay under 20 kB

SET_BY_DIALPLAN = frozenset({DID, TRUNK, BEFORE, GUARD, OUTSIDE, SHARED, HEADERS, DIALS, LABEL, CURL, AGI})
SET_BY_US = frozenset(
    {ANSWER, CALL_ID, CUSTOMER_ID, REASON, CARD_URL, PHOTO_URL, VCARD_URL, BLOCK, AFTER, CALLED_NAME, SCREENS}
    | {f"{SCREEN}{number}" for number in range(1, LOOKS + 1)}
    | {f"{name}{step}" for name in (ROUTE, RING) for step in range(1, STEPS + 1)}
)
ALL = SET_BY_DIALPLAN | SET_BY_US
"""Every variable of ours, without the inheritance prefix."""

PACKED = (
    CALL_ID,
    CUSTOMER_ID,
    REASON,
    *(INHERITED + name for name in (CARD_URL, PHOTO_URL, VCARD_URL)),
    *(f"{name}{step}" for step in range(1, STEPS + 1) for name in (ROUTE, RING)),
    BLOCK,
    AFTER,
    INHERITED + SCREENS,
    *(f"{INHERITED}{SCREEN}{number}" for number in range(1, LOOKS + 1)),
)
"""The places in ANSWER, in order; the dialplan counts them. A new one comes last: until it is told to reload its
dialplan, Asterisk may have the file of an older Ringcard, or of a newer.
"""

BLOCKS = frozenset({"busy", "decline"})

_AFTER = re.compile(r"[A-Za-z0-9_.-]{1,80}/[A-Za-z0-9_.+*#-]{1,80}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_.+-]{1,80}")
_OUTSIDE = re.compile(r"\+[0-9]{5,15}")
_URL = re.compile(r"https?://[0-9A-Za-z][0-9A-Za-z:/?&=%_.~+-]{1,1000}")  # what the dialplan lets through, no more
_CALL_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOT_IN_REASON = str.maketrans("", "", '"$\\`{}[]|&;<>')  # nothing that any dialplan expression could stumble over


def channel_values(
    call_id: str, answer: Answer, route: Route, name: str, links: Addresses | None = None
) -> dict[str, str]:
    """The variables to set on the caller's channel. An empty `name` leaves the caller's name as it was received.

    The customer and the card's addresses are told only when one customer is chosen. A phone with a name that is no
    endpoint's, or an address that would break a header, is left out; nothing here fails.
    """
    values = {REASON: clean(route.reason.translate(_NOT_IN_REASON), limit=250, octets=750)}
    if _CALL_ID.fullmatch(call_id):
        values[CALL_ID] = call_id
    if shown := clean(name):
        values[CALLER_NAME] = shown
    if isinstance(answer, Found) and answer.chosen:
        values[CUSTOMER_ID] = str(answer.chosen.customer_id)
        values |= dict(_addresses(links)) if links else {}
    if route.blocked in BLOCKS:
        values[BLOCK] = route.blocked
    if _AFTER.fullmatch(after := route.after.replace(",", "/")):
        values[AFTER] = after
    steps = ((_places(step.phones), step.ring_s) for step in route.steps)
    for n, (places, ring_s) in enumerate([step for step in steps if step[0]][:STEPS], start=1):
        values[f"{ROUTE}{n}"] = places
        values[f"{RING}{n}"] = str(ring_s)
    return values


def packed(values: Mapping[str, str]) -> dict[str, str]:
    """The same in two variables at most: the name, and ANSWER with the others, each in its place between bars.

    Asterisk hands each variable that ARI sets from one thread to another and back: 0.06 ms more for each on a machine
    that does nothing else (measured), while its dialplan sets one in 0.02 ms. No value can hold a bar.
    """
    name = {CALLER_NAME: values[CALLER_NAME]} if CALLER_NAME in values else {}
    return name | {ANSWER: "|".join(values.get(place, "") for place in PACKED).rstrip("|")}


def _places(phones: tuple[Phone, ...]) -> str:
    safe = (place for place in map(_place, phones) if place)
    return "&".join(list(dict.fromkeys(safe))[:PHONES])


def _place(phone: Phone) -> str:
    if phone.inside:
        return f"in/{phone.name}" if _ENDPOINT.fullmatch(phone.name) else ""
    return f"out/{phone.name}" if _OUTSIDE.fullmatch(phone.name) else ""


def _addresses(links: Addresses) -> Iterator[tuple[str, str]]:
    for name, url in ((CARD_URL, links.card), (PHOTO_URL, links.photo), (VCARD_URL, links.vcard)):
        if _URL.fullmatch(url):
            yield INHERITED + name, url
