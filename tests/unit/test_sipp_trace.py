"""SIPp's message trace is read as it grows, in the form of each of its versions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ringcard.phones import Invite, _Wire

INVITE = b'INVITE sip:101@127.0.0.1 SIP/2.0\r\nFrom: "Sok Dara" <sip:+85512345678@127.0.0.1>\r\n\r\n'
AT = datetime(2026, 11, 25, 23, 16, 21, 209460, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("time", ["2026-11-25 23:16:21.209460", "2026-11-25T23:16:21.209460Z"], ids=["3.6", "3.8"])
def test_a_message_is_read_with_the_moment_that_sipp_wrote(tmp_path: Path, time: str) -> None:
    trace = tmp_path / "trace"
    head = f"----------------------------------------------- {time}\nUDP message received [{len(INVITE)}] bytes :\n\n"
    trace.write_bytes(head.encode() + INVITE[:20])
    wire = _Wire(trace)
    assert wire.messages() == []
    with trace.open("ab") as more:
        more.write(INVITE[20:])
    (message,) = wire.messages()
    assert isinstance(message, Invite)
    assert (message.at, message.sent, message.name) == (AT, False, "Sok Dara")
