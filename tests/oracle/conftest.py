"""One Karpenter for all tests of the folder."""

from collections.abc import Iterator

import pytest

from tests.oracle.client import Oracle, OracleUnavailable


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """A running scheduler, or a skip that says what is missing."""
    try:
        running = Oracle()
    except OracleUnavailable as reason:
        pytest.skip(str(reason))
    with running:
        yield running
