"""A telephone that treats each caller as a digit of the caller's number says, so that random numbers make it do all
that telephones do. It writes down what it did, as every telephone here does.

    0..4  answers after 0.3 s, and talks until the caller hangs up     7  declines (603)
    5     the same, and hangs up itself after 0.8 s                    8  rings on until it is taken back
    6     is busy (486)                                                9  answers after 1.2 s

Who shows no number is answered.
"""

from __future__ import annotations

from ringcard.lab import Lab
from ringcard.phones import _ANSWER, _CANCELLED, _END, _HANG_UP, _TALK, Manner, Phone
from ringcard.phones import _REFUSED as _BUSY

RING_S, LONG_RING_MS, SOON_MS = 0.3, 900, 800

_TAKE, _DECLINE, _RING_ON, _SOON, _LATE = "20", "21", "22", "23", "24"  # labels of ours in the scenario


def _jump(mood: str, label: str) -> str:
    return f'<nop next="{label}" test="{mood}"/>'


class MoodyPhone(Phone):
    """`digit` counts from the end of the caller's number: 1 is the last."""

    def __init__(self, lab: Lab, name: str, digit: int) -> None:
        self._digit = digit
        super().__init__(lab, name, "answer", ring_s=RING_S)

    def _manners(self, manner: Manner, ring_s: float, talk_s: float | None) -> str:
        moods = {"soon": "5", "busy": "6", "declines": "7", "on": "8", "late": "9"}
        looks = "\n".join(self._look(mood, digit) for mood, digit in moods.items())
        scenario = super()._manners(manner, ring_s, talk_s)
        cancel = '<recv request="CANCEL"'
        for mark, before, after in (
            ("</action></recv>", looks, ""),
            (cancel, _jump("on", _RING_ON), ""),
            (f'<label id="{_ANSWER}"/>', "", _jump("busy", _BUSY) + _jump("declines", _DECLINE) + _jump("late", _LATE)),
            ('<send retrans="500"><![CDATA[\nSIP/2.0 200 OK', f'<label id="{_TAKE}"/>', ""),
            (f'<label id="{_TALK}"/>', "", _jump("soon", _SOON)),
            (f'<label id="{_CANCELLED}"/>', self._more(), ""),
        ):
            assert mark in scenario, f"the telephone's scenario has no {mark!r} any more"
            scenario = scenario.replace(mark, "\n".join(part for part in (before, mark, after) if part), 1)
        return scenario.replace('ours,cseq"/>', f'ours,cseq,{",".join(moods)}"/>')

    def _look(self, mood: str, digit: str) -> str:
        at = f"sip:[^@]*{digit}[0-9]{{{self._digit - 1}}}@"
        return f'<ereg regexp="{at}" search_in="hdr" header="From:" check_it="false" assign_to="{mood}"/>'

    def _more(self) -> str:
        decline = """<send retrans="500"><![CDATA[
SIP/2.0 603 Decline
[last_Via:]
[last_From:]
[last_To:];tag=[pid]p[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"""
        ok = """<send next="{next}"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"""
        return f"""<label id="{_DECLINE}"/>
{decline}
<recv request="ACK" next="{_END}"/>
<label id="{_RING_ON}"/>
<recv request="CANCEL" next="{_CANCELLED}"/>
<label id="{_LATE}"/>
<recv request="CANCEL" timeout="{LONG_RING_MS}" ontimeout="{_TAKE}" next="{_CANCELLED}"/>
<label id="{_SOON}"/>
<recv request="BYE" timeout="{SOON_MS}" ontimeout="{_HANG_UP}"/>
{ok.format(next=_END)}"""
