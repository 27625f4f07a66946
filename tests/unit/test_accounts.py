"""The telephones' account of calls, and what it finds wrong in a log and on cards that do not say the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from ringcard.phones import Dialled, Invite, Message, Outcome, Withheld
from tests.accounts import Account, Shown, accounts, cards, differences, rings

NUMBER, DID, AT = "+85512000001", "+85523900002", 1_800_000_000.0


@dataclass(frozen=True)
class Row:
    """A row of the log, right for `talked()`."""

    call_id: str = "c1"
    caller_number: str = NUMBER
    caller_name: str = ""
    called_number: str = DID
    outcome: str = "answered"
    answered_endpoint: str = "101"
    wait_s: float | None = 2.0
    talk_s: float | None = 5.0
    ended_at: datetime | None = datetime(2027, 1, 15, tzinfo=UTC)
    reason: str = "Rings the group."


def said(
    at: float, first: str, *, sent: bool, cseq: str, call_id: str = "c", who: str = NUMBER, name: str = ""
) -> Message:
    kind = Invite if first.startswith("INVITE ") else Message
    shown = f'"{name}" ' if name else ""
    head = f"{first}\r\nFrom: {shown}<sip:{who}@127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\r\n"
    return kind(AT + at, sent, head.encode())


def caller(
    *messages: Message, status: int = 200, hung_up_by: str = "caller", name: str = "", withheld: Withheld = ""
) -> Outcome:
    return Outcome(
        dialled=Dialled(NUMBER, DID, name, withheld),
        call_id="c",
        invited_at=AT,
        provisional=(),
        status=status,
        ring_s=None,
        answer_s=None,
        final_s=None,
        hung_up_by=hung_up_by,  # type: ignore[arg-type]
        talk_s=None,
        messages=(said(0, "INVITE sip:x SIP/2.0", sent=True, cseq="1 INVITE"), *messages),
    )


def phone(
    name: str, at: float, status: int = 0, said_at: float = 0.0, *, cancelled: bool = False, over_at: float = 0.0
) -> list[Message]:
    """A telephone's messages of one call."""
    told = [said(at, f"INVITE sip:{name}@127.0.0.1 SIP/2.0", sent=False, cseq="7 INVITE", call_id=name)]
    if cancelled:
        told.append(said(said_at, "CANCEL sip:x SIP/2.0", sent=False, cseq="7 CANCEL", call_id=name))
    if status:
        told.append(said(said_at, f"SIP/2.0 {status} Word", sent=True, cseq="7 INVITE", call_id=name))
    if over_at:
        told.append(said(over_at, "BYE sip:x SIP/2.0", sent=False, cseq="8 BYE", call_id=name))
    return told


def account(one: Outcome, **phones: list[Message]) -> Account:
    (only,) = accounts([one], [ring for messages in phones.values() for ring in rings(messages)])
    return only


BYE = said(7, "BYE sip:x SIP/2.0", sent=True, cseq="2 BYE")
CANCEL = said(3, "CANCEL sip:x SIP/2.0", sent=True, cseq="1 CANCEL")
REFUSED = said(4, "SIP/2.0 480 Gone", sent=False, cseq="1 INVITE")


def talked() -> Account:
    return account(caller(BYE), p101=phone("101", 0.1, 200, 2.0))


def test_an_answered_call_has_who_answered_and_how_long_it_waited_and_talked() -> None:
    it = talked()
    assert it.answered is not None
    assert (it.answered.phone, it.wait_s, it.talk_s) == ("101", 2.0, 5.0)
    assert it.outcomes == {"answered"}
    assert differences([it], [Row()]) == {}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"caller_number": "+85512000002"}, "not in the log"),
        ({"called_number": "+85523900003"}, "called"),
        ({"outcome": "missed"}, "missed, not answered"),
        ({"answered_endpoint": "102"}, "answered by 102"),
        ({"answered_endpoint": ""}, "answered by nobody"),
        ({"wait_s": 3.5}, "waited 3.5 s, not 2.0 s"),
        ({"talk_s": None}, "talked not at all"),
        ({"talk_s": 6.5}, "talked 6.5 s"),
        ({"ended_at": None}, "without an end"),
    ],
)
def test_whatever_the_log_has_wrong_is_said_with_the_call(wrong: dict[str, object], word: str) -> None:
    found = differences([talked()], [replace(Row(), **wrong)])  # type: ignore[arg-type]
    assert word in found[NUMBER][0]
    assert word == "not in the log" or found[NUMBER][-1] == f"call c1 to {DID}: 101 200 0.1 s; Rings the group."


def test_a_call_twice_in_the_log_or_not_at_all_or_made_by_nobody_is_wrong() -> None:
    assert differences([talked()], [Row(), Row()]) == {NUMBER: ["2 rows in the log"]}
    assert differences([talked()], []) == {NUMBER: ["not in the log"]}
    [[first, row]] = differences([], [Row()]).values()
    assert first == "nobody made this call: 1 in the log"
    assert "call c1 to +85523900002, answered; Rings the group." in row


