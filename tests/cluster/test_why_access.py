"""The deployed read role is exact. Stands last by its name: it looks back on all that the bot asked for in the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.bot_access import BotAccess, granted, wait_for_audit
from tests.cluster.cases import CASES

pytestmark = pytest.mark.cluster
_OF_OTHER_FILES = ("/services/karpenter:http-metrics/proxy/metrics", "/policy/v1/poddisruptionbudgets?limit=500")
"""What rbac-read-metrics.yaml grants (test_metrics.py asks for it with and without) and, for `why-gone`,
rbac-read-optional.yaml."""


def test_every_granted_permission_is_used_and_none_is_missing(bot: BotAccess, request: pytest.FixtureRequest) -> None:
    wait_for_audit()
    denied = {entry["requestURI"] for entry in bot.requests() if entry["responseStatus"]["code"] == 403}
    assert {uri for uri in denied if not uri.endswith(_OF_OTHER_FILES)} == set()
    if not _whole_suite(request.session.items):
        pytest.skip("only the whole suite uses all that is granted")
    assert granted() - bot.used() == set()


def _whole_suite(items: list[pytest.Item]) -> bool:
    """Whether all modules beside this one were collected, and all cases."""
    modules = {item.path for item in items}
    names = {item.name for item in items}
    every_case = all(any(name.endswith(f"[{case.name}]") for name in names) for case in CASES)
    return every_case and set(Path(__file__).parent.glob("test_*.py")) <= modules
