"""Less of what a pod asks for as a whole (`spec.resources`): the patch, its way back, and containers that stay below it."""

from __future__ import annotations

from typing import Final

import pytest

from bot.diagnosis.lowering import lowered
from bot.diagnosis.pods import requests_of
from bot.model.diagnosis import Edit
from bot.model.kubernetes import Pod
from bot.model.objects import decode
from bot.model.quantities import Quantity
from tests.remediation.manifests import CHAINS, Manifest, template
from tests.remediation.remedies import edit, remedy
from tests.remediation.scenes import accepted, applied, patch_of, scene, settled, workload

FIELD: Final = "spec.resources.requests[memory]"
OVERHEAD: Final = {"memory": "1Gi"}


def pods(**amounts: Manifest) -> Manifest:
    """The training pod with amounts for the pod as a whole, in a RuntimeClass that takes 1 GiB itself."""
    made = template()
    made["spec"]["resources"] = amounts
    made["spec"]["overhead"] = OVERHEAD
    return made


def memory(old: str, new: str) -> Edit:
    """All that the pod takes, its overhead included."""
    return edit(FIELD, "memory", old, new)


@pytest.mark.parametrize("kind", ["Deployment", "PyTorchJob", "LeaderWorkerSet", "JobSet"])
def test_requests_and_limits_of_the_pod_go_down_together(kind: str) -> None:
    build, labels = CHAINS[kind]
    before = pods(requests={"memory": "2000Gi"}, limits={"memory": "2000Gi", "cpu": "90"})
    chain = build(before)
    world, pod = scene(chain, before, labels)
    patch = patch_of(world, pod, remedy(memory("2001Gi", "1000Gi")))
    after = accepted(patch.patch, chain[-1])
    wanted = pods(requests={"memory": "999Gi"}, limits={"memory": "999Gi", "cpu": "90"})
    assert patch.target.kind == workload(chain[-1]).kind
    assert settled(after) == settled(build(wanted)[-1])
    assert settled(applied(patch.undo, after)) == settled(chain[-1])


def test_containers_give_way_as_far_as_the_api_server_demands() -> None:
    """Their requests together are no more than the pod's, and none has a limit above the pod's."""
    before = pods(requests={"memory": "2000Gi"}, limits={"memory": "2000Gi"})
    chain = CHAINS["Deployment"][0](before)
    world, pod = scene(chain, before)
    patch = patch_of(world, pod, remedy(memory("2001Gi", "401Gi")))
    spec = applied(patch.patch, chain[-1])["spec"]["template"]["spec"]
    assert spec["resources"] == {"requests": {"memory": "400Gi"}, "limits": {"memory": "400Gi"}}
    assert spec["containers"][0]["resources"]["limits"]["memory"] == "400Gi"  # 900Gi before

    lower = lowered(pod.spec, "memory", Quantity.parse("401Gi"))
    assert lower is not None
    assert requests_of(lower)["memory"] == Quantity.parse("401Gi")
    assert decode({"spec": spec}, Pod).spec.resources == lower.resources


def test_a_request_that_only_a_limit_stands_for() -> None:
    before = pods(limits={"memory": "2000Gi"})
    chain = CHAINS["Deployment"][0](before)
    world, pod = scene(chain, before)
    patch = patch_of(world, pod, remedy(memory("2001Gi", "1001Gi")))
    spec = applied(patch.patch, chain[-1])["spec"]["template"]["spec"]
    assert spec["resources"] == {"limits": {"memory": "1000Gi"}}


def test_a_template_that_says_otherwise_is_left_alone() -> None:
    before = pods(requests={"memory": "2000Gi"})
    chain = CHAINS["Deployment"][0](pods(requests={"memory": "3000Gi"}))
    world, pod = scene(chain, before)
    patch = patch_of(world, pod, remedy(memory("2001Gi", "1001Gi")))
    assert (patch.target.kind, patch.applicable) == ("Pod", False)
