"""Patches of NodePools, with the manifest at hand and without, and objects that a repository or EKS keeps."""

from collections.abc import Callable
from typing import Final

import jsonpatch
import pytest

from bot.model.diagnosis import Edit, Json, Patch
from bot.model.karpenter import NodePool
from bot.model.kubernetes import Pod
from bot.model.objects import decode
from bot.model.world import World
from bot.remediation.gitops import ManagedBy, managed_by
from tests.remediation.manifests import CAPACITY_TYPE, GPU, INSTANCE_TYPE, Manifest, owner, pod_of, template
from tests.remediation.remedies import POOL, edit, gpus, remedy
from tests.remediation.scenes import NOW, applied, patch_of, scene, workload

REQUIREMENTS: Final = "spec.template.spec.requirements"


def pool(**meta: object) -> Manifest:
    """A NodePool as the API prints it; Karpenter prints its limits otherwise (4000 as 4k)."""
    requirements = [
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
        {"key": CAPACITY_TYPE, "operator": "In", "values": ["spot"]},
        {"key": INSTANCE_TYPE, "operator": "In", "values": ["p4d.24xlarge", "p5.48xlarge"], "minValues": 2},
        {"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "Gt", "values": ["7"]},
    ]
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"}
    taint = {"key": GPU, "effect": "NoSchedule"}
    spec = {
        "template": {"spec": {"requirements": requirements, "nodeClassRef": reference, "taints": [taint]}},
        "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "30s"},
        "limits": {"cpu": 4000, GPU: "32"},
        "weight": 10,
    }
    head = {"name": "gpu", "uid": "5f0c", "generation": 7, **meta}
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": head, "spec": spec}


def of_pool(field: str, subject: str, old: Json, new: Json) -> Edit:
    return edit(field, subject, old, new, about=POOL)


Rewrite = Callable[[Manifest], object]


def _values(index: int, values: list[str]) -> Rewrite:
    return lambda p: p["spec"]["template"]["spec"]["requirements"][index].update(values=values)


EDITS: Final[dict[str, tuple[Edit, Rewrite]]] = {
    "add-requirement-value": (
        of_pool(f"{REQUIREMENTS}[1]", CAPACITY_TYPE, ["spot"], ["spot", "on-demand"]),
        _values(1, ["spot", "on-demand"]),
    ),
    "drop-requirement": (
        of_pool(f"{REQUIREMENTS}[3]", "karpenter.k8s.aws/instance-gpu-count", ["7"], None),
        lambda p: p["spec"]["template"]["spec"]["requirements"].pop(3),
    ),
    "moved-requirement": (  # the index is of another moment: the key is what counts
        of_pool(f"{REQUIREMENTS}[0]", CAPACITY_TYPE, ["spot"], ["on-demand"]),
        _values(1, ["on-demand"]),
    ),
    "lower-min-values": (
        of_pool(f"{REQUIREMENTS}[2].minValues", INSTANCE_TYPE, 2, 1),
        lambda p: p["spec"]["template"]["spec"]["requirements"][2].update(minValues=1),
    ),
    "add-nodepool-label": (
        of_pool("spec.template.metadata.labels", "team/~owner", None, "ml"),
        lambda p: p["spec"]["template"].update(metadata={"labels": {"team/~owner": "ml"}}),
    ),
    "raise-limit": (of_pool(f"spec.limits[{GPU}]", GPU, "32", "40"), lambda p: p["spec"]["limits"].update({GPU: "40"})),
    "raise-cpu-limit": (
        of_pool("spec.limits[cpu]", "cpu", "4k", "4096"),
        lambda p: p["spec"]["limits"].update(cpu=4096),
    ),
    "set-consolidation": (
        of_pool(
            "spec.disruption",
            "",
            {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "30s"},
            {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"},
        ),
        lambda p: p["spec"].update(disruption={"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}),
    ),
    "set-consolidate-after": (
        of_pool("spec.disruption.consolidateAfter", "", "30s", "10m"),
        lambda p: p["spec"]["disruption"].update(consolidateAfter="10m"),
    ),
}


def pool_patch(manifest: Manifest, change: Edit, *, raw: bool = True) -> Patch:
    """The patch with the NodePool's manifest in the World, or with the typed NodePool alone."""
    kept = (workload(manifest),) if raw else ()
    world = World(now=NOW, node_pools=(decode(manifest, NodePool),), workloads=kept)
    return patch_of(world, decode(pod_of(template(), None, {}), Pod), remedy(change))


@pytest.mark.parametrize("raw", [True, False], ids=["manifest", "typed"])
@pytest.mark.parametrize("name", EDITS)
def test_the_nodepool_becomes_what_its_author_would_write_and_undo_takes_it_back(name: str, *, raw: bool) -> None:
    change, rewrite = EDITS[name]
    before, expected = pool(), pool()
    rewrite(expected)
    patch = pool_patch(before, change, raw=raw)
    assert patch.applicable, patch.why_not
    after = applied(patch.patch, before)
    undone = applied(patch.undo, after)
    if not raw and name == "raise-cpu-limit":  # without the manifest nobody knows that a number was written
        assert (after["spec"]["limits"].pop("cpu"), undone["spec"]["limits"].pop("cpu")) == ("4096", "4k")
        del expected["spec"]["limits"]["cpu"], before["spec"]["limits"]["cpu"]
    assert after == expected
    assert undone == before


@pytest.mark.parametrize(("new", "left"), [("ml", {"team": "ml", "tier": "1"}), (None, {"tier": "1"})])
def test_a_label_changes_or_goes_and_comes_back(new: str | None, left: dict[str, str]) -> None:
    before = pool()
    before["spec"]["template"]["metadata"] = {"labels": {"team": "web", "tier": "1"}}
    patch = pool_patch(before, of_pool("spec.template.metadata.labels[team]", "team", "web", new))
    after = applied(patch.patch, before)
    assert after["spec"]["template"]["metadata"] == {"labels": left}
    assert applied(patch.undo, after) == before
    other = pool_patch(before, of_pool("spec.template.metadata.labels[team]", "team", "data", new))
    assert other.patch is None


@pytest.mark.parametrize("raw", [True, False], ids=["manifest", "typed"])
def test_a_nodepool_that_has_changed_meanwhile_refuses(*, raw: bool) -> None:
    patch = pool_patch(pool(), EDITS["add-requirement-value"][0], raw=raw)
    other = pool()
    other["spec"]["template"]["spec"]["requirements"].insert(0, {"key": "team", "operator": "Exists"})
    other["metadata"]["generation"] = 8
    with pytest.raises(jsonpatch.JsonPatchException):
        applied(patch.patch, other)
    anew = pool(uid="another")
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(patch.patch, anew)


@pytest.mark.parametrize(
    "change",
    [
        of_pool(f"{REQUIREMENTS}[1]", CAPACITY_TYPE, ["on-demand"], ["spot", "on-demand"]),
        of_pool("spec.limits[cpu]", "cpu", "5k", "6k"),
        of_pool("spec.disruption.consolidateAfter", "", "1m", "10m"),
        of_pool("spec.weight", "", 10, 20),
        edit("spec.limits[cpu]", "cpu", "4k", "5k", about=type(POOL)(kind="NodePool", name="gone")),
    ],
    ids=["other-values", "other-limit", "other-time", "unknown-field", "no-such-pool"],
)
def test_an_edit_of_something_else_than_is_there_makes_no_patch(change: Edit) -> None:
    patch = pool_patch(pool(), change)
    assert not patch.applicable
    assert patch.patch is None
    assert patch.undo is None
    assert patch.why_not


def _argo(tracking: str) -> dict[str, object]:
    return {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}


def _flux(domain: str) -> dict[str, str]:
    return {f"{domain}.toolkit.fluxcd.io/name": "apps", f"{domain}.toolkit.fluxcd.io/namespace": "flux-system"}


_INSTANCE: Final[dict[str, object]] = {"labels": {"app.kubernetes.io/instance": "training"}}
_HELM: Final[dict[str, object]] = {
    "labels": {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "karpenter-pools"},
    "annotations": {"meta.helm.sh/release-name": "pools", "meta.helm.sh/release-namespace": "karpenter"},
}
MARKS: Final[dict[str, tuple[dict[str, object], ManagedBy | None]]] = {
    "argo annotation": (
        _argo("training:karpenter.sh/NodePool:karpenter/gpu"),
        ManagedBy(tool="Argo CD", kind="Application", name="training"),
    ),
    "argo in any namespace": (
        _argo("ml_training:karpenter.sh/NodePool:/gpu"),
        ManagedBy(tool="Argo CD", kind="Application", name="training", namespace="ml"),
    ),
    "argo annotation copied from another object": (_argo("training:apps/Deployment:train/api"), None),
    "argo label": (_INSTANCE, ManagedBy(tool="Argo CD", kind="Application", name="training")),
    "argo label written by argo": (
        {**_INSTANCE, "managedFields": [{"manager": "argocd-controller"}]},
        ManagedBy(tool="Argo CD", kind="Application", name="training"),
    ),
    "a chart's label that kubectl applied": ({**_INSTANCE, "managedFields": [{"manager": "kubectl"}]}, None),
    "flux kustomization": (
        {"labels": _flux("kustomize")},
        ManagedBy(tool="Flux", kind="Kustomization", name="apps", namespace="flux-system"),
    ),
    "flux helm release": (
        {**_HELM, "labels": {**_flux("helm"), "app.kubernetes.io/instance": "x"}},
        ManagedBy(tool="Flux", kind="HelmRelease", name="apps", namespace="flux-system"),
    ),
    "flux by its field manager": (
        {"managedFields": [{"manager": "kustomize-controller"}]},
        ManagedBy(tool="Flux", kind="Kustomization"),
    ),
    "helm": (_HELM, ManagedBy(tool="Helm", kind="release", name="pools", namespace="karpenter")),
    "eks auto mode": (
        {"labels": {"app.kubernetes.io/managed-by": "eks"}},
        ManagedBy(tool="EKS", kind="Auto Mode"),
    ),
    "nobody": ({"labels": {"app": "x"}, "managedFields": [{"manager": "kubectl-edit"}]}, None),
}


@pytest.mark.parametrize("name", MARKS)
def test_what_a_repository_keeps_is_recognised_and_named(name: str) -> None:
    marks, expected = MARKS[name]
    assert managed_by(pool(**marks)) == expected
    patch = pool_patch(pool(**marks), EDITS["raise-limit"][0])
    assert patch.patch is not None  # to be carried over into the repository
    assert patch.applicable == (expected is None)
    assert (expected is None) or str(expected) in patch.why_not


def test_an_owner_in_a_repository_is_left_alone_though_its_pods_carry_its_label_too() -> None:
    top = owner("apps/v1", "Deployment", {"template": template()})
    top["metadata"].update(_INSTANCE)
    world, pod = scene([top], template(), {"app.kubernetes.io/instance": "training"})
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert patch.patch is not None
    assert not patch.applicable
    assert "Argo CD Application training" in patch.why_not
