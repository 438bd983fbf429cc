"""What a pod's volumes demand of a node, and which volumes keep Karpenter from looking at the pod at all.

Mirrors karpenter pkg/controllers/provisioning/scheduling/volumetopology.go and pkg/utils/volume/volume.go (v1.15).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.requirements import Requirement, Requirements
from bot.karpenter import VolumeClaimUnusable, VolumeProblem
from bot.model.kubernetes import PersistentVolume, PersistentVolumeClaim, Pod, Volume
from bot.model.labels import HOSTNAME
from bot.model.world import World

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
STORAGE_CLASSES: Final = "storageclasses"
EBS_DRIVER: Final = "ebs.csi.aws.com"
IN_TREE: Final = {"kubernetes.io/aws-ebs": EBS_DRIVER}
"""In-tree provisioners and the CSI drivers that took their place (kubernetes csi-translation-lib), those on AWS."""
_BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDemand:
    """One volume's alternatives (OR) and the claim they come from. `volume` is empty for a claim not yet bound."""

    claim: str
    volume: str
    storage_class: str
    alternatives: tuple[Requirements, ...]


def unread(world: World, resource: str) -> bool:
    """Whether objects of that resource could not be read, so that their absence means nothing."""
    return any(resource in gap.what and not gap.absent for gap in world.missing)


