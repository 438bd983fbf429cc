"""What is measured is kept under its name, what is logged has its request and no secret, spans nest."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.telemetry import measures, tracing
from bot.telemetry.logs import Json, Redacting
from bot.telemetry.measures import MEASURES, called, count, stage, state, took, watched_by
from bot.telemetry.metrics import Metrics
from bot.telemetry.requests import current, request


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    kept = Metrics()
    watched_by(kept)
    yield kept
    watched_by(None)


def test_every_measure_is_exposed_under_its_name(metrics: Metrics) -> None:
    take = {"counter": count, "gauge": state, "histogram": took}
    for name, measure in MEASURES.items():
        values = () if measure.kind == "counter" else (1.0,)
        take[measure.kind](name, *values, **dict.fromkeys(measure.labels, "x"))  # type: ignore[operator]
    text = metrics.exposition().decode()
    end = {"counter": "_total", "gauge": "", "histogram": "_bucket"}
    for name, measure in MEASURES.items():
        assert f"\nkarpenter_bot_{name}{end[measure.kind]}" in text
    assert "process_resident_memory_bytes" in text


def test_calls_are_told_apart_by_source_and_outcome(metrics: Metrics) -> None:
    called("aws", "DescribeSubnets", "ok", 0.2)
    called("aws", "DescribeSubnets", "Throttling", 0.1)
    called("aws", "DescribeSubnets", "Throttling", 0.1)
    text = metrics.exposition().decode()
    assert 'karpenter_bot_calls_total{operation="DescribeSubnets",outcome="Throttling",source="aws"} 2.0' in text
    assert 'karpenter_bot_call_seconds_count{source="aws"} 3.0' in text


@pytest.mark.parametrize("mistake", [("answers", {}), ("failures", {"pod": "x"}), ("working", {})])
def test_a_measure_that_is_none_is_a_mistake_even_where_nobody_watches(mistake: tuple[str, dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="with the labels"):
        count(mistake[0], **mistake[1])
    with pytest.raises(KeyError):
        count("typo")


def test_every_measure_is_taken_somewhere_and_no_call_takes_one_that_is_none() -> None:
    takers = {"count": "counter", "state": "gauge", "took": "histogram"}
    taken, helpers = set(), set()
    for file in Path(measures.__file__).parents[1].rglob("*.py"):
        source = file.read_text("utf-8")
        within = file == Path(measures.__file__)
        if "bot.telemetry.measures import" not in source and not within:
            continue
        for node in ast.walk(ast.parse(source)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("called", "stage") and not within:
                helpers.add(node.func.id)
            first = node.args[0] if node.args else None
            if node.func.id in takers and isinstance(first, ast.Constant) and isinstance(first.value, str):
                measure = MEASURES[first.value]
                assert measure.kind == takers[node.func.id], f"{file}:{node.lineno}"
                assert {k.arg for k in node.keywords} == set(measure.labels), f"{file}:{node.lineno}"
                taken.add(first.value)
    assert taken == set(MEASURES)
    assert helpers == {"called", "stage"}, "what the table's own helpers take is taken by others"


def logged(formatter: logging.Formatter, message: str, *arguments: object, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(Redacting())
    logger = logging.Logger("bot.test")
    logger.addHandler(handler)
    logger.error(message, *arguments, exc_info=error)
    return stream.getvalue()


SECRETS = (
    "xoxb-1-abc",
    "xapp-1-A-b",
    "wss://wss.slack.com/link/?ticket=abc-def",
    "https://hooks.slack.com/commands/T1/2/abc",
    "k8s-aws-v1.aHR0cHM6Ly9zdHM",
    "eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl",
    "postgresql://bot:hunter2@db/store",
)
PARTS = ("abc", "A-b", "def", "aHR0", "eyJpc3", "hunter2")


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_reaches_the_log(secret: str) -> None:
    for line in (
        logged(Json(), "got %s", secret),
        logged(Json(), "broke", error=RuntimeError(f"cannot use {secret}")),
        logged(logging.Formatter("%(message)s"), f"in the text: {secret}"),
    ):
        assert not [part for part in PARTS if part in line.replace("traceback", "")]


def test_a_line_is_json_and_says_which_request_it_is_about() -> None:
    with request() as known:
        line = json.loads(logged(Json(), "no answer from %s", "prod"))
        assert current() == known
    assert line | {"time": ""} == {
        "time": "",
        "level": "ERROR",
        "logger": "bot.test",
        "message": "no answer from prod",
        "request": known,
    }
    assert "request" not in json.loads(logged(Json(), "idle"))


def test_stages_are_spans_of_their_request() -> None:
    spans = InMemorySpanExporter()
    assert tracing.start_tracing("1", spans)
    with request("abcd1234"), tracing.span("request"), stage("observe"):
        pass
    tracing.stop_tracing()
    inner, outer = spans.get_finished_spans()
    assert (inner.name, outer.name) == ("observe", "request")
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(outer.attributes or {}) == {"request.id": "abcd1234"}


def test_nothing_is_traced_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    assert not tracing.start_tracing("1")
