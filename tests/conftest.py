"""What holds for every test."""

import os
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.oracle.available import not_compared
from tests.postgres import REQUIRED, PostgresMissingError, PostgresServer, running_postgres

# A machine under load is slow without being wrong: how long a test takes is no part of what it says.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_not_run_on_postgres: Final[list[str]] = []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; where there is none, what needs it is reported as not run."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissingError as missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set: {missing}", pytrace=False)
        _not_run_on_postgres.append(str(missing))
        pytest.skip(f"NOT RUN: {missing}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not held against the real thing is said loudly: a quiet skip would hide it."""
    for title, reasons in (
        ("NOT COMPARED WITH KARPENTER", not_compared),
        ("NOT RUN ON POSTGRESQL", _not_run_on_postgres),
    ):
        if reasons:
            terminalreporter.section(title, sep="!", red=True, bold=True)
            terminalreporter.line(reasons[0])
