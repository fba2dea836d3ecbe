"""The figures in Prometheus' text format."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from realtime import meters
from realtime.meters import COUNTER, HISTOGRAM

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
LOG_SIZE = "realtime_log_size", "Numbers that the log holds."


class _Figures(Collector):
    def __init__(self, figures: list[float]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for family in meters.families:
            if family.kind == HISTOGRAM:
                yield self._histogram(family)
            else:
                yield self._plain(family)
        head, floor = (self._figures[one.first] for one in (meters.LOG_HEAD, meters.LOG_FLOOR))
        yield GaugeMetricFamily(*LOG_SIZE, value=head - floor)

    def _plain(self, family: meters.Family) -> Metric:
        kind = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
        metric = kind(family.name, family.text, labels=family.labels)
        for values, slot in family.slots():
            metric.add_metric(values, self._figures[slot])
        return metric

    def _histogram(self, family: meters.Family) -> Metric:
        *counts, total = self._figures[family.first : family.after]
        bounds = [value for (value,) in family.among[:-1]]
        upto = [sum(counts[: n + 1]) for n in range(len(counts))]
        metric = HistogramMetricFamily(family.name, family.text)
        metric.add_metric([], list(zip(bounds, upto, strict=True)), total)
        return metric


def text(figures: list[float]) -> bytes:
    """A page of metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    return generate_latest(registry)