def claim_name(pod: Pod, volume: Volume) -> str:
    """The claim behind a pod's volume, or "" for other volumes; a generic ephemeral volume's claim is `<pod>-<volume>`."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def _claims(world: World, pod: Pod) -> Iterator[tuple[str, PersistentVolumeClaim | None]]:
    namespace = pod.metadata.namespace
    for volume in pod.spec.volumes:
        name = claim_name(pod, volume)
        if name:
            found = (c for c in world.claims if (c.metadata.namespace, c.metadata.name) == (namespace, name))
            yield name, next(found, None)


def _volume(world: World, name: str) -> PersistentVolume | None:
    return next((v for v in world.volumes if v.metadata.name == name), None)


def demands(world: World, pod: Pod) -> tuple[VolumeDemand, ...]:
    """What each claim of the pod demands: its bound volume's node affinity, else its class's allowed topologies."""
    found: list[VolumeDemand] = []
    for name, claim in _claims(world, pod):
        if claim is None:
            continue
        storage_class = claim.spec.storage_class_name or ""
        if claim.spec.volume_name:
            volume = _volume(world, claim.spec.volume_name)
            alternatives = _of_volume(volume) if volume else ()
        else:
            alternatives = _of_storage_class(world, storage_class)
        if alternatives:
            found.append(
                VolumeDemand(
                    claim=name,
                    volume=claim.spec.volume_name,
                    storage_class=storage_class,
                    alternatives=alternatives,
                )
            )
    return tuple(found)


def _of_volume(volume: PersistentVolume) -> tuple[Requirements, ...]:
    affinity = volume.spec.node_affinity
    if affinity is None or affinity.required is None:
        return ()
    local = volume.spec.local is not None or volume.spec.host_path is not None
    alternatives: list[Requirements] = []
    for term in affinity.required.node_selector_terms:
        expressions = [e for e in term.match_expressions if not (local and e.key == HOSTNAME)]
        # a local volume's hostname-only term is an alternative without any demand; other empty terms are none
        if expressions or (local and term.match_expressions):
            alternatives.append(Requirements(Requirement.of(e.key, e.operator, e.values) for e in expressions))
    return tuple(alternatives)


def _of_storage_class(world: World, name: str) -> tuple[Requirements, ...]:
    found = next((s for s in world.storage_classes if s.metadata.name == name), None)
    if found is None:
        return ()
    terms = (term.match_label_expressions for term in found.allowed_topologies)
    return tuple(Requirements(Requirement.of(e.key, "In", e.values) for e in term) for term in terms if term)


def alternatives_of(wanted: tuple[VolumeDemand, ...]) -> tuple[Requirements, ...]:
    """All combinations, one alternative of each volume; incompatible ones only where there is no other (GetRequirements)."""
    combined: tuple[Requirements, ...] = (Requirements(),)
    for demand in wanted:
        pairs = [(a, b) for a in combined for b in demand.alternatives]
        compatible = [(a, b) for a, b in pairs if not a.clashes(b)]
        combined = tuple(a & b for a, b in compatible or pairs)
    return combined if wanted else ()


def attached(world: World, pod: Pod) -> dict[str, set[str]]:
    """The claims that a pod attaches, by CSI driver (karpenter pkg/scheduling/volumeusage.go, GetVolumes)."""
    found: dict[str, set[str]] = {}
    for name, claim in _claims(world, pod):
        driver = _driver(world, claim) if claim is not None else ""
        if driver:
            found.setdefault(driver, set()).add(f"{pod.metadata.namespace}/{name}")
    return found


def _driver(world: World, claim: PersistentVolumeClaim) -> str:
    if claim.spec.volume_name:
        volume = _volume(world, claim.spec.volume_name)
        if volume is None:
            return ""
        if volume.spec.csi is not None:
            return volume.spec.csi.driver
        return EBS_DRIVER if volume.spec.aws_elastic_block_store is not None else ""
    found = next((s for s in world.storage_classes if s.metadata.name == claim.spec.storage_class_name), None)
    return IN_TREE.get(found.provisioner, found.provisioner) if found else ""


def problems(world: World, pod: Pod) -> tuple[VolumeClaimUnusable, ...]:
    """The first claim that keeps the pod out of scheduling (ValidatePersistentVolumeClaims stops at it), or nothing."""
    for name, claim in _claims(world, pod):
        problem = _problem(world, pod, name, claim)
        if problem is not None:
            return (problem,)
    return ()


def _problem(world: World, pod: Pod, name: str, claim: PersistentVolumeClaim | None) -> VolumeClaimUnusable | None:
    full = f"{pod.metadata.namespace}/{name}"
    if claim is None:
        gone = f'persistentvolumeclaims "{name}" not found'
        unreadable = VolumeClaimUnusable(problem=VolumeProblem.CLAIM_UNREADABLE, claim=name, detail=gone)
        return None if unread(world, CLAIMS) else unreadable
    if claim.metadata.deletion_timestamp is not None:
        return VolumeClaimUnusable(problem=VolumeProblem.CLAIM_DELETING, claim=full)
    if claim.status.phase == "Lost":
        return VolumeClaimUnusable(problem=VolumeProblem.CLAIM_LOST, claim=full, volume=claim.spec.volume_name)
    if claim.spec.volume_name:
        return _bound_problem(world, full, claim)
    return _unbound_problem(world, full, claim)


def _bound_problem(world: World, full: str, claim: PersistentVolumeClaim) -> VolumeClaimUnusable | None:
    volume_name, storage_class = claim.spec.volume_name, claim.spec.storage_class_name or ""
    volume = _volume(world, volume_name)
    detail = ""
    if volume is None and not unread(world, VOLUMES):
        detail = f'persistentvolumes "{volume_name}" not found'
    elif volume is not None and volume.metadata.deletion_timestamp is not None:
        detail = "persistentvolume is being deleted"
    if detail:
        return VolumeClaimUnusable(
            problem=VolumeProblem.VOLUME_INVALID,
            claim=full,
            volume=volume_name,
            storage_class=storage_class,
            detail=detail,
        )
    if _BIND_COMPLETED not in claim.metadata.annotations:
        name = claim.metadata.name
        return VolumeClaimUnusable(
            problem=VolumeProblem.NOT_BIND_COMPLETED, claim=name, volume=volume_name, detail=_BIND_COMPLETED
        )
    return None


def _unbound_problem(world: World, full: str, claim: PersistentVolumeClaim) -> VolumeClaimUnusable | None:
    name = claim.spec.storage_class_name or ""
    if not name:
        return VolumeClaimUnusable(problem=VolumeProblem.NO_STORAGE_CLASS, claim=full)
    found = next((s for s in world.storage_classes if s.metadata.name == name), None)
    if found is None:
        if unread(world, STORAGE_CLASSES):
            return None
        gone = f'storageclasses.storage.k8s.io "{name}" not found'
        return VolumeClaimUnusable(
            problem=VolumeProblem.STORAGE_CLASS_INVALID, claim=full, storage_class=name, detail=gone
        )
    if found.volume_binding_mode == "Immediate":
        return VolumeClaimUnusable(problem=VolumeProblem.IMMEDIATE_UNBOUND, claim=full, storage_class=name)
    return None
