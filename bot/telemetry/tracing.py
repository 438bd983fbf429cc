"""Traces, where somebody wants them: with OTEL_EXPORTER_OTLP_ENDPOINT set and the `tracing` extra installed.

Without, `span` costs a dictionary look-up. Spans carry names and the request's id, never names of pods or people.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bot.telemetry.requests import current

LOG: Final = logging.getLogger(__name__)
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_tracer: dict[str, Any] = {}


def start_tracing(version: str, exporter: Any = None) -> bool:  # noqa: ANN401 (an optional package's type)
    """Begins to send spans where the environment names a collector; whether it does. `exporter`: another than OTLP."""
    if exporter is None and not os.environ.get(ENDPOINT):
        return False
    try:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 (an optional package)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            exporter = OTLPSpanExporter()
    except ImportError:
        LOG.warning("%s is set, but the extra is not installed: pip install karpenter-bot[tracing]", ENDPOINT)
        return False
    provider = TracerProvider(resource=Resource.create({"service.name": "karpenter-bot", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer["provider"], _tracer["tracer"] = provider, provider.get_tracer("karpenter-bot")
    return True


def stop_tracing() -> None:
    """Sends what is left and ends."""
    provider = _tracer.pop("provider", None)
    _tracer.clear()
    if provider is not None:
        provider.shutdown()


@contextmanager
def span(name: str) -> Iterator[None]:
    """A span around the block, below the one that is open."""
    tracer = _tracer.get("tracer")
    if tracer is None:
        yield
        return
    attributes = {"request.id": current()} if current() else {}
    with tracer.start_as_current_span(name, attributes=attributes):
        yield
