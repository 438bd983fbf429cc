"""Fixtures of the tests that need the bed. Without Go they are reported as not run, loudly, never as passed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.cluster.bed import Bed, new_folder, start_bed
from tests.cluster.bot_access import BotAccess, grant_access
from tests.cluster.build import BinariesMissingError, ensure_assets
from tests.cluster.workbench import Workbench

HERE: Final = Path(__file__).parent
REQUIRED: Final = "TESTS_REQUIRE_CLUSTER"
_SECOND_BED: Final = frozenset(
    f"test_{name}"
    for name in (
        "approving",
        "bed",
        "chaos",
        "disruption",
        "documentation",
        "gitops",
        "leading",
        "playground",
        "recreating",
    )
)
"""Modules that `make test-bed` runs on a bed of their own, beside the others. Those must stay together: test_why_access looks
back on all that they have asked for."""
_failed: Final[list[str]] = []


class TwoBeds(LoadScopeScheduling):  # type: ignore[misc]
    """Each module goes to the process whose bed it is for."""

    def _split_scope(self, nodeid: str) -> str:
        module = Path(nodeid.partition("::")[0]).stem
        return "second" if module in _SECOND_BED else "first"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TwoBeds:
    return TwoBeds(config, log)


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """One bed for the whole session; its folder with all logs is kept when a test failed."""
    try:
        assets = ensure_assets(build=bool(os.environ.get(REQUIRED)))
    except BinariesMissingError as missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set and the test bed cannot be built: {missing}", pytrace=False)
        pytest.skip(f"NOT RUN: {missing}")
    folder = new_folder()
    running = start_bed(assets, folder)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder / "etcd", ignore_errors=True)
        if not _failed:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def bot(bed: Bed) -> BotAccess:
    """The bot's command line under the deployed read role."""
    return grant_access(bed)


@pytest.fixture
def bench(bed: Bed) -> Iterator[Workbench]:
    """A namespace of its own; afterwards it, every NodePool and every node of Karpenter's are gone."""
    workbench = Workbench(bed=bed, namespace=f"t-{uuid.uuid4().hex[:8]}")
    workbench.set_up()
    try:
        yield workbench
    finally:
        workbench.clean_up()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _failed.extend([report.nodeid] * report.failed)
