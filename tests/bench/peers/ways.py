"""The ways to a caller's name that are compared: each is a few lines of dialplan before the same Dial().

A way is an extension of the lab's context `plain`; who dials it is named that way, and phone 101 rings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ringcard.lab import CHECKOUT, DIALPLAN
from tests.company import Company

NAMED = "+85523900003"
"""A DID where Ringcard only names the caller; then the call goes on to the context `plain`, as others do."""

ROUTED = "+85523900004"
"""A DID that Ringcard routes to the customer's manager, who sits at phone 101."""

PLAIN = "plain Dial()"
LIKE = "AGI, last 8 digits by LIKE"
AGI_SCRIPT = CHECKOUT / "tests" / "bench" / "peers" / "agi.py"


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    steps: tuple[str, ...] = ()
    ours: bool = False  # Ringcard answers
    in_redis: bool = False  # Ringcard's Redis has the callers' cards

    @property
    def names(self) -> bool:
        return bool(self.steps)


def ways(company: Company, crm: Path, endpoint_port: int, *, odbc: bool) -> list[Way]:
    """The plain Dial() is the first."""
    named, routed = (f"Goto(ringcard-inbound,{did},1)" for did in (NAMED, ROUTED))
    python = Path(sys.executable).resolve()
    agi = f"AGI({python},-I,-S,{AGI_SCRIPT},{crm}"  # Python with nothing but its own: it starts no quicker
    desk = company.settings.desk
    asked = f"token={desk.dialplan_token}&presentation=${{CALLERID(num-pres)}}&number="
    ringcard_agi = Path(sys.executable).with_name("ringcard-agi")
    return [
        Way(PLAIN),
        Way("Ringcard, card in Redis", (named,), ours=True, in_redis=True),
        Way("Ringcard, card in the database", (named,), ours=True),
        Way("Ringcard, routed and with its headers", (routed,), ours=True, in_redis=True),
        Way(LIKE, (f"{agi},like)",)),
        Way("AGI, indexed number", (f"{agi},indexed)",)),
        Way("CURL(), indexed number", _curl(f"http://127.0.0.1:{endpoint_port}/?number=")),
        *([Way("func_odbc, indexed number", ODBC)] if odbc else []),
        Way("Ringcard by CURL()", _curl(f"http://127.0.0.1:{desk.port}/dialplan/caller-name?{asked}"), True, True),
        Way("Ringcard by FastAGI", (f"AGI(agi://127.0.0.1:{company.settings.agi.port}/who_calls)",), True, True),
        Way("Ringcard by ringcard-agi", (f"AGI({ringcard_agi},--config={company.file})",), True, True),
    ]


def _curl(url: str) -> tuple[str, ...]:
    return (
        "Set(CURLOPT(httptimeout)=2)",
        f"Set(name=${{CURL({url}${{URIENCODE(${{CALLERID(num)}})}})}})",
        "ExecIf($[${LEN(${name})}>0]?Set(CALLERID(name)=${name}))",  # here the base has no hostile names
    )


ODBC = (
    "Set(key=${FILTER(0-9,${CALLERID(num)})})",
    'Set(key=${IF($["${key:0:2}"="00"]?${key:2}:${key})})',
    'Set(key=${IF($["${key:0:1}"="0"]?855${key:1}:${key})})',
    "Set(name=${ODBC_CALLER_NAME(${key})})",
    "ExecIf($[${LEN(${name})}>0]?Set(CALLERID(name)=${name}))",
)


def extension(index: int) -> str:
    """What is dialled for the way of this place in the list."""
    return f"*{20 + index}"


def dialplan(compared: Iterable[Way]) -> str:
    lines = [f'#include "{DIALPLAN}"', "[plain]"]
    for index, way in enumerate(compared):
        first, *others = (*way.steps, "Dial(PJSIP/101,${RING_S})", "Hangup()")
        lines += [f"exten => {extension(index)},1,{first}", *(f" same => n,{step}" for step in others)]
    return "\n".join(lines) + "\n"
