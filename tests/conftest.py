"""What holds for every test."""

import pytest

from tests.oracle.available import not_compared


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Without the oracle nothing was held against Karpenter itself, and a quiet skip would hide that."""
    if not_compared:
        terminalreporter.section("NOT COMPARED WITH KARPENTER", sep="!", red=True, bold=True)
        terminalreporter.line(not_compared[0])
