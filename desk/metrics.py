"""GET /metrics: what all processes of this machine say of themselves, as Prometheus reads it.

For machines of the company alone, by their address: no figure tells of a customer, but they tell how busy a company is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from config.measures import FIGURES, Histogram, Said
from desk.dialplan import is_allowed
from desk.services import Desk, services_of

router = APIRouter(tags=["watching"])


def for_watchers(request: Request) -> None:
    """403 unless the address is one of desk.metrics_from."""
    allowed = services_of(request).parts.settings.desk.metrics_from
    if not is_allowed(request.client.host if request.client else "", allowed):
        raise HTTPException(403, "this address is not one of desk.metrics_from")


@router.get("/metrics", dependencies=[Depends(for_watchers)])
async def metrics(desk: Desk) -> Response:
    """Prometheus text format 0.0.4; docs/watching.md tells the figures."""
    return Response(rendered(await desk.parts.figures()), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def rendered(said: Sequence[Said]) -> bytes:
    return generate_latest(_Collected(said))


class _Collected(Collector):
    def __init__(self, said: Sequence[Said]) -> None:
        self._said = said

    def collect(self) -> Iterator[Metric]:
        for name, figure in FIGURES.items():
            labels = ("process", *figure.labels)
            counter, gauge = CounterMetricFamily, GaugeMetricFamily
            values = list(_values(self._said, name, labels))
            if not values:
                continue
            if figure.kind == "histogram":
                histogram = HistogramMetricFamily(name, figure.help, labels=labels)
                for places, value in values:
                    if isinstance(value, Histogram):
                        histogram.add_metric(places, _buckets(value), value.total)
                yield histogram
                continue
            family = (counter if figure.kind == "counter" else gauge)(name, figure.help, labels=labels)
            for places, value in values:
                if not isinstance(value, Histogram):
                    family.add_metric(places, value)
            yield family


def _values(
    said: Iterable[Said], name: str, labels: Sequence[str]
) -> Iterator[tuple[Sequence[str], float | Histogram]]:
    for each in said:
        for sample in each.samples:
            if sample.name == name:
                all_labels: Mapping[str, str] = {**sample.labels, "process": each.process}
                yield [all_labels[label] for label in labels], sample.value


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    return list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
