"""Doctor finds what is wrong with fields and queries, and says its mend. The databases are real."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.card_fields import Field, Query
from config.settings import Settings
from ringcard.check_fields import card_fields
from ringcard.doctor import Finding, examine
from tests.fixtures.erp import BY_CODE
from tests.fixtures.postgres import PostgresServer

BALANCE = {"balance": Field("Balance", "money", "erp.balance")}


async def found(
    url: str, sql: str = BY_CODE, fields: dict[str, Field] | None = None, limit_ms: int = 20_000
) -> dict[str, Finding]:
    settings = Settings(fields=fields or BALANCE, queries={"erp": Query(url=url, sql=sql, limit_ms=limit_ms)})
    return {finding.name: finding for finding in await card_fields(settings)}


def assert_found(finding: Finding, state: str, seen: str, mend: str) -> None:
    assert (finding.state, seen in finding.seen, mend in finding.mend) == (state, True, True), finding


async def test_without_fields_there_is_nothing_to_say() -> None:
    assert await card_fields(Settings()) == []


async def test_a_query_that_answers_is_fine(either_erp_url: str) -> None:
    findings = await found(either_erp_url)
    assert (findings["query erp"].state, findings["card fields"].state) == ("ok", "ok")
    assert "answers in" in findings["query erp"].seen


@pytest.mark.parametrize(
    ("sql", "seen", "mend"),
    [
        ("SELECT balance FROM acounts WHERE code = :external_id", "acounts", "Correct queries.erp.sql"),
        (
            "SELECT rating FROM accounts WHERE code = :external_id",
            "no column balance; it gives rating",
            "fields.balance",
        ),
        ("DELETE FROM accounts", "read", "Have queries.erp.sql only read"),
    ],
)
async def test_a_wrong_statement_is_found(either_erp_url: str, sql: str, seen: str, mend: str) -> None:
    assert_found((await found(either_erp_url, sql))["query erp"], "fail", seen, mend)


async def test_a_select_that_writes_is_found(erp_url: str) -> None:
    sql = "WITH gone AS (DELETE FROM accounts RETURNING balance) SELECT balance FROM gone"
    assert_found((await found(erp_url, sql))["query erp"], "fail", "read-only", "Have queries.erp.sql only read")


async def test_a_slow_query_is_found(erp_url: str) -> None:
    sql = "SELECT 1 AS balance FROM pg_sleep(60)"
    findings = await found(erp_url, sql, limit_ms=100)
    assert_found(findings["query erp"], "fail", "no answer within 0.1 s", "raise queries.erp.limit_ms = 100")
    findings = await found(erp_url, "SELECT 1 AS balance FROM pg_sleep(2.6)", limit_ms=5_000)
    assert findings["query erp"].state in ("warn", "fail")  # the latter on a machine that stood still for two seconds
    assert "limit_ms = 5000" in findings["query erp"].mend


async def test_a_database_that_is_away_is_found(own_postgres: PostgresServer, tmp_path: Path) -> None:
    url = own_postgres.new_database()
    own_postgres.stop()
    assert_found((await found(url))["query erp"], "fail", "connection", "Start or mend that database")
    findings = await found(f"sqlite:///{tmp_path}/none.db")
    assert_found(findings["query erp"], "fail", "unable to open", "or correct queries.erp.url")
    findings = await found("postgresql+nodriver://host/db")
    assert_found(findings["query erp"], "fail", "url cannot be used", "needs its driver in .venv")


async def test_a_query_that_no_field_shows_and_fields_of_one_label_are_found(either_erp_url: str) -> None:
    findings = await found(either_erp_url, fields={"grade": Field("Grade"), "level": Field("Grade")})
    assert_found(findings["query erp"], "warn", "no field shows it", 'source = "erp.COLUMN"')
    assert_found(findings["card fields"], "warn", "two fields are called Grade", "another label")


async def test_the_whole_examination_has_them(either_erp_url: str, tmp_path: Path) -> None:
    settings = Settings(fields=BALANCE, queries={"erp": Query(url=either_erp_url, sql=BY_CODE)})
    names = {finding.name for finding in await examine(settings)}
    assert {"query erp", "card fields", "database", "redis"} <= names
