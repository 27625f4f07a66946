"""Nobody is called by a wrong name and nothing fails, whoever calls: `./run bench matching` with less of everything."""

from tests.bench.matching import hostile, strangers

SEED = 20_260_301


async def test_strangers_are_named_after_nobody(database_url: str) -> None:
    seen = await strangers(database_url, base_count=2_000, caller_count=1_000, seed=SEED)
    assert seen.faults == (), seen.text()
    assert seen.callers > 500, "so many had a number that could have been somebody's"


async def test_hostile_callers_find_nobody_but_whose_number_they_have_and_break_nothing() -> None:
    seen = await hostile(2_000, SEED)
    assert seen.faults == (), seen.text()
    assert seen.found > 50, "battered numbers of customers, too"
