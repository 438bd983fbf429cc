"""A World with a pod and its owners, and the API server's part: applying a JSON Patch."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Final, cast

import jsonpatch

from bot.model.diagnosis import Json, Patch, Remedy
from bot.model.kubernetes import Pod, Workload
from bot.model.objects import ObjectMeta, decode
from bot.model.world import World
from bot.remediation.patches import patched
from tests.remediation.manifests import Chain, Manifest, pod_of

NOW: Final = datetime(2025, 12, 2, 3, 0, tzinfo=UTC)


def workload(manifest: Manifest) -> Workload:
    """The manifest as an owner in the World."""
    meta = decode(manifest["metadata"], ObjectMeta)
    return Workload(api_version=manifest["apiVersion"], kind=manifest["kind"], metadata=meta, manifest=manifest)


def scene(chain: Chain, pods: Manifest, labels: dict[str, str] | None = None) -> tuple[World, Pod]:
    """A World with these owners, and the pod made from the template."""
    pod = decode(pod_of(pods, chain[0] if chain else None, labels or {}), Pod)
    return World(now=NOW, pods=(pod,), workloads=tuple(workload(one) for one in chain)), pod


def patch_of(world: World, pod: Pod, wanted: Remedy) -> Patch:
    """The remedy's patch."""
    found = patched(world, pod, wanted).patch
    assert found is not None
    return found


def applied(patch: Json, to: Manifest) -> Manifest:
    """The object after the patch. Raises jsonpatch.JsonPatchException when it refuses."""
    assert isinstance(patch, list)
    steps = cast("list[dict[str, object]]", patch)
    return cast("Manifest", jsonpatch.apply_patch(deepcopy(to), steps))


def accepted(patch: Json, to: Manifest) -> Manifest:
    """The object as the API server keeps it after the patch: with a new generation."""
    changed = applied(patch, to)
    changed["metadata"]["generation"] = to["metadata"].get("generation", 1) + 1
    return changed


def settled(manifest: Manifest) -> Manifest:
    """The object without its generation, which only ever goes up."""
    copy = deepcopy(manifest)
    copy["metadata"].pop("generation", None)
    return copy
