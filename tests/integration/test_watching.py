"""What is said of a company at work is what happened."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from config.measures import FIGURES
from ringcard.phones import call
from ringcard.saying import heard
from tests.company import DIRECT, FAX, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones

CONFIG = Path(__file__).parents[2] / "config"
PROMETHEUS_OWN = {"up"}
"""Figures that Prometheus itself adds to each scrape."""

OWN_LABELS = {"process", "instance", "job", "le"}

Figures = dict[str, float]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk_and_agi(standing_company: tuple[Company, Staff]) -> AsyncIterator[None]:
    """The company has its desk and its AGI server too."""
    company, _ = standing_company
    company.start("desk", "agi")
    await company.desk_ready()
    await company.said("agi", "answering AGI")
    yield
    assert company.stop("desk", "agi") == {"desk": 0, "agi": 0}


@pytest.fixture
def watched(angkor: Company, desk_and_agi: None) -> Company:
    return angkor


def grown(before: Figures, after: Figures, name: str) -> Figures:
    """By how much each figure of this name has grown, those of `ari`; without those that have not."""
    return {
        key.partition("{")[2].rstrip("}").replace(',process="ari"', "").replace('process="ari"', ""): more
        for key, value in after.items()
        if key.startswith(f"{name}{{") and 'process="ari"' in key and (more := value - before.get(key, 0))
    }


async def test_the_figures_are_what_happened(watched: Company, staff: Staff, phones: Phones, began: datetime) -> None:
    reception = await phones("102")
    known, stranger = watched.customer("Sok Dara", staff.sam), watched.new_number()
    before = await watched.figures()
    for number, did in ((known, DIRECT), (known, DIRECT), (stranger, DIRECT), (stranger, FAX)):
        assert (await call(watched.lab, number, did, talk_s=0.2)).status == 200 or did == FAX
    assert (await call(watched.lab, known, DIRECT, withheld="privacy")).status == 200
    await reception.stop()
    await phones("102", "busy")
    await call(watched.lab, stranger, DIRECT)
    rows = await logged(watched, began, 6)
    after = await watched.figures()

    def more(name: str) -> Figures:
        return grown(before, after, name)

    outcomes = [row.outcome for row in rows]
    assert more("ringcard_calls_total") == {
        f'direction="inbound",outcome="{outcome}"': outcomes.count(outcome) for outcome in set(outcomes)
    }
    assert {"answered", "busy"} <= set(outcomes)
    assert more("ringcard_calls_arrived_total") == more("ringcard_handed_back_total") == {"": 6}
    lookups = more("ringcard_lookups_total")
    assert lookups.pop('answer="withheld",source="",tier=""') == 1
    assert {re.sub('source="(cache|database)",', "", key) for key in lookups} == {
        'answer="found",tier="exact"',
        'answer="unknown",tier=""',
    }
    assert sum(value for key, value in lookups.items() if "found" in key) == 2
    assert sum(value for key, value in lookups.items() if "unknown" in key) == 3
    assert more("ringcard_lookup_seconds_count") == {"": 6}
    assert more("ringcard_event_lag_seconds_count")[""] >= 6 * 3, "an arrival, a ring, an end at least"
    for name in ("budget_missed", "orphans", "broken", "not_handed_back", "unasked", "reconnects", "notices_given_up"):
        assert more(f"ringcard_{name}_total") == {}, name
    assert after['ringcard_calls_live{process="ari"}'] == 0
    assert {after[f'ringcard_up{{process="{role}"}}'] for role in ("ari", "agi", "desk", "worker")} == {1}
    assert after['ringcard_link_up{link="ari",process="ari"}'] == 1
    assert after['ringcard_journal_waiting{process="desk"}'] == after['ringcard_changes_waiting{process="desk"}'] == 0
    assert 0 < after['ringcard_redis_memory_share{process="desk"}'] < 1
    assert after['process_resident_memory_bytes{process="ari"}'] > 10_000_000

    (first, *_) = [row for row in rows if row.caller_number == known]
    story = [what for _, what in first.trace]
    assert story[0] == f"came in on lab for {DIRECT}"
    assert re.fullmatch(r"found, exact \((cache|database), [\d.]+ ms\)", story[1])
    assert re.match(r"handed back: phone 102 for \d+ s, then .*the company's own way$", story[2])
    assert [what for what in story if what.startswith("phone 102")][:2] == ["phone 102: ringing", "phone 102: talking"]
    assert story[-1] == "ended: answered, hung up by the caller"
    assert known not in str(first.trace)

    for said in await heard(watched.settings.data_dir):
        for sample in said.samples:
            assert set(sample.labels) == set(FIGURES[sample.name].labels), sample

    lines = [line for line in watched.log("ari").splitlines() if " call call_id=" in line]
    told = {row.call_id: [line for line in lines if row.call_id in line] for row in rows}
    for row in rows:
        (line,) = told[row.call_id]
        assert f" outcome={row.outcome} " in line
        assert re.search(r" lag_ms=\d+ lookup_ms=(\"\"|\d+\.\d left_ms=\d+\.\d) ", line + " "), line
        assert known[1:] not in line
        assert stranger[1:] not in line


def strings(value: Any, key: str) -> list[str]:
    """All texts under this key, however deep."""
    if isinstance(value, list):
        return [text for each in value for text in strings(each, key)]
    if not isinstance(value, dict):
        return []
    here = [value[key]] if isinstance(value.get(key), str) else []
    return here + [text for each in value.values() for text in strings(each, key)]


async def test_the_dashboard_and_the_alerts_ask_for_figures_and_labels_that_there_are(
    watched: Company, phones: Phones
) -> None:
    await phones("102")
    await call(watched.lab, watched.new_number(), DIRECT)
    seen = {key.partition("{")[0] for key in await watched.figures()}
    dashboard = json.loads((CONFIG / "grafana/ringcard.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((CONFIG / "prometheus/ringcard.rules.yml").read_text(encoding="utf-8"))
    shown, alerting = strings(dashboard, "expr"), strings(rules, "expr")
    assert len(shown) > 30
    assert len(alerting) >= 5
    labels = OWN_LABELS | {label for figure in FIGURES.values() for label in figure.labels}
    for expression in shown + alerting:
        bare = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", expression)
        asked = set(re.findall(r"\b(ringcard_\w+|process_\w+|up)\b", bare))
        assert asked, expression
        assert asked <= seen | PROMETHEUS_OWN, expression
        by = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
        assert by <= labels, expression
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expression)) <= labels, expression
    told = {name for name in FIGURES if name in seen or f"{name}_count" in seen}
    assert set(FIGURES) - told == {"ringcard_queries_total"}, "which this company has none of"
