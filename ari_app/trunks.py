"""Which endpoints lead outside, and what number was dialled there.

Without settings it is found out: a telephone is dialled by its own name (`Dial(PJSIP/101)`), a trunk by a number that
goes through it (`Dial(PJSIP/+85512345678@provider)`, `Dial(SIP/provider/012345678)`); and what came in through
Ringcard's own context came on a trunk. A company where this is not so (telephones of another PBX, dialled by number
through a tie line) names its trunks in `asterisk.trunks`; then exactly these are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lookup.channel_values import INBOUND

_NUMBER = re.compile(r"[+*#]?[0-9*#]+")
_LONG = re.compile(r"\+?[0-9]{7,}")


class Trunks:
    def __init__(self, named: Iterable[str] = ()) -> None:
        self._named = frozenset(named)
        self._found: set[str] = set()

    def leads_outside(self, endpoint: str, context: str = "") -> bool:
        """Whether a channel of this endpoint, which began in this context, is one of a trunk."""
        if self._named:
            return endpoint in self._named
        return context == INBOUND or endpoint in self._found

    def number_through(self, dialled: str, endpoint: str) -> str:
        """The number outside that was dialled through this endpoint; empty for a telephone."""
        if self._named:
            return (_number(dialled, endpoint) or dialled) if endpoint in self._named else ""
        number = _number(dialled, endpoint)
        if number:
            self._found.add(endpoint)
        return number


def _number(dialled: str, endpoint: str) -> str:
    """The number in `number@endpoint`, `endpoint/number` and `endpoint/sip:number@host`."""
    user, at, host = dialled.rpartition("@")
    if at and host == endpoint:
        return user if _NUMBER.fullmatch(user) else ""
    _, _, rest = dialled.partition("/")
    if rest.startswith(("sip:", "sips:")):  # a telephone is dialled like this as well, by where it registered from
        number = rest.partition(":")[2].partition("@")[0]
        return number if is_long(number) and number != endpoint else ""
    return rest if _NUMBER.fullmatch(rest) and rest != endpoint else ""


def is_long(number: str) -> bool:
    """Long enough for a number of the outside world; extensions are shorter."""
    return _LONG.fullmatch(number) is not None
