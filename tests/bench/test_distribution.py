import pytest

from tests.bench.distribution import distribution


def test_figures_are_measured_times() -> None:
    d = distribution(range(200, 0, -1))
    assert (d.count, d.median, d.p90, d.p99, d.max) == (200, 100, 180, 198, 200)


def test_one_time_is_every_figure() -> None:
    d = distribution([7.5])
    assert (d.median, d.p90, d.p99, d.max) == (7.5, 7.5, 7.5, 7.5)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        distribution([])
