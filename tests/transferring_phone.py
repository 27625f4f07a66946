"""A telephone that answers when told, and hands its call on: to a number, or to the call that it made meanwhile."""

from __future__ import annotations

import socket

from ringcard.phones import _HANG_UP, _PUT_DOWN, _TALK, Manner, Phone, _label, _may_receive, _receive, _send

_MOVE, _HAND_ON = "MOVE", "40"  # no method of SIP; a label of ours in the scenario

_REFER = """REFER [$contact] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: [$ours]
To: [$theirs]
[last_Call-ID:]
CSeq: 1 REFER
Contact: <sip:phone@[local_ip]:[local_port]>
Refer-To: [$refer]
Content-Length: 0"""


class TransferringPhone(Phone):
    def _manners(self, manner: Manner, ring_s: float, talk_s: float | None) -> str:
        scenario = super()._manners("told", ring_s, talk_s)
        told = _may_receive(_PUT_DOWN, go_to=_HANG_UP)
        assert told in scenario
        moved = f"""<recv request="{_MOVE}" next="{_HAND_ON}" optional="true"><action>
<ereg regexp=".*" search_in="hdr" header="Refer-To:" assign_to="refer"/></action></recv>"""
        hand_on = "\n".join([_label(_HAND_ON), _send(_REFER, retransmit=True), _receive("202", go_to=_TALK)])
        scenario = scenario.replace(told, f"{told}\n{moved}").replace('ours,cseq"/>', 'ours,cseq,refer"/>')
        return scenario.replace(_label(_HANG_UP), f"{hand_on}\n{_label(_HANG_UP)}")

    def transfer(self, to: str, replaces: str = "") -> None:
        """Of the latest call, which talks. `replaces`: the call that takes its place, see CallingPhone."""
        uri = f"sip:{to}@{self._lab.address}" + (f"?Replaces={replaces}" if replaces else "")
        told = self.invites[-1].raw.replace(b"INVITE", _MOVE.encode(), 1)
        first, rest = told.split(b"\r\n", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
            hand.sendto(first + f"\r\nRefer-To: <{uri}>\r\n".encode() + rest, (self.address, self.port))
