"""What holds for every test."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import REQUIRED, PostgresMissingError, PostgresServer, running_postgres

# A machine under load is slow without being wrong: how long a test takes is no part of what it says.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

NOT_RUN: Final = "NOT RUN: "
"""How the reason of a skip begins where the real thing is missing that the test is about."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; where there is none, what needs it is reported as not run."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissingError as missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set: {missing}", pytrace=False)
        pytest.skip(f"{NOT_RUN}{missing}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not held against the real thing is said loudly: a quiet skip would hide it."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if NOT_RUN in reason:
            reasons[reason.partition(NOT_RUN)[2]] += 1
    if reasons:
        terminalreporter.section("TESTS DID NOT RUN", sep="!", red=True, bold=True)
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count} tests: {reason}")
