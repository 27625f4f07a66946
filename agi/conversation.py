"""The AGI dialogue as plain values: bytes in, what was heard out; what we want to say, as bytes. No I/O, so any server
or script can use it and every split of the input can be tested.

Asterisk speaks first: `agi_*` lines and a blank one. After that each command of ours gets one reply. Nothing that a
caller or a customer record holds may become a command, so `command` is the only way to bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_LINE = 8192
"""Bytes in one line. The longest that Asterisk sends is a variable's value, which its own buffers keep below 4096."""

MAX_MESSAGE = 65536
"""Bytes in one request or one reply, all its lines together."""

MAX_COMMAND = 2000
"""Bytes in one command. Asterisk 22 reads 8192 of a line (older ones fewer) and runs the rest as a command of its own:
a long enough name would end in whatever its owner likes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What Asterisk wants run, and what it says of the channel. Values are as sent; "unknown" is Asterisk's "none"."""

    script: str
    headers: Mapping[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments after the address in `AGI(agi://host/script,one,two)`."""
        numbered = (self.headers.get(f"agi_arg_{n}") for n in range(1, 128))
        return tuple(argument for argument in numbered if argument is not None)

    def header(self, name: str) -> str:
        """A header's value, empty where Asterisk has none."""
        value = self.headers.get(name, "")
        return "" if value == "unknown" else value


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command: 200 done, 510 no such command, 511 not on a dead channel, 520 used wrongly."""

    code: int
    result: str = ""  # of a 200: what stands after result=
    value: str = ""  # of a 200: what stands in parentheses; of the others: the text

    @property
    def done(self) -> bool:
        return self.code == 200 and self.result != "-1"


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller has gone. Commands that need a channel will fail; the conversation may still be finished."""


@dataclass(frozen=True, slots=True)
class Knock:
    """Not Asterisk's AGI but an HTTP GET, e.g. the dialplan's bounded look whether anybody answers here."""

    path: str


@dataclass(frozen=True, slots=True)
class Nonsense:
    """The peer does not speak AGI. Nothing that it sends after this is read."""

    reason: str


Heard = Request | Reply | HungUp | Knock | Nonsense

_REPLY = re.compile(r"(\d{3})([ -])(.*)", re.DOTALL)
_RESULT = re.compile(r"result=(\S*) ?(.*)", re.DOTALL)
_VALUE = re.compile(r"\((.*)\)(?: endpos=\d+)?\s*", re.DOTALL)
_CLOSED = re.compile(r"\)(?: endpos=\d+)?\s*$")
_HOST = re.compile(r"^h?agi://[^/]*/?")
_GET = re.compile(r"GET (\S+) HTTP/1\.[01]")
_LINE_BREAKERS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Conversation:
    """One dialogue's ear. Feed `receive` what came; how it was cut into pieces makes no difference."""

    _buffer: bytes = b""
    _lines: list[str] = field(default_factory=list)  # of the message that is not complete yet
    _size: int = 0  # bytes in _lines
    _asked: bool = False  # the request is complete, so replies follow
    _over: bool = False

    def receive(self, data: bytes) -> list[Heard]:
        """What `data` completes. Never raises; after `Nonsense` it hears nothing more."""
        heard: list[Heard] = []
        *whole, self._buffer = (self._buffer + data).split(b"\n")
        for line in whole:
            if not self._over:
                heard += self._line(line)
        if len(self._buffer) > MAX_LINE and not self._over:
            heard += self._nonsense("a line is too long")
        if self._over:
            self._buffer = b""
        return heard

    def _line(self, line: bytes) -> Iterator[Heard]:
        self._size += len(line)
        if len(line) > MAX_LINE:
            yield from self._nonsense("a line is too long")
        elif self._size > MAX_MESSAGE:
            yield from self._nonsense("a message is too long")
        elif self._asked:
            yield from self._reply_line(line.decode("utf-8", "replace").removesuffix("\r"))
        else:
            yield from self._request_line(line.decode("utf-8", "replace").removesuffix("\r"))

    def _request_line(self, line: str) -> Iterator[Heard]:
        if line:
            self._lines.append(line)
            return
        lines, self._asked = self._take(), True
        knock = _GET.fullmatch(lines[0]) if lines else None
        if knock:
            yield Knock(knock[1])
            return
        headers = _headers(lines)
        if "agi_request" in headers:
            yield Request(_script(headers), headers)
        else:
            yield from self._nonsense("not an AGI request")

    def _reply_line(self, line: str) -> Iterator[Heard]:
        if not self._lines and line == "HANGUP":
            self._take()
            yield HungUp()
            return
        self._lines.append(line)
        if _unfinished(self._lines):
            return
        reply = _reply("\n".join(self._take()))
        if reply is None:
            yield from self._nonsense("not an AGI reply")
        elif reply.code >= 200:  # 1xx only says that the answer takes longer
            yield reply

    def _take(self) -> list[str]:
        lines, self._lines, self._size = self._lines, [], 0
        return lines

    def _nonsense(self, reason: str) -> Iterator[Heard]:
        self._over = True
        self._take()
        yield Nonsense(reason)


def command(*words: str) -> bytes:
    """One command line. The first word is ours and stays as it is; all others are quoted.

    A line break cannot be said in AGI, so it and the other control characters become blanks.
    Raises ValueError for a command that Asterisk would read as two.
    """
    verb, *values = words
    line = " ".join([verb, *(f'"{escape(value)}"' for value in values)]).encode("utf-8", "replace") + b"\n"
    if len(line) > MAX_COMMAND:
        raise ValueError(f"an AGI command of {len(line)} bytes; Asterisk would cut it at {MAX_COMMAND}")
    return line


def escape(value: str) -> str:
    """A value for between the quotes of a command."""
    return _LINE_BREAKERS.sub(" ", value).replace("\\", "\\\\").replace('"', '\\"')


def get_variable(name: str) -> bytes:
    return command("GET VARIABLE", name)


def set_variable(name: str, value: str) -> bytes:
    return command("SET VARIABLE", name, value)


def verbose(text: str) -> bytes:
    """A line on Asterisk's console, from verbosity 3 on."""
    return command("VERBOSE", text, "3")


def http_answer(status: str, text: str) -> bytes:
    """The whole answer to a `Knock`, e.g. of status "200 OK"."""
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _headers(lines: list[str]) -> dict[str, str]:
    """`agi_*` lines as a mapping. The first of a name holds: what Asterisk says itself comes before what callers say,
    so a line break inside a caller's name cannot replace the script or the number."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.startswith("agi_"):
            headers.setdefault(name, value.strip())
    return headers


def _script(headers: Mapping[str, str]) -> str:
    """The script's name: of agi://host:4573/who_calls?x=1 it is who_calls; of a program's path, its last part."""
    named = headers.get("agi_network_script") or _HOST.sub("/", headers["agi_request"])
    return named.partition("?")[0].rstrip("/").rpartition("/")[2]


def _unfinished(lines: list[str]) -> bool:
    """A usage text (520-...) goes on to its own closing line, and a value in parentheses may hold line breaks."""
    first, last = lines[0], lines[-1]
    if first.startswith("520-"):
        return len(lines) == 1 or not last.startswith("520 ")
    match = _REPLY.fullmatch(first)
    result = _RESULT.fullmatch(match[3]) if match and match[1] == "200" else None
    return bool(result and result[2].startswith("(") and not _CLOSED.search(last))


def _reply(text: str) -> Reply | None:
    match = _REPLY.fullmatch(text)
    if not match:
        return None
    code, rest = int(match[1]), match[3]
    if code != 200:
        return Reply(code, value=rest)
    result = _RESULT.fullmatch(rest)
    if not result:
        return None
    value = _VALUE.fullmatch(result[2])
    return Reply(code, result[1], value[1] if value else result[2])
