"""Calls flow while Redis, the database, or both are killed or frozen; every caller is one who was never seen before."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from ringcard.saying import ROLES
from tests.company import Company
from tests.fixtures.calls_flowing import survive
from tests.fixtures.postgres import PostgresServer


def to_redis(company: Company, number: signal.Signals) -> Callable[[], None]:
    pid = company.child("redis")
    return lambda: os.kill(pid, number)


async def test_redis_killed_while_calls_flow_and_started_again_by_the_supervisor(
    ringcard: tuple[Company, int],
) -> None:
    """The database names everybody meanwhile."""
    company, lina = ringcard
    await survive(company, lina, to_redis(company, signal.SIGKILL), mend=None, own_way=False)


async def test_redis_frozen_while_calls_flow_and_let_go_again(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    await survive(company, lina, to_redis(company, signal.SIGSTOP), to_redis(company, signal.SIGCONT), own_way=False)


async def test_the_database_killed_while_calls_flow_and_started_again(
    ringcard_on_postgres: tuple[Company, int], own_postgres: PostgresServer
) -> None:
    company, lina = ringcard_on_postgres
    await survive(company, lina, own_postgres.kill, own_postgres.start)


async def test_the_database_frozen_while_calls_flow_and_let_go_again(
    ringcard_on_postgres: tuple[Company, int], own_postgres: PostgresServer
) -> None:
    company, lina = ringcard_on_postgres
    await survive(company, lina, own_postgres.freeze, own_postgres.resume)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_redis_and_the_database_away_together_while_calls_flow_and_back(
    ringcard_on_postgres: tuple[Company, int], own_postgres: PostgresServer, how: str
) -> None:
    company, lina = ringcard_on_postgres
    stop_redis = to_redis(company, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    start_redis = to_redis(company, signal.SIGCONT)

    def break_both() -> None:
        stop_redis()
        own_postgres.kill() if how == "killed" else own_postgres.freeze()

    def mend_both() -> None:
        if how == "killed":
            own_postgres.start()  # the supervisor has started Redis again by itself
        else:
            start_redis()
            own_postgres.resume()

    async def it_is_seen() -> None:
        figures = await company.figures()
        assert {figures[f'ringcard_up{{process="{role}"}}'] for role in ROLES} == {1}
        assert figures['ringcard_journal_waiting{process="desk"}'] > 0
        assert 'ringcard_changes_waiting{process="desk"}' not in figures
        if how == "frozen":
            assert 'ringcard_redis_memory_share{process="desk"}' not in figures

    await survive(company, lina, break_both, mend_both, meanwhile=it_is_seen)
