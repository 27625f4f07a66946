"""What people do with a telephone, and what the log says of it: the same as the telephones themselves.

The scenarios are those of tests/recordings, played with Ringcard at work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from records.tables import CallRow
from tests.company import DIRECT, Company
from tests.fixtures.company import logged
from tests.scenarios import FOLLOW_ME, LOCAL_QUEUE, MOBILE, Stage, play


@dataclass(frozen=True)
class Row:
    direction: str
    answered_endpoint: str
    called_number: str = DIRECT
    caller_endpoint: str = ""
    outcome: str = "answered"


ROWS = {
    "conference": Row("inbound", "101"),
    "parked": Row("inbound", "101"),
    "picked_up": Row("inbound", "101"),
    "forwarded": Row("inbound", "103"),
    "follow_me": Row("inbound", MOBILE, FOLLOW_ME),
    "queue_of_local_members": Row("inbound", "104", LOCAL_QUEUE),
    "blind_by_keys": Row("inbound", "103"),
    "attended_by_keys": Row("inbound", "103"),
    "attended_to_outside": Row("inbound", MOBILE),
    "outbound": Row("outbound", "101", caller_endpoint="101"),
    "internal": Row("internal", "102", "102", caller_endpoint="101"),
    "originated": Row("outbound", "101", caller_endpoint="101"),
}


@pytest.mark.parametrize("name", ROWS)
async def test_the_log_has_one_row_and_it_says_what_the_telephones_did(
    angkor: Company, began: datetime, name: str
) -> None:
    number = angkor.customer("Sok Dara")
    stage = Stage(angkor.lab, number)
    await play(name, stage)
    (row,) = [row for row in await logged(angkor, began) if not row.merged_into]
    expected = ROWS[name]
    assert said(row) == expected if expected.direction != "outbound" else said(row, DIRECT) == expected
    assert row.customer is not None or expected.direction == "internal"
    if expected.direction == "outbound":
        assert row.called_number == number
    elif expected.direction == "inbound":
        assert (row.caller_number, row.shown_name) == (number, "Sok Dara")
    answered = {leg.endpoint for leg in row.legs if leg.outcome == "answered"}
    outside = {MOBILE, number}
    assert {"outside" if name in outside else name for name in answered} >= stage.answered()
    for outcome in stage.outcomes:
        assert outcome.status == 200
    assert row.trace
    assert row.ended_at is not None
    assert row.answered_at is not None
    assert row.started_at <= row.answered_at <= row.ended_at


def said(row: CallRow, called: str = "") -> Row:
    return Row(row.direction, row.answered_endpoint, called or row.called_number, row.caller_endpoint, row.outcome)
