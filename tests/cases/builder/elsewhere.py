"""The cases where the NodePool itself is in the way: its taints, limits, labels, EC2NodeClass; and a volume's zone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import KEEP, NO_MATCH, STANDARD, TYPE, ZONE, devices
from tests.cases.builder.capacity import Machine
from tests.cases.builder.capacity_cases import DEDICATED
from tests.cases.builder.case import V1_2, V1_8, V1_14, Case, Cluster, Files, expect, merged
from tests.cases.builder.objects import Manifest, later, metadata, moment, stamp
from tests.cases.builder.pools import GPU_TAINT, NO_SUBNETS, REGION, default_pool, gpu_pool, neuron_pool
from tests.cases.builder.system import Release
from tests.cases.builder.training import Training, chain
from tests.cases.builder.words import (
    DEFAULT,
    DEFAULT_DAEMONS,
    ENOUGH,
    GPU_DAEMONS,
    NOT_MET_NOR_ENOUGH,
    Refusal,
    could_not_schedule,
    log_line,
    no_type,
    printed,
    provisioner,
    refusal,
    refused_pods,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A pod that Karpenter refused in the round after it was made; `more` are files, `log_before` lines of that round."""

    name: str
    about: str
    training: Training
    cluster: Cluster
    why: Refusal
    expect: Mapping[str, object]
    scheduler: str = NO_MATCH
    log_before: Sequence[str] = ()
    more: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)

    def case(self) -> Case:
        training, release = self.training, self.cluster.release
        assert release is not None
        mine = chain(training, self.scheduler)
        events = refused_pods(mine["pods"], later(training.created, 3), self.scheduler, self.why)
        return Case(
            name=self.name,
            about=self.about,
            question=training.pod_names[0],
            now=self.cluster.now,
            version=release.tag,
            files=merged(self.cluster.files(), mine, {"events": events}, self.more),
            log=[
                *self.log_before,
                *could_not_schedule(release, later(training.created, 6), training.pod_names, self.why),
            ],
            expect=self.expect,
        )


def taint() -> Case:
    training = Training(
        name="gemma-3-12b",
        devices=devices(4, 1),
        created=moment("2025-12-28T10:02:18Z"),
        suffixes=("m2vxk",),
        selector={TYPE: "g6e.12xlarge"},
        annotations=KEEP,
    )
    pools = (default_pool(), gpu_pool(taints=(GPU_TAINT, DEDICATED)), neuron_pool())
    shown = f"{DEDICATED['key']}={DEDICATED['value']}:{DEDICATED['effect']}"
    why = refusal(
        f"did not tolerate taint (taint={shown})",
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices),
        taint=shown,
    )
    wanted = expect(
        "blocked",
        "gpu",
        ["taint-not-tolerated"],
        remedies=["add-toleration"],
        not_causes=[
            "requirement-conflict",
            "gpu-count-exceeds-instance",
            "efa-count-exceeds-instance",
            "nodepool-not-ready",
        ],
        facts={"taint": shown},
    )
    about = "NodePool gpu is tainted dedicated=llm-training:NoSchedule; the pod tolerates only the GPU's own taint."
    return _Refused(
        name="taint-not-tolerated",
        about=about,
        training=training,
        cluster=Cluster(now=later(training.created, 58), release=V1_8, pools=pools),
        why=why,
        expect=wanted,
    ).case()


def _two_p4d(since: datetime) -> tuple[Machine, ...]:
    return tuple(
        Machine(
            name=f"{host}.{REGION}.compute.internal",
            instance_type="p4d.24xlarge",
            zone="b",
            launched=since,
            pool="gpu",
            claim=claim,
            labels={"nodeType": "nvidia"},
            taints=(GPU_TAINT,),
            requests={**GPU_DAEMONS, "pods": "10", **devices(8, 4)},
        )
        for host, claim in (("ip-10-0-134-52", "gpu-b4m8s"), ("ip-10-0-139-177", "gpu-t6w2c"))
    )


