"""Asterisk's own record of its channels, read as calls: lines whatever is in them, conversations, their facts."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ari_app.call import Rules
from ari_app.cel import COLUMNS, Conversation, Conversations, Position, Row, Told, lines_of, row_of, told_by
from ari_app.trunks import Trunks
from config.settings import Did, Routing
from lookup import reasons
from records.facts import CallFacts
from ringcard.cel_file import at_ms

NEAR_MS = 50
RULES = Rules("pbx", Routing(), lambda did: Did(), "", "", 0)
CHECKOUT = Path(__file__).resolve().parent.parent.parent

NAMES = (
    "Sok Dara",
    'say "hello", twice',
    "two\nlines",
    '\n"CHAN_END","7',
    '"CHAN_START","1.0","x"\n',
    "\r\n",
    "សុខ ដារ៉ា",
    "back\\slash, comma",
    "",
)


def written(*columns: str) -> bytes:
    """As CSV_QUOTE writes a line: every column in quotation marks, those within it doubled."""
    return (",".join('"' + column.replace('"', '""') + '"' for column in columns) + "\n").encode()


def line(kind: str, at: float, linkedid: str = "1.0", uniqueid: str = "1.0", *, name: str = "", **more: str) -> bytes:
    values = {"eventtype": kind, "eventtime": f"{at:.6f}", "linkedid": linkedid, "uniqueid": uniqueid, "cidname": name}
    values |= more
    return written(*(values.get(column, "") for column in COLUMNS))


def rows(raw: bytes) -> list[Row]:
    found = [row_of(each, at_ms) for each, _ in lines_of(raw)]
    return [row for row in found if row is not None]


def test_the_columns_are_those_that_asterisk_is_told_to_write() -> None:
    shipped = (CHECKOUT / "config/cel_custom.conf").read_text()
    (mapping,) = [each for each in shipped.splitlines() if "=>" in each and not each.startswith(";")]
    told = mapping.partition("=> ")[2]
    fields = [field.removeprefix("${CSV_QUOTE(${").removesuffix("})}") for field in told.split(",")]
    names = {
        "CHANNEL(channame)": "channame",
        "CALLERID(name)": "cidname",
        "CALLERID(num)": "cidnum",
        "eventextra": "extra",
    }
    plain = [field.removeprefix("CHANNEL(").removesuffix(")") for field in fields]
    assert [names.get(field, name) for field, name in zip(fields, plain, strict=True)] == list(COLUMNS)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_it_was_whatever_is_in_it(name: str) -> None:
    read = rows(line("CHAN_START", 1.5, name=name) + line("HANGUP", 2.5, extra='{"hangupcause":16}'))
    assert [(row.kind, row.at_ms) for row in read] == [("CHAN_START", 1500), ("HANGUP", 2500)]
    assert read[0].name == name
    assert read[1].extra == {"hangupcause": 16}


def test_it_is_read_as_the_csv_module_reads_it() -> None:
    raw = b"".join(line("CHAN_START", number, name=name) for number, name in enumerate(NAMES))
    expected = [fields[5] for fields in csv.reader(io.StringIO(raw.decode(), newline=""))]
    assert [row.name for row in rows(raw)] == expected == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_is_half_written_is_left_for_later(name: str) -> None:
    first, second = line("CHAN_START", 1, name=name), line("HANGUP", 2, name=name)
    for length in range(len(second)):
        read = list(lines_of(first + second[:length]))
        assert [each for each, _ in read] == [first], f"after {length} bytes of the second line"
        assert read[-1][1] == len(first)


@pytest.mark.parametrize("name", NAMES)
def test_after_a_line_that_was_torn_the_next_ones_are_read(name: str) -> None:
    torn, whole = line("CHAN_START", 1, name=name), line("HANGUP", 2, name=name)
    for length in range(1, len(torn) - 1):
        read = rows(torn[:length] + b"\n" + whole + whole)
        assert [row.at_ms for row in read if row.kind == "HANGUP"] == [2000, 2000], f"torn after {length} bytes"


def test_what_is_no_line_of_ours_says_nothing() -> None:
    strange = (
        b"\n",
        b'"\n',
        b"not quoted\n",
        written("CHAN_START", "1.0"),
        written("LUNCH", *COLUMNS[1:]),
        line("DTMF", 1.0),
        line("CHAN_START", 1.0, linkedid=""),
        written("CHAN_START", "yesterday", *COLUMNS[2:]),
        line("HANGUP", 1.0, extra="{half"),
        bytes(range(256)) + b"\n",
    )
    for each in strange:
        assert rows(each + line("HANGUP", 2.0))[-1:] == rows(line("HANGUP", 2.0))
        assert len(rows(each + line("HANGUP", 2.0))) <= 1


def test_any_bytes_at_all_break_nothing() -> None:
    chance = random.Random(4)
    good = b"".join(line("CHAN_START", number, name=name) for number, name in enumerate(NAMES))
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            raw[chance.randrange(len(raw))] = chance.choice(b'"\n,\\\x00aA\xff')
        rows(bytes(raw))


def test_times_may_be_written_as_freepbx_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_ms("1790000000.123456") == 1_790_000_000_123
    assert abs(at_ms("2026-11-26 07:00:00") - at_ms("2026-11-26 07:00:01")) == 1000
    with pytest.raises(ValueError, match="soon"):
        at_ms("soon")


# --- conversations


def heard(events: Sequence[tuple[str, int, str, str]]) -> Conversations:
    """Of (kind, at_ms, linkedid, uniqueid), each at a place of its own."""
    conversations = Conversations()
    for place, (kind, when, linkedid, uniqueid) in enumerate(events):
        conversations.hear(Row(kind, when, linkedid, uniqueid), Position("file", place))
    return conversations


ONE = [("CHAN_START", 1000, "1.0", "1.0"), ("HANGUP", 2000, "1.0", "1.0"), ("LINKEDID_END", 2000, "1.0", "1.0")]


def test_a_conversation_is_over_with_its_end_and_taken_once() -> None:
    conversations = heard(ONE)
    assert conversations.over(1999) == []
    (over,) = conversations.over(2000)
    assert (over.linkedid, len(over.rows), over.cut) == ("1.0", 2, False)
    assert conversations.over(9999) == []
    assert len(conversations) == 0


def test_reading_goes_on_from_the_oldest_that_goes_on() -> None:
    conversations = heard([("CHAN_START", 1, "9.9", "9.9"), *ONE, ("CHAN_START", 3000, "1.5", "1.5")])
    assert conversations.oldest() == Position("file", 0)
    conversations.over(5000)
    conversations.hear(Row("HANGUP", 4000, "9.9", "9.9"), Position("file", 9))
    conversations.hear(Row("LINKEDID_END", 4000, "9.9", "9.9"), Position("file", 10))
    conversations.over(5000)
    assert conversations.oldest() == Position("file", 4)


def test_a_channel_that_goes_over_to_another_conversation_takes_its_own_along() -> None:
    conversations = heard(
        [
            ("CHAN_START", 1, "1.0", "1.0"),
            ("CHAN_START", 2, "1.1", "1.1"),
            ("CHAN_START", 3, "1.1", "1.2"),
            ("HANGUP", 4, "1.1", "1.1"),
            ("LINKEDID_END", 5, "1.1", "1.2"),
        ]
    )
    assert conversations.over(9999) == [], "one of its channels goes on, and will tell where"
    conversations.hear(Row("BRIDGE_ENTER", 6, "1.0", "1.2"), Position("file", 5))
    for channel in ("1.2", "1.0"):
        conversations.hear(Row("HANGUP", 7, "1.0", channel), Position("file", 6))
    conversations.hear(Row("LINKEDID_END", 8, "1.0", "1.0"), Position("file", 8))
    (over,) = conversations.over(9999)
    assert (over.linkedid, over.merged) == ("1.0", ["1.1"])
    assert {row.uniqueid for row in over.rows} == {"1.0", "1.1", "1.2"}


def test_what_nothing_was_heard_of_since_asterisk_started_is_cut_off() -> None:
    conversations = heard([*ONE[:1], ("CHAN_START", 7000, "2.0", "2.0")])
    (cut,) = conversations.cut_off(5000)
    assert (cut.linkedid, cut.cut) == ("1.0", True)
    assert conversations.oldest() == Position("file", 1)


# --- real calls

RECORDED = sorted((CHECKOUT / "tests/recordings/cel").glob("*.csv"))


@dataclass(frozen=True)
class Recorded:
    rows: tuple[Row, ...]
    live: dict[str, Any]  # the row that Ringcard wrote of the same call


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    path: Path = request.param
    return Recorded(tuple(rows(path.read_bytes())), json.loads(path.with_suffix(".json").read_text()))


def told(conversations: Iterable[Conversation]) -> list[Told]:
    found = [told_by(each, RULES, "ringcard", Trunks()) for each in conversations]
    return [each for each in found if each is not None]


def over(events: Iterable[Row]) -> list[CallFacts]:
    conversations = Conversations()
    for row in events:
        conversations.hear(row, Position())
    return [each.facts for each in told(conversations.over(2**60))]


def ms(text: str | None) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else 0


def test_the_record_of_a_real_call_says_what_was_heard_of_it_live(recorded: Recorded) -> None:
    (facts,) = over(recorded.rows)
    live = recorded.live
    names = (
        *("linkedid", "uniqueid", "direction", "outcome", "caller_name", "called_number"),
        *("answered_endpoint", "caller_endpoint", "hangup_by", "hangup_cause"),
    )
    assert {name: getattr(facts, name) or None for name in names} == {name: live[name] or None for name in names}
    assert live["trunk"] in (facts.trunk, ""), "of a trunk that was busy nothing is left when it is over"
    for name in ("started", "answered", "ended"):
        assert getattr(facts, f"{name}_ms") == pytest.approx(ms(live[f"{name}_at"]), abs=NEAR_MS), name
    assert [(leg.endpoint, leg.outcome) for leg in facts.legs] == [
        (leg["endpoint"], leg["outcome"]) for leg in live["legs"]
    ]
    for leg, heard in zip(facts.legs, live["legs"], strict=True):
        for name in ("started", "answered", "ended"):
            assert getattr(leg, f"{name}_ms") == pytest.approx(ms(heard[f"{name}_at"]), abs=NEAR_MS), name


def test_a_caller_who_hung_up_before_the_bridge_was_made_was_answered_when_the_phone_was() -> None:
    written = rows((CHECKOUT / "tests/recordings/cel/answered.csv").read_bytes())
    (whole,), (facts,) = over(written), over(row for row in written if not row.kind.startswith("BRIDGE"))
    names = ("outcome", "answered_endpoint", "hangup_by", "ended_ms")
    assert [getattr(facts, name) for name in names] == [getattr(whole, name) for name in names]
    assert facts.answered_ms == next(row.at_ms for row in written if row.kind == "ANSWER" and row.app == "AppDial")


def test_rows_that_come_twice_or_in_another_order_say_the_same(recorded: Recorded) -> None:
    chance, (expected,) = random.Random(9), over(recorded.rows)
    for _ in range(50):
        assert over(sorted([*recorded.rows, *chance.choices(recorded.rows, k=5)], key=lambda row: row.at_ms)) == [
            expected
        ]
        mixed = [*recorded.rows]
        chance.shuffle(mixed)
        ends = [row for row in mixed if row.kind == "LINKEDID_END"]
        assert over([*(row for row in mixed if row.kind != "LINKEDID_END"), *ends]) == [expected]


def test_a_record_that_is_cut_anywhere_is_a_call_that_ended_there(recorded: Recorded) -> None:
    """Asterisk was killed: whatever was written by then, it is one call with an end, or none."""
    (whole,) = over(recorded.rows)
    for end in range(len(recorded.rows)):
        conversations = Conversations()
        for row in recorded.rows[:end]:
            conversations.hear(row, Position())
        cut = told(conversations.cut_off(2**60))
        if not cut:
            assert end <= 1, "nothing tells yet that it is a conversation"
            continue
        facts = cut[0].facts
        assert facts.call_id == whole.call_id
        assert facts.reason == reasons.CUT
        assert facts.started_ms <= facts.ended_ms <= recorded.rows[end - 1].at_ms + 1
        assert all(leg.ended_ms >= leg.started_ms for leg in facts.legs)
        assert facts.outcome
