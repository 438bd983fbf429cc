"""One Karpenter for all tests of the folder."""

from collections.abc import Iterator

import pytest

from tests.oracle.client import Oracle, OracleUnavailable

_MISSING = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def oracle(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    """A running scheduler, or a skip that says what is missing."""
    try:
        running = Oracle()
    except OracleUnavailable as reason:
        request.config.stash[_MISSING] = str(reason)
        pytest.skip(str(reason))
    with running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Without the oracle nothing was held against Karpenter itself, and a quiet skip would hide that."""
    reason = config.stash.get(_MISSING, "")
    if reason:
        terminalreporter.section("NOT COMPARED WITH KARPENTER", red=True, bold=True)
        terminalreporter.write_line(reason)
