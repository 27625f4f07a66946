"""Figures as values, and as Prometheus reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.measures import FIGURES, Histogram, Said, Sample
from desk.metrics import rendered

WATCHING = Path(__file__).parents[2] / "docs/watching.md"


def read(*said: Said) -> dict[str, float]:
    """Each line of the page by its name and labels, in order of the labels' names."""
    page = rendered(said).decode()
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_a_value_is_counted_in_the_first_range_that_holds_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.0, 0.1, 0.100001, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == pytest.approx(8.200001)


def test_a_histogram_is_written_as_growing_buckets_with_its_count_and_sum() -> None:
    lookups = Histogram((0.001, 0.5), [3, 1, 2], 4.5)
    assert read(Said("ari", (Sample("ringcard_lookup_seconds", lookups),))) == {
        "ringcard_lookup_seconds_bucket le=0.001 process=ari": 3,
        "ringcard_lookup_seconds_bucket le=0.5 process=ari": 4,
        "ringcard_lookup_seconds_bucket le=+Inf process=ari": 6,
        "ringcard_lookup_seconds_count process=ari": 6,
        "ringcard_lookup_seconds_sum process=ari": 4.5,
    }


def test_one_figure_of_several_processes_is_one_family() -> None:
    said = [Said(name, (Sample("ringcard_up", up),)) for name, up in (("ari", 1), ("ari-2", 1), ("desk", 0))]
    page = rendered(said).decode()
    assert page.count("# TYPE ringcard_up gauge\n") == 1
    assert read(*said) == {"ringcard_up process=ari": 1, "ringcard_up process=ari-2": 1, "ringcard_up process=desk": 0}


def test_what_stands_in_a_label_cannot_end_it() -> None:
    strange = 'a"b\\c\nd 1\n'
    samples = (Sample("ringcard_queries_total", 1, {"query": strange, "kind": "asked"}),)
    assert read(Said("desk", samples)) == {f"ringcard_queries_total kind=asked process=desk query={strange}": 1}


def test_names_are_as_prometheus_wants_them() -> None:
    for name, figure in FIGURES.items():
        assert name.endswith("_total") == (figure.kind == "counter"), name
        assert name.startswith(("ringcard_", "process_")), name
        assert figure.help.endswith("."), name
        assert "process" not in figure.labels, name


def test_the_page_tells_every_figure() -> None:
    told = set(re.findall(r"`((?:ringcard|process)_[a-z_]+)`", WATCHING.read_text(encoding="utf-8")))
    assert set(FIGURES) <= told
    assert told - set(FIGURES) == set()
