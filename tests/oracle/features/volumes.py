"""Features of persistent volumes: where they are, and what is wrong with them."""

from __future__ import annotations

from tests.oracle.catalogue import ZONE
from tests.oracle.drafts import NOW, CaseDraft, Draw, Json, NodeDraft, PodDraft, expression
from tests.oracle.features.cluster import ROOMS
from tests.oracle.instance_type_drafts import ZONES

EBS = "ebs.csi.aws.com"
EBS_ZONE = "topology.ebs.csi.aws.com/zone"


def _mount(pod: PodDraft, claim: str) -> None:
    if all(volume["name"] != claim for volume in pod.volumes):
        pod.volumes.append({"name": claim, "persistentVolumeClaim": {"claimName": claim}})


def _claim(name: str, *, volume: str = "", storage_class: str | None = "gp3", bound: bool = True) -> Json:
    metadata: Json = {"name": name, "namespace": "default"}
    if bound and volume:
        metadata["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    spec: Json = {"volumeName": volume, "storageClassName": storage_class}
    status = {"phase": "Bound" if volume and bound else "Pending"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": status}


def _volume(name: str, *terms: list[Json], local: bool = False) -> Json:
    spec: Json = {"csi": {"driver": EBS, "volumeHandle": f"vol-{name}"}}
    if local:
        spec = {"local": {"path": "/mnt"}}
    if terms:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _storage_class(name: str, mode: str, *topologies: list[str], key: str = EBS_ZONE) -> Json:
    out: Json = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": EBS,
        "volumeBindingMode": mode,
    }
    if topologies:
        out["allowedTopologies"] = [{"matchLabelExpressions": [{"key": key, "values": zones}]} for zones in topologies]
    return out


def zonal_volumes(draw: Draw, case: CaseDraft) -> None:
    """Volumes bound in a zone, or to be made where the StorageClass allows, against the pod's own zone."""
    for index in range(draw.number(1, 2)):
        name = f"data-{index}"
        _mount(case.pod, name)
        way = draw.number(0, 4)
        if way <= 1:
            key = draw.one((ZONE, EBS_ZONE))
            terms = [[expression(key, "In", zone)] for zone in draw.some(ZONES, 1, 1 if way == 0 else 2)]
            case.volumes.append(_volume(f"pv-{index}", *terms))
            case.claims.append(_claim(name, volume=f"pv-{index}"))
        elif way == 2:
            host = [expression("kubernetes.io/hostname", "In", "lost-host")]
            case.volumes.append(_volume(f"pv-{index}", host, local=draw.chance(0.7)))
            case.claims.append(_claim(name, volume=f"pv-{index}"))
        else:
            zones = [draw.some((*ZONES, "us-east-1f"), 1, 2) for _ in range(draw.number(1, 2))]
            key = draw.one((ZONE, EBS_ZONE))
            topologies = zones if way == 3 else []
            case.storage_classes.append(_storage_class(f"class-{index}", "WaitForFirstConsumer", *topologies, key=key))
            case.claims.append(_claim(name, storage_class=f"class-{index}"))
    if draw.chance(0.6):
        case.pod.require(expression(ZONE, draw.one(("In", "In", "NotIn")), *draw.some(ZONES, 1, 2)))
    if draw.chance(0.3):
        case.pool.requirements.append(expression(ZONE, "In", *draw.some(ZONES, 1, 2)))
    if draw.chance(0.3):
        case.add_node(NodeDraft(name="node-0", zone=draw.one(ZONES), pool=case.pool.name, room=dict(ROOMS[2])))


def broken_volumes(draw: Draw, case: CaseDraft) -> None:
    """Claims that Karpenter cannot read, so that it ignores the pod."""
    claim = _claim("data", volume="pv", bound=draw.chance(0.8))
    match draw.number(0, 8):
        case 0:
            claim = {}
        case 1:
            claim["status"] = {"phase": "Lost"}
        case 2:
            claim["metadata"] = {
                "name": "data",
                "namespace": "default",
                "deletionTimestamp": NOW,
                "finalizers": ["kubernetes.io/pvc-protection"],
            }
        case 3:
            claim = _claim("data", storage_class=draw.one(("", None, "missing")))
        case 4:
            case.storage_classes.append(_storage_class("gp3", draw.one(("Immediate", "WaitForFirstConsumer"))))
            claim = _claim("data")
        case 5:
            claim = _claim("data", volume="missing")
        case _:
            pass
    if claim:
        case.claims.append(claim)
    case.volumes.append(_volume("pv", [expression(ZONE, "In", draw.one(ZONES))]))
    if draw.chance(0.8):
        _mount(case.pod, "data")
    else:
        claim_template = {"spec": {"accessModes": ["ReadWriteOnce"]}}
        case.pod.volumes.append({"name": "scratch", "ephemeral": {"volumeClaimTemplate": claim_template}})


def volume_limits(draw: Draw, case: CaseDraft) -> None:
    """A node with room, but perhaps not for one more volume; attach limits never count for a new node."""
    node = case.add_node(NodeDraft(name="node-0", pool=case.pool.name, room=dict(ROOMS[2])))
    driver = {"name": EBS, "nodeID": node.name, "allocatable": {"count": draw.number(0, 2)}}
    case.csi_nodes.append(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": {"name": node.name},
            "spec": {"drivers": [driver]},
        }
    )
    bound = case.bind(PodDraft(name="bound", requests={"cpu": "1"}), node)
    case.storage_classes.append(_storage_class("gp3", "WaitForFirstConsumer"))
    for pod, name in ((bound, "bound-data"), (case.pod, draw.one(("data", "bound-data")))):
        _mount(pod, name)
        case.claims.append(_claim(name))
