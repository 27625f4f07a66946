"""Telephones and callers for the lab: SIPp processes that ring, answer, decline, call and write down what they saw.

A `Phone` registers at a lab like a desk phone and keeps every INVITE that reached it, byte for byte. `call` plays one
caller from outside and tells what became of the call; `load` plays many at a steady pace. Times are seconds since the
epoch, taken by SIPp when the message was on the wire, so that those of a caller and of a phone can be compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypedDict

from ringcard.lab import Lab

Manner = Literal["answer", "busy", "decline", "ignore", "forward", "told"]
"""What a telephone does when it is called: answer after ring_s, 486, 603, ring until the caller gives up, 302 to
FORWARD_TO, or ring until `pick_up` or `refuse`."""

FORWARD_TO = "103"
"""Whom a telephone that forwards its calls names."""

Way = Literal["trunk", "before", "plain"]
"""Where a caller comes in: the trunk with Ringcard, the same company without it, a bare Dial() of phone 101."""

Withheld = Literal["", "anonymous", "privacy", "empty"]
"""How a number is withheld: not; From says anonymous; PAI with Privacy: id; a From without a user part."""

_WAY_NET: dict[Way, int] = {"trunk": 100, "before": 99, "plain": 98}
_FINAL_FAILURES = (
    *(300, 301, 302, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 413, 415, 420, 421, 423, 480, 481, 482, 483),
    *(484, 485, 486, 487, 488, 491, 500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606),
)
START_S = 20.0


class Site(Protocol):
    """Where a PBX takes calls: a lab of ours, or one that another process runs."""

    @property
    def address(self) -> str: ...  # of its SIP port
    @property
    def net(self) -> str: ...  # "127.N": callers are in .100, .99 and .98 below it


class PhoneError(Exception):
    """A telephone or a caller could not be played; the message has SIPp's own words."""


# --- what was on the wire


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as it was on the wire; `at` is seconds since the epoch."""

    at: float
    sent: bool
    raw: bytes

    @property
    def first_line(self) -> str:
        return self.raw.split(b"\r\n", 1)[0].decode("utf-8", "surrogateescape")

    @property
    def method(self) -> str:
        """Of a request; empty for a response."""
        first = self.first_line
        return "" if first.startswith("SIP/2.0 ") else first.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        first = self.first_line
        return int(first.split(" ")[1]) if first.startswith("SIP/2.0 ") else 0

    def headers(self, name: str) -> list[str]:
        """Every value of one header, in order, exactly as it came."""
        head = self.raw.split(b"\r\n\r\n", 1)[0].decode("utf-8", "surrogateescape")
        lines = (line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line)
        return [value.strip(" ") for key, value in lines if key.strip().lower() == name.lower()]

    def header(self, name: str) -> str:
        """The first value of a header, empty when it is not there."""
        return next(iter(self.headers(name)), "")

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    @property
    def answers(self) -> str:
        """The method that this message belongs to, by its CSeq."""
        return self.header("CSeq").rpartition(" ")[2]


@dataclass(frozen=True, slots=True)
class Invite(Message):
    """A call as it reached a telephone."""

    @property
    def request_uri(self) -> str:
        return self.first_line.split(" ")[1]

    @property
    def begins_a_call(self) -> bool:
        """A request within a dialog names the tag of whom it is for (RFC 3261, 12.2)."""
        return ";tag=" not in self.header("To")

    @property
    def name(self) -> str:
        """What the phone's screen shows: From's display name, unescaped."""
        return display_name(self.header("From"))

    @property
    def number(self) -> str:
        return user_part(self.header("From"))

    @property
    def asserted_name(self) -> str:
        return display_name(self.header("P-Asserted-Identity"))

    @property
    def asserted_number(self) -> str:
        return user_part(self.header("P-Asserted-Identity"))

    @property
    def call_info(self) -> dict[str, str]:
        """Addresses of the Call-Info headers by their purpose: info, icon, card."""
        found = (re.fullmatch(r"<([^>]*)>;purpose=(\w+)", value) for value in self.headers("Call-Info"))
        return {match[2]: match[1] for match in found if match}


def display_name(address: str) -> str:
    """The display name of a SIP name-addr, without its quotes and backslashes."""
    quoted = re.match(r'\s*"((?:\\.|[^"\\])*)"', address, re.DOTALL)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    return address.partition("<")[0].strip()


def user_part(address: str) -> str:
    """The user part of the SIP address in a header, empty when it has none."""
    _, _, after_name = address.rpartition('"')  # a name may look like an address
    found = re.search(r"sips?:([^@>;]*)@", after_name)
    return found[1] if found else ""


class _Wire:
    """SIPp's message trace, read as it grows."""

    _HEAD = re.compile(rb"-{20,} (\S+(?: \S+)?)\nUDP message (sent|received) [(\[](\d+)[^\n]*\n\n")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""
        self._messages: list[Message] = []

    def messages(self) -> list[Message]:
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as trace:
            trace.seek(self._read)
            fresh = trace.read()
            self._read += len(fresh)
            self._rest += fresh
        while (head := self._HEAD.search(self._rest)) and len(self._rest) >= head.end() + int(head[3]):
            end = head.end() + int(head[3])
            self._messages.append(_message(head, self._rest[head.end() : end]))
            self._rest = self._rest[end:]
        return self._messages


