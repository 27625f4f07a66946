"""What a call can ask for, as values. The switchboard carries them out; the call never does anything itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lookup.answers import Caller
from lookup.notices import Notice
from records.facts import CallFacts


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out who this is; the answer comes back as `Looked`. `late`: the call does not wait for it."""

    caller: Caller
    late: bool = False


@dataclass(frozen=True, slots=True)
class SetChannel:
    """Set channel variables and functions; always followed by a `HandBack` of the same channel."""

    channel_id: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HandBack:
    """Let the channel go on in the dialplan."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the desk."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Record:
    """Write the facts into the journal."""

    facts: CallFacts


@dataclass(frozen=True, slots=True)
class NameLate:
    """The name came when the call had gone on: set it where it can still be seen, if anybody can."""

    channel: str  # its name, PJSIP/101-0000126e
    function: str  # CALLERID(name) of the caller's, CONNECTEDLINE(name) of a phone that rings
    name: str


Action = LookUp | SetChannel | HandBack | Tell | Record | NameLate
