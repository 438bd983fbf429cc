"""What counts as the pod that an applied change was made for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from bot.approving.hands import Hands
from bot.approving.watching import Watcher
from bot.sources.resources import Resource
from tests.remediation.proposals import NOW, proposal


def pod(name: str, begun_after: float) -> dict[str, Any]:
    """A running pod of the changed Deployment's, begun so many seconds after the change."""
    begun = (NOW + timedelta(seconds=begun_after)).strftime("%Y-%m-%dT%H:%M:%SZ")
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "trainer", "uid": "u1", "controller": True}
    return {
        "metadata": {"name": name, "namespace": "ml", "creationTimestamp": begun, "ownerReferences": [owner]},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "startTime": begun},
    }


class Cluster:
    """Its pods, and the changed object as it stands."""

    def __init__(self, pods: list[dict[str, Any]], spec: dict[str, Any]) -> None:
        self.pods, self.spec = pods, spec

    async def listed(self, resource: Resource, *_: object) -> list[dict[str, Any]]:
        return self.pods if resource.plural == "pods" else []

    async def read(self, _ref: object) -> dict[str, Any]:
        return {"spec": self.spec}


@pytest.mark.parametrize(
    ("spec", "begun", "seen"),
    [
        pytest.param({}, [-60.0], "", id="the pod that is about to be ended"),
        pytest.param({}, [-60.0, 3.0], "new-1", id="the one made since"),
        pytest.param({"paused": True}, [-60.0], "waited", id="nothing is made anew"),
        pytest.param({"updateStrategy": {"type": "OnDelete"}}, [-60.0], "waited", id="not until somebody deletes it"),
    ],
)
async def test_a_pod_that_ran_before_is_no_proof_where_the_change_ends_it(
    spec: dict[str, Any], begun: list[float], seen: str
) -> None:
    one = proposal(applied_at=NOW)
    pods = [pod(f"new-{n}" if n else one.pod.name, after) for n, after in enumerate(begun)]
    cluster = Cluster(pods, spec)
    sight = await Watcher(cast("Hands", cluster), one).look()
    assert (sight.pod, sight.running is not None) == (one.pod.name if seen == "waited" else seen, bool(seen))