def limit() -> Case:
    since = moment("2025-12-26T22:40:00Z")
    machines = _two_p4d(since)
    running = Training(
        name="llama-3-70b",
        devices=devices(8, 4),
        created=later(since, -30),
        suffixes=("5hzvd", "q8lkf"),
        selector={TYPE: "p4d.24xlarge"},
        annotations=KEEP,
        running_on=tuple(machine.name for machine in machines),
        pods_created=later(since, -28),
    )
    training = Training(
        name="mixtral-8x7b",
        devices=devices(8, 4),
        created=moment("2025-12-28T13:30:25Z"),
        suffixes=("x4n7j",),
        annotations=KEEP,
    )
    used = {
        "cpu": "192",
        "memory": "2352658432Ki",
        "nodes": "2",
        "nvidia.com/gpu": "16",
        "pods": "1474",
        "vpc.amazonaws.com/efa": "8",
    }
    pools = (default_pool(), gpu_pool(limits={"cpu": "192", "nvidia.com/gpu": "16"}, used=used), neuron_pool())
    scheduler = (
        "0/5 nodes are available: 5 Insufficient nvidia.com/gpu, 5 Insufficient vpc.amazonaws.com/efa. "
        "preemption: 0/5 nodes are available: 2 No preemption victims found for incoming pod, "
        "3 Preemption is not helpful for scheduling."
    )
    why = refusal(
        "all available instance types exceed limits for nodepool (NodePool=gpu)",
        no_type(ENOUGH, DEFAULT, {}, training.devices),
        NodePool={"name": "gpu"},
    )
    wanted = expect(
        "blocked",
        "gpu",
        ["nodepool-limit-exceeded"],
        remedies=["raise-limit"],
        not_causes=["gpu-count-exceeds-instance", "capacity-unavailable", "taint-not-tolerated"],
        facts={"limit": {"cpu": "192", "nvidia.com/gpu": "16"}, "used": {"cpu": "192", "nvidia.com/gpu": "16"}},
    )
    cluster = Cluster(now=later(training.created, 66), release=V1_8, pools=pools, machines=machines)
    about = "NodePool gpu may have 192 CPUs and 16 GPUs, and two p4d.24xlarge use them all."
    return _Refused(
        name="nodepool-limit",
        about=about,
        training=training,
        cluster=cluster,
        why=why,
        expect=wanted,
        scheduler=scheduler,
        more=chain(running, ""),
    ).case()


def unknown_label() -> Case:
    training = Training(
        name="whisper-ft",
        devices=devices(4),
        created=moment("2025-02-12T02:48:09Z"),
        suffixes=("c7t5p", "b9wsn"),
        selector={"nodetype": "nvidia"},
    )
    unknown = 'incompatible requirements, label "nodetype" does not have known values'
    why = refusal(
        *(
            f'incompatible with nodepool "{name}", daemonset overhead={printed(overhead)}, {unknown}'
            for name, overhead in (("gpu", GPU_DAEMONS), ("default", DEFAULT_DAEMONS))
        )
    )
    wanted = expect(
        "blocked",
        "gpu",
        ["unknown-label"],
        remedies=["drop-node-selector"],
        not_causes=["requirement-conflict", "gpu-count-exceeds-instance", "taint-not-tolerated"],
        facts={"label": "nodetype", "did_you_mean": "nodeType"},
    )
    about = "Selects the label nodetype; NodePool gpu sets nodeType (Karpenter v1.2's wording)."
    cluster = Cluster(now=later(training.created, 52), release=V1_2, pools=STANDARD)
    return _Refused(
        name="unknown-label-typo", about=about, training=training, cluster=cluster, why=why, expect=wanted
    ).case()


