"""Who is not let in, and who always is: whatever stands in the list."""

from dataclasses import replace

import pytest

from config.settings import Trunk
from lookup import numbers
from lookup.answers import Answer, Unavailable, Unknown, Withheld
from lookup.blocking import Blocked, is_emergency, read_prefix

KH = numbers.plan_of(Trunk(), "KH")
LIST = Blocked({"+85512345678": "rude"}, {"+7495": "", "+1900": "toll"}, country="KH", own=frozenset({"+85523900001"}))


def calls(raw: str) -> Answer:
    return Unknown(numbers.read(raw, KH), "")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("012 345 678", "+85512345678 is on the block list (rude)"),
        ("+74951234567", "numbers that begin with +7495 are on the block list"),
        ("+85512345679", ""),
        ("+74961234567", ""),
        ("101", ""),
    ],
)
def test_a_number_and_all_that_begin_alike_are_blocked(raw: str, why: str) -> None:
    assert LIST.why(calls(raw)) == why
    assert LIST.why(Unavailable(numbers.read(raw, KH), "late")) == why


def test_who_hides_the_number_is_blocked_only_where_the_company_says_so() -> None:
    hidden = Withheld("the caller withheld the number")
    assert LIST.why(hidden) == ""
    assert replace(LIST, withheld=True).why(hidden) == "the caller withheld the number"
    assert Blocked(withheld=True).why(calls("+85512345678")) == ""


@pytest.mark.parametrize("raw", ["117", "118", "119", "112", "911", "+855117"])
def test_an_emergency_service_that_calls_back_is_let_in_whatever_the_list_says(raw: str) -> None:
    number = numbers.read(raw, KH)
    forged = replace(number, e164="+855117", match_key="+855117")
    for listed in (Blocked({"+855117": ""}, country="KH"), Blocked(prefixes={"+855": ""}, country="KH")):
        assert listed.why(Unknown(forged, "")) == ""
        assert listed.why(Unknown(replace(forged, raw="+85512345678"), "")) != ""


def test_the_companys_own_lines_are_let_in() -> None:
    assert Blocked(prefixes={"+8552": ""}, own=LIST.own).why(calls("023 900 001")) == ""
    assert Blocked(prefixes={"+8552": ""}, own=LIST.own).why(calls("023 900 002")) != ""


@pytest.mark.parametrize(
    ("number", "country", "emergency"),
    [("117", "KH", True), ("+85512345678", "KH", False), ("999", "GB", True), ("103", "RU", True), ("", "", False)],
)
def test_numbers_for_emergencies_are_those_of_the_country(number: str, country: str, emergency: bool) -> None:
    assert is_emergency(number, country) is emergency


def test_a_prefix_is_read_however_it_is_written() -> None:
    assert [read_prefix(text) for text in ("+7 495*", "+7 (495)", "+7-495-xxx", " +7495 ")] == ["+7495"] * 4


@pytest.mark.parametrize("text", ["+7*", "*", "7495*", "+", "", "+7495; DROP TABLE", "+74a5*"])
def test_a_prefix_that_says_too_little_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="says too little"):
        read_prefix(text)
