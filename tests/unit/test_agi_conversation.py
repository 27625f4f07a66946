"""The AGI dialogue: what Asterisk says is heard however it is cut, and no value of ours can become a command."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi import conversation
from agi.conversation import Conversation, HungUp, Knock, Nonsense, Reply, Request, command, set_variable

REQUEST = (
    b"agi_network: yes\nagi_network_script: who_calls\nagi_request: agi://127.0.0.1/who_calls\n"
    b"agi_channel: PJSIP/trunk-00000001\nagi_language: en\nagi_callerid: 012345678\nagi_calleridname: unknown\n"
    b"agi_callingpres: 0\nagi_dnid: unknown\nagi_extension: 85523900002\nagi_arg_1: trunk\nagi_arg_2: \n\n"
)


def hear(*pieces: bytes) -> list[conversation.Heard]:
    ear = Conversation()
    return [heard for piece in pieces for heard in ear.receive(piece)]


def after_the_request(*pieces: bytes) -> list[conversation.Heard]:
    return hear(REQUEST, *pieces)[1:]


def words_as_asterisk_reads_them(line: bytes) -> list[str]:
    """Words are parted by blanks outside quotes; a backslash takes the next character as it is."""
    words: list[str] = []
    inside = quoted = taken = False
    for letter in line.decode():
        if not taken and letter == "\\":
            taken = True
            continue
        if not taken and letter == '"':
            quoted = not quoted
            if not inside:
                words.append("")
                inside = True
            continue
        if not quoted and not taken and letter in " \t":
            inside = False
            continue
        if not inside:
            words.append("")
            inside = True
        words[-1] += letter
        taken = False
    return words


def test_a_request_names_the_script_and_carries_what_asterisk_said() -> None:
    [request] = hear(REQUEST)
    assert isinstance(request, Request)
    assert request.script == "who_calls"
    assert request.header("agi_callerid") == "012345678"
    assert request.header("agi_calleridname") == "", "Asterisk writes unknown where there is none"
    assert request.header("agi_nothing") == ""
    assert request.arguments == ("trunk", "")


@pytest.mark.parametrize(
    ("lines", "script"),
    [
        (b"agi_network_script: who_calls?trunk=a\nagi_request: agi://h/who_calls?trunk=a\n\n", "who_calls"),
        (b"agi_request: agi://127.0.0.1:4573/who_calls\n\n", "who_calls"),
        (b"agi_request: /var/lib/asterisk/agi-bin/ringcard-agi\n\n", "ringcard-agi"),
        (b"agi_network_script: \nagi_request: agi://127.0.0.1/\n\n", ""),
    ],
)
def test_the_script_is_the_last_part_of_what_the_dialplan_called(lines: bytes, script: str) -> None:
    [request] = hear(lines)
    assert isinstance(request, Request)
    assert request.script == script


def test_a_line_break_in_a_callers_name_replaces_neither_the_script_nor_the_number() -> None:
    evil = REQUEST.replace(
        b"agi_calleridname: unknown", b"agi_calleridname: x\nagi_network_script: alive\nagi_callerid: 1"
    )
    [request] = hear(evil)
    assert isinstance(request, Request)
    assert (request.script, request.header("agi_callerid")) == ("who_calls", "012345678")


@pytest.mark.parametrize(
    ("raw", "reply", "done"),
    [
        (b"200 result=1\n", Reply(200, "1", ""), True),
        (b"200 result=1 (Sok Dara)\n", Reply(200, "1", "Sok Dara"), True),
        (b"200 result=1 ()\n", Reply(200, "1", ""), True),
        (b"200 result=1 (a (b) c)\n", Reply(200, "1", "a (b) c"), True),
        (b"200 result=1 (two\nlines)\n", Reply(200, "1", "two\nlines"), True),
        (b"200 result=0\n", Reply(200, "0", ""), True),
        (b"200 result=0 (timeout) endpos=8000\n", Reply(200, "0", "timeout"), True),
        (b"200 result=0 endpos=8000\r\n", Reply(200, "0", "endpos=8000"), True),
        (b"200 result=-1\n", Reply(200, "-1", ""), False),
        (b"510 Invalid or unknown command\n", Reply(510, value="Invalid or unknown command"), False),
        (b"511 Command Not Permitted\n", Reply(511, value="Command Not Permitted"), False),
        (b"520 Invalid command syntax.\n", Reply(520, value="Invalid command syntax."), False),
        (
            b"520-Invalid command syntax.  Usage:\nSET VARIABLE\n\n520 End of proper usage.\n",
            Reply(520, value="Invalid command syntax.  Usage:\nSET VARIABLE\n\n520 End of proper usage."),
            False,
        ),
    ],
)  # fmt: skip
def test_each_kind_of_reply_is_heard(raw: bytes, reply: Reply, done: bool) -> None:
    assert after_the_request(raw) == [reply]
    assert reply.done is done


def test_a_provisional_reply_is_waited_out_and_a_hang_up_is_told() -> None:
    assert after_the_request(b"100 result=0 Trying...\n200 result=1\nHANGUP\n511 Command Not Permitted\n") == [
        Reply(200, "1"),
        HungUp(),
        Reply(511, value="Command Not Permitted"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        b"\r\n",
        b"SSH-2.0-scanner\r\n\r\n",
        b"agi_network: yes\n\n",
        b"\x16\x03\x01\x02\x00\n\n",
        b"POST /alive HTTP/1.1\r\n\r\n",
        b"agi_network: " + b"x" * conversation.MAX_LINE,
        b"agi_network: " + b"x" * conversation.MAX_LINE + b"\n",
        b"agi_x: y\n" * (conversation.MAX_MESSAGE // 8 + 1),
        REQUEST + b"hello\n",
        REQUEST + b"200 fine\n",
        REQUEST + b"520-usage\n" + b"more and more usage\n" * conversation.MAX_MESSAGE,
    ],
)
def test_who_does_not_speak_agi_is_told_apart_and_not_heard_again(raw: bytes) -> None:
    *_, last = hear(raw, REQUEST, b"200 result=1\n")
    assert isinstance(last, Nonsense)
    assert last.reason


def test_an_http_knock_is_heard_as_such() -> None:
    assert hear(b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1:4573\r\nAccept: */*\r\n\r\n") == [Knock("/alive")]
    assert conversation.http_answer("200 OK", "alive").endswith(
        b"\r\nContent-Length: 6\r\nConnection: close\r\n\r\nalive\n"
    )


LINES = [b"agi_request: agi://h/a", b"200 result=1 (", b"x)", b"520-u", b"520 e", b"", b"\xff", b"HANGUP"]
DIALOGUES = st.one_of(
    st.just(REQUEST),
    st.just(REQUEST + b"200 result=1 (x\ny)\n520-Usage\nmore\n520 End\nHANGUP\n511 dead\n"),
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda noise: REQUEST + noise),
    st.lists(st.sampled_from(LINES), max_size=12).map(b"\n".join),
)


@given(dialogue=DIALOGUES, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_however_the_bytes_are_cut_the_same_is_heard(dialogue: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(dialogue)), len(dialogue)]
    pieces = [dialogue[start:end] for start, end in itertools.pairwise(edges)]
    whole = hear(dialogue)
    assert hear(*pieces) == whole
    assert hear(*(dialogue[n : n + 1] for n in range(len(dialogue)))) == whole


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from('"\\\r\n\x00 $`;|,')), max_size=60))
def test_a_value_is_one_word_of_one_command_whatever_it_holds(value: str) -> None:
    raw = set_variable("CALLERID(name)", value)
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    *words, said = words_as_asterisk_reads_them(raw[:-1])
    assert words == ["SET", "VARIABLE", "CALLERID(name)"]
    printable = "".join(" " if ord(letter) < 32 or ord(letter) == 127 else letter for letter in value)
    assert said == printable.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "name",
    ['x"\nEXEC System "touch /tmp/owned', 'x\r\nEXEC System "id"', 'x\\"\nHANGUP', "x\\", 'x" "y', "x\x00\nHANGUP"],
)
def test_a_hostile_name_adds_no_command_and_no_word(name: str) -> None:
    raw = set_variable("CALLERID(name)", name)
    assert raw.count(b"\n") == 1
    assert b"\r" not in raw
    assert b"\x00" not in raw
    assert len(words_as_asterisk_reads_them(raw[:-1])) == 4


def test_a_command_that_asterisk_would_cut_in_two_is_refused() -> None:
    with pytest.raises(ValueError, match="cut"):
        set_variable("CALLERID(name)", "x" * conversation.MAX_COMMAND)
    assert len(command("VERBOSE", "ខ" * 600, "3")) < conversation.MAX_COMMAND
