"""How doctor's findings are shown, and when a call would work."""

import json

from ringcard.findings import fail, failed, ok, render, warn, would_ring

FINE = [ok("redis", "Redis 7.0"), warn("people", "no phone: Dara", "Say where Dara sits.")]
BROKEN = [*FINE, fail("asterisk", "nothing answers", "Start Asterisk.")]


def test_a_call_would_work_when_nothing_failed() -> None:
    assert would_ring(FINE)
    assert not would_ring(BROKEN)


def test_a_person_reads_each_link_its_mend_and_the_verdict() -> None:
    assert render(BROKEN).splitlines() == [
        "ok    redis     Redis 7.0",
        "warn  people    no phone: Dara",
        "                -> Say where Dara sits.",
        "fail  asterisk  nothing answers",
        "                -> Start Asterisk.",
        "",
        "A call would not work as it should: 1 of 3 links are broken; 1 to look at.",
    ]
    assert render(FINE).endswith("A call would work: 2 links seen, none broken; 1 to look at.")


def test_a_machine_reads_the_same() -> None:
    told = json.loads(render(BROKEN, as_json=True))
    assert told["works"] is False
    assert told["findings"][2] == {
        "name": "asterisk",
        "state": "fail",
        "seen": "nothing answers",
        "mend": "Start Asterisk.",
    }


def test_an_error_of_ours_is_split_into_what_is_wrong_and_what_to_do() -> None:
    assert failed("database", Exception("it is empty; run: ringcard migrate")) == fail(
        "database", "it is empty", "Run: ringcard migrate"
    )
