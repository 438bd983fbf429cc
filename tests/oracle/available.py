"""What a test does where the oracle is missing: it is not run, and that is said loudly; never passed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.oracle.client import REQUIRED, OracleUnavailable


@contextmanager
def compared_with_karpenter() -> Iterator[None]:
    """Skips the test when the oracle is missing within; where it must run (TESTS_REQUIRE_ORACLE) fails it."""
    try:
        yield
    except OracleUnavailable as reason:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set and the oracle cannot run: {reason}", pytrace=False)
        pytest.skip(f"NOT RUN: {reason}")
