"""The ways to a caller's name that Ringcard is measured beside still work. Ringcard's own are met in other tests."""

from tests.bench.peers import measure, signs
from tests.bench.peers.ways import LIKE, PLAIN


async def test_the_ways_of_today_name_their_callers_as_they_always_did() -> None:
    measured = await measure(customers=1, calls=1, rate=50, tell=print, fetch=False, ours=False)
    assert measured.faults == ()
    plain, *others = measured.ways
    assert plain == PLAIN
    assert {LIKE, "AGI, indexed number", "CURL(), indexed number"} <= set(others)
    for name in others:
        row = measured.ways[name]
        assert (name, signs(row)) == (name, "++++.+XXX+X" if name == LIKE else "++++++X+++X")
        assert name in measured.text()
        assert name == LIKE or row.names == {"right": 1, "wrong": 0, "none": 0}