def node_class() -> Case:
    training = Training(
        name="gemma-3-27b",
        devices=devices(4, 1),
        created=moment("2025-12-28T14:10:07Z"),
        suffixes=("f3zqk",),
        selector={TYPE: "g6e.12xlarge"},
        annotations=KEEP,
    )
    why = refusal(no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices))
    at = later(training.created, 6)
    ignored = log_line(
        V1_8,
        later(at, -0.012),
        "ERROR",
        "ignoring nodepool, not ready",
        provisioner(stamp(at), {"NodePool": {"name": "gpu"}}),
    )
    wanted = expect(
        "blocked",
        "gpu",
        ["nodeclass-not-ready"],
        not_causes=["zone-not-offered", "requirement-conflict", "capacity-unavailable", "no-nodepool"],
        facts={"node_class": "gpu", "condition": "SubnetsReady", "reason": "SubnetsNotFound"},
    )
    cluster = Cluster(
        now=later(training.created, 49),
        release=V1_8,
        pools=(default_pool(), gpu_pool(not_ready=NO_SUBNETS)),
        discovery="training-on-eks-v2",
    )
    about = "EC2NodeClass gpu looks for subnets by a tag that none has, so NodePool gpu is left out."
    return _Refused(
        name="nodeclass-not-ready",
        about=about,
        training=training,
        cluster=cluster,
        why=why,
        expect=wanted,
        log_before=[ignored],
    ).case()


VOLUME: Final = "pvc-5b0c6f3e-8d1a-4c52-9a77-2f4e1d90b6c3"


def _volume(created: datetime) -> Manifest:
    in_zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [f"{REGION}c"]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": metadata(
            "PersistentVolume",
            VOLUME,
            created,
            more={"finalizers": ["external-provisioner.volume.kubernetes.io/finalizer", "kubernetes.io/pv-protection"]},
        ),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "2Ti"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": "corpus-tokenized",
                "namespace": "default",
            },
            "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": "vol-0b7d41c9e2a86f503"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [in_zone]}]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    }


def _storage(created: str) -> Files:
    at = moment(created)
    bound = {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
        "volume.kubernetes.io/selected-node": "ip-10-0-171-203.ap-northeast-2.compute.internal",
        "volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com",
    }
    claim: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(
            "PersistentVolumeClaim",
            "corpus-tokenized",
            at,
            namespace="default",
            more={"annotations": bound, "finalizers": ["kubernetes.io/pvc-protection"]},
        ),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Ti"}},
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
            "volumeName": VOLUME,
        },
        "status": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Ti"}, "phase": "Bound"},
    }
    storage_class: Manifest = {
        "allowVolumeExpansion": True,
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata("StorageClass", "gp3", at),
        "parameters": {"type": "gp3"},
        "provisioner": "ebs.csi.aws.com",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    return {
        "persistentvolumeclaims": [claim],
        "persistentvolumes": [_volume(later(at, 4))],
        "storageclasses": [storage_class],
    }


def volume_zone(release: Release = V1_14) -> Case:
    training = Training(
        name="exaone-pretrain",
        devices=devices(4, 1),
        created=moment("2026-08-25T05:20:33Z"),
        suffixes=("t8g4x",),
        selector={TYPE: "g6.12xlarge", ZONE: f"{REGION}a"},
        claims={"corpus": "corpus-tokenized"},
        annotations=KEEP,
    )
    conflict = f"incompatible volume requirements, key {ZONE}, {ZONE} In [{REGION}c] not in {ZONE} In [{REGION}a]"
    wanted = expect(
        "blocked",
        "gpu",
        ["volume-zone-conflict"],
        remedies=["drop-node-selector"],
        not_causes=["zone-not-offered", "requirement-conflict", "capacity-unavailable", "topology-unsatisfiable"],
        facts={"claim": "corpus-tokenized", "volume": VOLUME, "volume_zone": f"{REGION}c", "asked_zone": f"{REGION}a"},
    )
    cluster = Cluster(now=later(training.created, 55), release=release, pools=STANDARD)
    about = "Pins zone 2a, and its bound EBS volume lies in 2c (Karpenter v1.14's wording)."
    why = refusal(conflict, conflict)
    return _Refused(
        name="pv-zone-conflict",
        about=about,
        training=training,
        cluster=cluster,
        why=why,
        expect=wanted,
        more=_storage("2026-08-20T08:00:00Z"),
    ).case()


def cases() -> Iterator[Case]:
    yield from (taint(), limit(), unknown_label(), node_class(), volume_zone())
