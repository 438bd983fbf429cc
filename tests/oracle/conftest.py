"""One Karpenter for all tests of the folder."""

from collections.abc import Iterator

import pytest

from tests.oracle.available import compared_with_karpenter
from tests.oracle.client import Oracle


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """A running scheduler, or a skip that says what is missing."""
    with compared_with_karpenter():
        running = Oracle()
    with running:
        yield running