def test_who_gave_up_abandoned_the_call_whether_it_had_been_taken_by_a_menu_or_not() -> None:
    rang = phone("101", 0.1, 487, 3.1, cancelled=True)
    assert account(caller(CANCEL, status=487, hung_up_by=""), p101=rang).outcomes == {"abandoned"}
    assert account(caller(BYE), p101=rang).outcomes == {"abandoned"}
    assert account(caller(BYE), p101=rang).wait_s == 7.0


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [(486, 486, "busy"), (486, 603, "declined"), (603, 0, "missed"), (487, 603, "missed"), (603, 603, "declined")],
)
def test_a_call_is_refused_when_all_telephones_said_so_and_missed_when_one_rang_in_vain(
    first: int, second: int, word: str
) -> None:
    phones = {"p101": phone("101", 0.1, first, 0.2), "p102": phone("102", 1.0, second, 1.2)}
    it = account(caller(REFUSED, status=480, hung_up_by=""), **phones)
    assert it.outcomes == {word}
    assert it.wait_s == 4.0


def test_of_a_call_that_rang_nowhere_the_telephones_do_not_know_why() -> None:
    assert account(caller(REFUSED, status=480, hung_up_by="")).outcomes == {"missed", "failed"}


def test_the_telephone_whose_answer_crossed_the_cancel_has_not_answered() -> None:
    crossed = phone("103", 0.1, 200, 2.01, cancelled=True)
    it = account(caller(BYE), p103=crossed, p101=phone("101", 0.1, 200, 2.0))
    assert it.answered is not None
    assert it.answered.phone == "101"


def test_who_hung_up_just_when_a_telephone_answered_and_was_told_of_no_answer_has_given_up() -> None:
    gave_up = account(caller(CANCEL, REFUSED, status=480), a=phone("101", 0.5, 200, 2.99, over_at=3.1))
    assert gave_up.answered is None
    assert gave_up.outcomes == {"abandoned"}
    told = account(
        caller(CANCEL, said(3.01, "SIP/2.0 200 OK", sent=False, cseq="1 INVITE"), BYE), a=phone("101", 1, 200, 2)
    )
    assert told.answered is not None


def test_only_who_hung_up_before_anybody_rang_may_be_in_the_log_without_a_number() -> None:
    unshown = Row("c1", caller_number="", outcome="abandoned", answered_endpoint="", wait_s=3.0, talk_s=None)
    unshown = replace(unshown, ended_at=datetime.fromtimestamp(AT + 3, UTC))
    gone, rang = caller(CANCEL, REFUSED, status=480), phone("101", 1, 487, 3, cancelled=True)
    assert differences([account(gone)], [unshown]) == {}
    assert differences([account(gone)], [replace(unshown, caller_number="+85512000009")]).keys() == {
        NUMBER,
        "+85512000009",
    }
    for made, row in (
        (account(gone, a=rang), unshown),
        (account(gone), replace(unshown, ended_at=datetime.fromtimestamp(AT + 30, UTC))),
        (account(caller(REFUSED, status=480)), unshown),
    ):
        assert differences([made], [row]).keys() == {NUMBER, ""}


def test_of_two_that_were_picked_up_at_once_the_one_that_was_let_go_at_once_has_not_answered() -> None:
    quicker = phone("103", 0.1, 200, 1.99, over_at=2.02)
    it = account(caller(BYE), p103=quicker, p101=phone("101", 0.1, 200, 2.0, over_at=7.0))
    assert it.answered is not None
    assert it.answered.phone == "101"


def test_who_withholds_the_number_is_known_by_the_name_and_the_log_must_not_have_the_number() -> None:
    one = caller(BYE, name="Nobody 7", withheld="privacy")
    asked = [said(0.1, "INVITE sip:101@x SIP/2.0", sent=False, cseq="1 INVITE", who="anonymous", name="Nobody 7")]
    answer = said(2, "SIP/2.0 200 OK", sent=True, cseq="1 INVITE", who="anonymous")
    it = account(one, p101=[*asked, answer])
    assert differences([it], [Row(caller_number="", caller_name="Nobody 7")]) == {}
    assert differences([it], [Row(caller_name="Nobody 7")])["Nobody 7"] == ["not in the log"]


NAMES = {NUMBER: "Sok Dara"}


def shown(at: float, *names: str, phone: str = "101", state: str = "ringing") -> Shown:
    return Shown(AT + at, frozenset({phone}), NUMBER, names, state)


@pytest.mark.parametrize(
    ("seen", "how"),
    [
        ([shown(0.2, "Sok Dara")], "right"),
        ([shown(0.2), shown(1.0, "Sok Dara")], "right"),
        ([shown(2.5, "Sok Dara", state="talking")], "late"),
        ([shown(0.2)], "no name"),
        ([shown(7.5, "Sok Dara", state="ended")], "none"),
        ([shown(0.2, "Sok Dara", phone="102")], "none"),
        ([], "none"),
        ([shown(0.2, "Sok Dara"), shown(0.3, "Chan Bopha")], "another's: Chan Bopha"),
    ],
)
def test_a_card_is_right_when_it_came_with_the_name_to_who_was_rung_before_they_answered(
    seen: list[Shown], how: str
) -> None:
    assert cards([talked()], seen, NAMES) == {NUMBER: how}