def _message(head: re.Match[bytes], raw: bytes) -> Message:
    at = datetime.fromisoformat(head[1].decode()).replace(tzinfo=UTC).timestamp()  # one word and a Z since SIPp 3.8
    sent = head[2] == b"sent"
    return Invite(at, sent, raw) if raw.startswith(b"INVITE ") else Message(at, sent, raw)


# --- SIPp


class _Sipp:
    """One SIPp process with a folder of its own; both are gone after stop()."""

    def __init__(self, scenario: str, address: str, *arguments: str) -> None:
        self._dir = Path(tempfile.mkdtemp(prefix="ringcard-sipp-"))
        self._wire = _Wire(self._dir / "wire")
        (self._dir / "scenario.xml").write_text(scenario, encoding="utf-8")
        self._arguments = ["-sf", "scenario.xml", "-i", address, "-nostdin", *arguments]
        self._arguments += ["-trace_msg", "-message_file", "wire", "-trace_err", "-error_file", "errors"]
        self._process: asyncio.subprocess.Process | None = None

    def file(self, name: str, lines: Iterable[str]) -> None:
        (self._dir / name).write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")

    async def start(self) -> None:
        program = shutil.which("sipp")
        if program is None:
            raise PhoneError("SIPp is not installed; on Debian: apt-get install sip-tester")
        with (self._dir / "screen").open("wb") as screen:
            self._process = await asyncio.create_subprocess_exec(
                program,
                *self._arguments,
                cwd=self._dir,
                env={**os.environ, "TZ": "UTC"},  # the trace is written in local time
                stdin=asyncio.subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        if self._process is None:
            raise PhoneError("this SIPp was not started")
        return await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self.messages()
        shutil.rmtree(self._dir, ignore_errors=True)

    def messages(self) -> list[Message]:
        return self._wire.messages()

    def complaint(self) -> str:
        """What SIPp had to say, for an error message: unexpected messages, ports in use and the like."""
        for name in ("errors", "screen"):
            with contextlib.suppress(FileNotFoundError):
                text = (self._dir / name).read_text(errors="replace").strip()
                if text:
                    return "\n".join(text.splitlines()[-12:])
        return "(SIPp said nothing)"


# --- telephones


class Phone:
    """A telephone of the lab. `async with Phone(lab, "101") as phone:` registers it and takes it away again.

    manner is what it does when called; it rings ring_s seconds, and once answered it hangs up after talk_s seconds or,
    with None, stays until the other side hangs up. Several telephones of one name are several devices of one person.
    `Phone.outside(lab)` is the world beyond the provider: numbers that the company dials ring there.
    """

    agent = "Lab phone"  # the User-Agent that it registers with

    def __init__(
        self,
        lab: Lab,
        name: str,
        manner: Manner = "answer",
        *,
        ring_s: float = 0.0,
        talk_s: float | None = None,
        registers: bool = True,
    ) -> None:
        self.name = name
        self._lab = lab
        self._registers = registers
        self.address = f"{lab.net}.101.{name}" if registers else f"{lab.net}.102.1"
        self.port = _free_port(self.address)
        self._pressed = 0
        scenario = self._manners(manner, ring_s, talk_s)
        self._sipp = _Sipp(scenario, self.address, "-p", str(self.port), "-aa")

    @classmethod
    def outside(cls, lab: Lab, manner: Manner = "answer", *, ring_s: float = 0.0, talk_s: float | None = None) -> Self:
        return cls(lab, "outside", manner, ring_s=ring_s, talk_s=talk_s, registers=False)

    def _manners(self, manner: Manner, ring_s: float, talk_s: float | None) -> str:
        """SIPp's scenario of this telephone."""
        return _telephone(manner, ring_s, talk_s)

    async def start(self) -> Self:
        """Returns when it is registered and would ring. Raises PhoneError."""
        await self._sipp.start()
        try:
            await self._listening()
            if self._registers:
                await self._register(expires_s=3600)
        except BaseException:
            await self._sipp.stop()
            raise
        return self

    async def stop(self, *, unregister: bool = True) -> None:
        """Takes it away; with unregister=False the PBX goes on believing that it is there (a pulled plug)."""
        if self._registers and unregister and self._sipp.running:
            with contextlib.suppress(PhoneError):
                await self._register(expires_s=0)
        await self._sipp.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def messages(self) -> list[Message]:
        """Everything that it received and sent so far."""
        return self._sipp.messages()

    @property
    def invites(self) -> list[Invite]:
        """The calls that reached it so far, in order, each once; not what Asterisk asks within one (re-INVITE)."""
        first: dict[str, Invite] = {}
        for message in self.messages:
            if isinstance(message, Invite) and not message.sent and message.begins_a_call:
                first.setdefault(message.call_id, message)
        return list(first.values())

    async def rang(self, calls: int = 1, within_s: float = 30.0) -> list[Invite]:
        """The invites, once there are `calls` of them. Raises TimeoutError when they do not come."""
        async with asyncio.timeout(within_s):
            while len(self.invites) < calls:
                await asyncio.sleep(0.005)
        return self.invites

    def pick_up(self) -> None:
        """Answer the latest call, which rings; for a telephone that does as it is told."""
        self._tell(_PICK_UP)

    def refuse(self) -> None:
        """Press the button that rejects the latest call, which rings; for a telephone that does as it is told."""
        self._tell(_REFUSE)

    def hang_up(self) -> None:
        """End the latest call, which was answered; for a telephone that does as it is told."""
        self._tell(_PUT_DOWN)

    async def press(self, digits: str, pause_s: float = 0.1) -> None:
        """Press keys in the latest call, which was answered (SIP INFO); for a telephone that does as it is told."""
        for digit in digits:
            self._pressed += 1
            self._tell(_PRESS, f"X-Digit: {digit}\r\nX-Sequence: {self._pressed}\r\n")
            await asyncio.sleep(pause_s)

    def _tell(self, method: str, more: str = "") -> None:
        """SIPp takes whatever bears a call's own headers for a message of that call."""
        first, rest = self.invites[-1].raw.replace(b"INVITE", method.encode(), 1).split(b"\r\n", 1)
        if method == _PRESS:  # of another transaction, else SIPp takes the second for the first once more
            rest = rest.replace(b"branch=z9hG4bK", f"branch=z9hG4bK{self._pressed}".encode(), 1)
        told = first + b"\r\n" + more.encode() + rest
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
            hand.sendto(told, (self.address, self.port))

    @property
    def complaint(self) -> str:
        return self._sipp.complaint()

    async def _listening(self) -> None:
        """SIPp is ready when the kernel shows its socket: what arrives from then on waits for it there."""
        async with asyncio.timeout(START_S):
            while not _bound(self.address, self.port):
                if not self._sipp.running:
                    raise PhoneError(f"telephone {self.name} did not start: {self._sipp.complaint()}")
                await asyncio.sleep(0.005)

    async def _register(self, *, expires_s: int) -> None:
        contact = f"sip:{self.name}@{self.address}:{self.port}"
        scenario = _registration(self.name, self._lab.password, contact, expires_s, self.agent)
        sipp = _Sipp(scenario, self.address, "-m", "1", f"{self._lab.address}:5060")
        try:
            await sipp.start()
            async with asyncio.timeout(START_S):
                if await sipp.wait() != 0:
                    raise PhoneError(f"telephone {self.name} could not register: {sipp.complaint()}")
        except TimeoutError:
            raise PhoneError(f"telephone {self.name} could not register: no answer in {START_S:.0f} s") from None
        finally:
            await sipp.stop()


# --- callers


@dataclass(frozen=True, slots=True)
class Dialled:
    """One call to be made: who calls, which of the company's numbers, and how much of himself the caller shows."""

    number: str = "+85512345678"
    did: str = "+85523900002"
    name: str = ""
    withheld: Withheld = ""

    @property
    def from_address(self) -> str:
        host = "127.0.0.1"
        if self.withheld in ("anonymous", "privacy"):
            return f'"{self._quoted or "Anonymous"}" <sip:anonymous@anonymous.invalid>'
        if self.withheld == "empty":
            return f'"{self._quoted}" <sip:{host}>' if self.name else f"<sip:{host}>"
        return f'"{self._quoted}" <sip:{self.number}@{host}>' if self.name else f"<sip:{self.number}@{host}>"

    @property
    def _quoted(self) -> str:
        return self.name.replace("\\", "\\\\").replace('"', '\\"')

    @property
    def identity(self) -> tuple[str, str]:
        """Two more headers: the provider's own word on who calls, and the caller's wish to keep it."""
        if self.withheld == "privacy":
            shown = f'"{self._quoted}" ' if self.name else ""
            return f"P-Asserted-Identity: {shown}<sip:{self.number}@127.0.0.1>", "Privacy: id"
        return "X-Lab: caller", "X-Lab: shown"  # an injected line cannot be left out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call, seen by the caller. Times in seconds; None means that it did not happen."""

    dialled: Dialled
    call_id: str
    invited_at: float
    provisional: tuple[int, ...]
    status: int  # the final answer to the INVITE: 200, 486 ...; 0 when there was none
    ring_s: float | None  # INVITE to the first 180 or 183
    answer_s: float | None  # INVITE to 200
    final_s: float | None  # INVITE to whatever ended it, 200 or failure
    hung_up_by: Literal["", "caller", "callee"]
    talk_s: float | None
    messages: tuple[Message, ...] = field(repr=False, default=())


async def call(
    lab: Site,
    number: str = "+85512345678",
    did: str = "+85523900002",
    *,
    name: str = "",
    withheld: Withheld = "",
    way: Way = "trunk",
    give_up_s: float = 30.0,
    talk_s: float | None = 0.0,
    digits: str = "",
) -> Outcome:
    """Plays one caller from outside until the call is over.

    Gives up (CANCEL) when nobody answers in give_up_s; once answered, presses `digits` (SIP INFO), talks talk_s seconds
    and hangs up, or with None waits for the other side to do so. Raises PhoneError when SIPp itself fails.
    """
    scenario = _caller(give_up_s, talk_s, digits)
    dialled = Dialled(number, did, name, withheld)
    return (await _play(lab, [dialled], scenario, _way_in(lab, way), rate=100, at_once=1))[0]


async def dial(
    lab: Lab,
    phone: str,
    number: str,
    *,
    give_up_s: float = 30.0,
    talk_s: float | None = 0.0,
) -> Outcome:
    """The same from a telephone of the company: whoever sits at `phone` dials `number`."""
    scenario = _caller(give_up_s, talk_s, "", login=f"[authentication username={phone} password={lab.password}]")
    dialled = Dialled(phone, number)
    return (await _play(lab, [dialled], scenario, f"{lab.net}.101.{phone}", rate=100, at_once=1))[0]


async def load(
    lab: Site,
    calls: Sequence[Dialled],
    *,
    rate: float = 20.0,
    way: Way = "trunk",
    give_up_s: float = 10.0,
    talk_s: float | None = 0.0,
    one_by_one: bool = False,
) -> list[Outcome]:
    """Plays `calls` in order, `rate` of them a second, each as `call` does; returns when all are over.

    With one_by_one no call begins while another goes on: the next one leaves beats out until then.
    """
    at_once = 1 if one_by_one else len(calls)
    return await _play(lab, calls, _caller(give_up_s, talk_s, ""), _way_in(lab, way), rate, at_once)


def _way_in(lab: Site, way: Way) -> str:
    return f"{lab.net}.{_WAY_NET[way]}.1"


async def _play(
    lab: Site, calls: Sequence[Dialled], scenario: str, address: str, rate: float, at_once: int
) -> list[Outcome]:
    pace = ("-r", f"{round(rate * 10)}", "-rp", "10000", "-l", str(at_once), "-m", str(len(calls)))
    sipp = _Sipp(scenario, address, "-inf", "calls", *pace, f"{lab.address}:5060")
    sipp.file("calls", ["SEQUENTIAL", *(_injected(dialled) for dialled in calls)])
    try:
        await sipp.start()
        await sipp.wait()
        outcomes = _outcomes(calls, sipp.messages())
        if len(outcomes) != len(calls):
            raise PhoneError(f"{len(outcomes)} of {len(calls)} calls were made: {sipp.complaint()}")
        return outcomes
    finally:
        await sipp.stop()


def _injected(dialled: Dialled) -> str:
    fields = (dialled.from_address, dialled.did, *dialled.identity)
    for value in fields:
        if ";" in value or "\n" in value or "\r" in value:
            raise ValueError(f"a semicolon or a line break cannot be injected by SIPp: {value!r}")
    return ";".join(fields)


def _outcomes(calls: Sequence[Dialled], messages: Iterable[Message]) -> list[Outcome]:
    by_call: dict[str, list[Message]] = {}
    for message in messages:
        by_call.setdefault(message.call_id, []).append(message)
    made = [heard for heard in by_call.values() if heard[0].method == "INVITE"]
    return [_outcome(dialled, heard) for dialled, heard in zip(calls, made, strict=False)]


def _outcome(dialled: Dialled, heard: Sequence[Message]) -> Outcome:
    invited_at = heard[0].at
    answers = [m for m in heard if not m.sent and m.answers == "INVITE" and m.status]
    finals = [m for m in answers if m.status >= 200]
    final = next((m for m in finals if m.status != 401), *finals[:1]) if finals else None  # 401: asked for the password
    rings = next((m for m in answers if m.status in (180, 183)), None)
    answered = final if final and final.status == 200 else None
    bye = next((m for m in heard if m.method == "BYE"), None)
    return Outcome(
        dialled=dialled,
        call_id=heard[0].call_id,
        invited_at=invited_at,
        provisional=tuple(m.status for m in answers if m.status < 200),
        status=final.status if final else 0,
        ring_s=rings.at - invited_at if rings else None,
        answer_s=answered.at - invited_at if answered else None,
        final_s=final.at - invited_at if final else None,
        hung_up_by="" if bye is None else "caller" if bye.sent else "callee",
        talk_s=bye.at - answered.at if bye and answered else None,
        messages=tuple(heard),
    )


# --- SIPp scenarios. [..] is SIPp's: [last_X:] repeats a header of the last message received, [fieldN] is injected.

_SDP = """v=0
o=lab 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 40000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000"""


_OPTIONAL = ' optional="true"'


class _Wait(TypedDict):
    """SIPp looks at the time-out of the message that it stands at only: each optional one before needs it as well."""

    timeout_s: float
    timeout_to: str


def _scenario(*steps: str) -> str:
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', '<scenario name="lab">', *steps, "</scenario>"])


def _send(message: str, *, retransmit: bool = False, go_to: str = "") -> str:
    options = (' retrans="500"' if retransmit else "") + (f' next="{go_to}"' if go_to else "")
    return f"<send{options}><![CDATA[\n{message.strip()}\n\n]]></send>"


def _receive(
    what: str, *, timeout_s: float | None = None, timeout_to: str = "", go_to: str = "", options: str = ""
) -> str:
    wait = "" if timeout_s is None else f' timeout="{max(1, round(timeout_s * 1000))}" ontimeout="{timeout_to}"'
    kind = "response" if what.isdigit() else "request"
    return f'<recv {kind}="{what}"{wait}{f" next={chr(34)}{go_to}{chr(34)}" if go_to else ""}{options}/>'


def _may_receive(what: str, *, go_to: str = "") -> str:
    return _receive(what, go_to=go_to, options=_OPTIONAL)


def _label(name: str) -> str:
    return f'<label id="{name}"/>'


def _reply(status: str, *, sdp: bool = False, cseq: str = "[last_CSeq:]", tag: bool = True) -> str:
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{_SDP}" if sdp else "Content-Length: 0"
    return f"""SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:]{";tag=[pid]p[call_number]" if tag else ""}
[last_Call-ID:]
{cseq}
Contact: <sip:phone@[local_ip]:[local_port]>
{body}"""


_CANCELLED, _ANSWER, _CROSSED, _TALK, _AGAIN, _HANG_UP, _END = "1", "2", "3", "4", "5", "6", "7"
_FAILED, _GIVE_UP, _HUNG_UP = "8", "9", "10"
_REFUSED = "11"
_PICK_UP, _REFUSE, _PUT_DOWN, _PRESS = (
    "PICKUP",
    "REFUSE",
    "PUTDOWN",
    "PRESS",
)  # no methods of SIP: nobody else says them
_KEY = "12"


def _telephone(manner: Manner, ring_s: float, talk_s: float | None) -> str:
    """A telephone: rings, then does as its manner is; every call separately."""
    invite = """<recv request="INVITE" rrs="true"><action>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp="<(sip:[^>]+)>" search_in="hdr" header="Contact:" assign_to="whole,contact"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="theirs"/>
</action></recv>""".replace('"<(sip:[^>]+)>"', '"&lt;(sip:[^&gt;]+)&gt;"')
    ack = """<recv request="ACK"><action>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="ours"/>
</action></recv>"""
    bye = f"""{_in_call("BYE", "9999")}
Content-Length: 0"""
    info = f"""{_in_call("INFO", "[$number]")}
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=[$key]
Duration=160"""
    press = f"""<recv request="{_PRESS}" optional="true" next="{_KEY}"><action>
<ereg regexp="[0-9*#]" search_in="hdr" header="X-Digit:" assign_to="key"/>
<ereg regexp="[0-9]+" search_in="hdr" header="X-Sequence:" assign_to="number"/>
</action></recv>"""
    wait_s = None if manner in ("ignore", "told") else ring_s
    told = manner == "told"
    forward = f"302 Moved Temporarily\nContact: <sip:{FORWARD_TO}@[local_ip]>"
    refusal = {"busy": "486 Busy Here", "decline": "603 Decline", "forward": forward}.get(manner)
    refuse = [_send(_reply(refusal), retransmit=True), _receive("ACK", go_to=_END)] if refusal else []
    return _scenario(
        invite,
        _send(_reply("180 Ringing")),
        *((_may_receive(_PICK_UP, go_to=_ANSWER), _may_receive(_REFUSE, go_to=_REFUSED)) if told else ()),
        _receive("CANCEL", timeout_s=wait_s, timeout_to=_ANSWER, go_to=_CANCELLED) if wait_s != 0 else "",
        _label(_ANSWER),
        *refuse,
        _send(_reply("200 OK", sdp=True), retransmit=True),
        _may_receive("CANCEL", go_to=_CROSSED),
        ack,
        *_talking(talk_s, *((_may_receive(_PUT_DOWN, go_to=_HANG_UP), press) if told else ())),
        _label(_CROSSED),  # the caller gave up, or another phone was taken, while our 200 was under way
        _send(_reply("200 OK")),
        ack.replace("<recv ", f'<recv next="{_TALK}" '),
        *((_label(_KEY), _send(info, retransmit=True), _receive("200", go_to=_TALK)) if told else ()),
        _label(_HANG_UP),
        _send(bye, retransmit=True),
        _receive("200", go_to=_END),
        _label(_REFUSED),
        _send(_reply("486 Busy Here"), retransmit=True),
        _receive("ACK", go_to=_END),
        _label(_CANCELLED),
        _send(_reply("200 OK")),
        _send(_reply("487 Request Terminated", cseq="CSeq: [$cseq] INVITE"), retransmit=True),
        _receive("ACK"),
        _label(_END),
        f'<Reference variables="whole,contact,theirs,ours,cseq{",key,number" if told else ""}"/>',
    )


def _talking(talk_s: float | None, *first: str) -> tuple[str, ...]:
    """Until the other side hangs up, or talk_s are over."""
    return (
        _label(_TALK),
        *first,
        _receive("INVITE", timeout_s=talk_s, timeout_to=_HANG_UP, go_to=_AGAIN, options=_OPTIONAL),
        _receive("BYE", timeout_s=talk_s, timeout_to=_HANG_UP),
        _send(_reply("200 OK", tag=False), go_to=_END),
        _label(_AGAIN),  # Asterisk tells of a change in mid-call
        _send(_reply("200 OK", sdp=True, tag=False), retransmit=True),
        _receive("ACK", go_to=_TALK),
    )


def _in_call(method: str, cseq: str) -> str:
    """A request of a telephone in the call that it answered."""
    return f"""{method} [$contact] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]-{cseq}
Max-Forwards: 70
From: [$ours]
To: [$theirs]
[last_Call-ID:]
CSeq: {cseq} {method}"""


def _registration(name: str, password: str, contact: str, expires_s: int, agent: str = "Lab phone") -> str:
    def register(cseq: int, more: str) -> str:
        return f"""REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:{name}@[remote_ip]>;tag=[pid]r
To: <sip:{name}@[remote_ip]>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
Contact: <{contact}>
Expires: {expires_s}
User-Agent: {agent}
{more}Content-Length: 0"""

    return _scenario(
        _send(register(1, ""), retransmit=True),
        _receive("401", options=' auth="true"'),
        _send(register(2, f"[authentication username={name} password={password}]\n"), retransmit=True),
        _receive("200"),
    )


def _caller(give_up_s: float, talk_s: float | None, digits: str, login: str = "") -> str:
    """A caller from outside: gives up after give_up_s; answered, presses digits, talks and hangs up.

    With `login`, SIPp's words for it, a telephone of the company, which is asked for its password first.
    """
    number = 2 if login else 1
    invite = f"{_request('INVITE', number)}\n{login}\n[field2]\n[field3]\n{_sdp_body()}".replace(
        "\n\n[field2]", "\n[field2]"
    )
    asked = (
        _send(f"{_request('INVITE', 1)}\n[field2]\n[field3]\n{_sdp_body()}", retransmit=True),
        _receive("401", options=' auth="true"'),
        _send(_same_branch("ACK", 1)),
    )
    patience: _Wait = {"timeout_s": give_up_s, "timeout_to": _GIVE_UP}
    presses = [step for n, digit in enumerate(digits) for step in (_send(_info(digit, 2 + n)), _receive("200"))]
    return _scenario(
        *(asked if login else ()),
        _send(invite, retransmit=True),
        *(_receive(status, options=_OPTIONAL, **patience) for status in ("100", "180", "181", "183")),
        *(_receive(str(status), go_to=_FAILED, options=_OPTIONAL, **patience) for status in _FINAL_FAILURES),
        _receive("200", **patience),
        _send(f"{_request('ACK', number, to='[last_To:]')}\nContent-Length: 0"),
        *presses,
        *_talking(talk_s),
        _label(_HANG_UP),
        _send(f"{_request('BYE', 90, to='[last_To:]')}\nContent-Length: 0", retransmit=True),
        _receive("200", go_to=_END),
        _label(_FAILED),
        _send(_same_branch("ACK", number), go_to=_END),
        _label(_GIVE_UP),
        _send(_same_branch("CANCEL", number), retransmit=True),
        _may_receive("200"),
        _receive("487", timeout_s=5, timeout_to=_END),
        _send(_same_branch("ACK", number)),
        _label(_END),
    )


def _request(method: str, cseq: int, *, to: str = "To: <sip:[field1]@[remote_ip]:[remote_port]>") -> str:
    return f"""{method} sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: [field0];tag=[pid]c[call_number]
{to}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:caller@[local_ip]:[local_port]>"""


def _same_branch(method: str, number: int) -> str:
    """CANCEL and the ACK of a failure belong to the INVITE's own transaction; every answer carries its Via."""
    to = "To: <sip:[field1]@[remote_ip]:[remote_port]>" if method == "CANCEL" else "[last_To:]"
    request = _request(method, number, to=to).replace(
        "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]", "[last_Via:]"
    )
    return f"{request}\nContent-Length: 0"


def _info(digit: str, cseq: int) -> str:
    return f"""{_request("INFO", cseq, to="[last_To:]")}
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal={digit}
Duration=160"""


def _sdp_body() -> str:
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{_SDP}"


# --- addresses


def _free_port(address: str) -> int:
    """5060 when it is free there, else any: a phone may have several devices."""
    for port in (5060, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return int(probe.getsockname()[1])
    raise PhoneError(f"no free UDP port on {address}")


def _bound(address: str, port: int) -> bool:
    """Whether some process listens there, by the kernel's own list."""
    reversed_hex = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    return f"{reversed_hex}:{port:04X} " in Path("/proc/net/udp").read_text()
