"""The measures as Prometheus knows them, for `/metrics`. Imported by the serving bot alone: it costs 0.1 s."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bot.telemetry.measures import MEASURES, PREFIX, SECONDS, Measure

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """Keeps every measure (bot.telemetry.measures.Keeper), beside the process's own memory, time and file handles."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._kept = {name: self._metric(name, measure) for name, measure in MEASURES.items()}

    def keep(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Keeps one figure."""
        kept = self._kept[name]
        one = kept.labels(**labels) if labels else kept
        if isinstance(one, Counter):
            one.inc(value)
        elif isinstance(one, Gauge):
            one.set(value)
        else:
            one.observe(value)

    def exposition(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)

    def _metric(self, name: str, measure: Measure) -> Counter | Gauge | Histogram:
        if measure.kind == "histogram":
            return Histogram(PREFIX + name, measure.help, measure.labels, registry=self._registry, buckets=SECONDS)
        kind = Counter if measure.kind == "counter" else Gauge
        return kind(PREFIX + name, measure.help, measure.labels, registry=self._registry)
