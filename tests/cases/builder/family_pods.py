"""Families about pods: those that have a node and do not start, those that Karpenter never looks at, and jobs as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.cases.builder.blocked import TYPE, ZONE
from tests.cases.builder.claims import SHAPE, conditions
from tests.cases.builder.daemons import daemon_sets
from tests.cases.builder.moments import (
    ASKED,
    CREATED,
    HOST,
    Moment,
    ago,
    claim_of,
    gpu_node_pool,
    job,
    machine,
    node_of,
    nominated,
    right,
    running,
    waiting,
    worker,
)
from tests.cases.builder.objects import Manifest, meta_of, metadata, owned_by, stamp, uid
from tests.cases.builder.pools import REGION
from tests.cases.builder.words import said

NO_ADDRESS: Final = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
    '"5b1f0c9e7d2a": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
)
NO_CNI: Final = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
    '"5b1f0c9e7d2a": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call: '
    "rpc error: code = Unavailable desc = connection error: dial tcp 127.0.0.1:50051: connect: connection refused"
)
VOLUME: Final = "pvc-5b0c6f3e-8d1a-4c52-9a77-2f4e1d90b6c3"


def _with_node(pod: Manifest, *more: Manifest) -> list[Manifest]:
    """The pod with the node that it is on."""
    box = machine(since=240)
    return [job(), pod, claim_of(box), node_of(box), *more]


def _told(name: str, about: str, events: Sequence[tuple[str, str, str]], cause: str, /, *, free: Mapping[str, int] | None = None,
          **facts: object) -> Moment:  # fmt: skip
    """A pod that has a node since four minutes, and what was said of it: reason, message, who."""
    pod = worker(since=4, on=HOST)
    made = [
        said(pod, ago(3.8 - i / 10), why, text, by=by, again=(6, ago(0.5))) for i, (why, text, by) in enumerate(events)
    ]
    return Moment(name=name, about=about, objects=_with_node(pod, *made), free=dict(free or {}),
                  expect=right("running", cause, not_causes=["not-registered", "node-not-ready"], **facts))  # fmt: skip


def starting() -> Iterator[Moment]:
    """Pods that have a node, or the promise of one."""
    pod = worker(since=1)
    claim = claim_of(machine(since=0.4, registered=False))
    made = conditions({}, "Launched", ago(0.4), "AwaitingReconciliation", "object is awaiting reconciliation")
    yield Moment(
        name="nominated",
        about="Promised a NodeClaim half a minute ago, which is being launched: normal, it needs waiting.",
        objects=[job(), pod, nominated(pod, 0.5), {**claim, "status": {"conditions": made}}],
        expect=right("launching", not_causes=["launch-failed", "not-registered"]),
    )
    yield _told("no-address", "The subnet has addresses, the node takes more pods than it has addresses for.",
                [("FailedCreatePodSandBox", NO_ADDRESS, "kubelet")], "no-pod-address", node=HOST)  # fmt: skip
    yield _told("subnet-full", "The zone's subnet has three addresses left: the network plugin gets no block of them.",
                [("FailedCreatePodSandBox", NO_ADDRESS, "kubelet")], "subnet-out-of-ips",
                free={"subnet-0a1b2c3d4e5f6a70a": 3})  # fmt: skip
    yield _told("no-network-plugin", "The network plugin on the node does not answer.",
                [("FailedCreatePodSandBox", NO_CNI, "kubelet")], "sandbox-failed", node=HOST)  # fmt: skip
    attach = (
        f'AttachVolume.Attach failed for volume "{VOLUME}" : rpc error: code = Internal desc = Could not attach volume '
    )
    yield _told("volume-attach", "EBS does not attach the volume.",
                [("FailedAttachVolume", attach + '"vol-0a1b2c3d4e5f60718" to node "i-0f1e2d3c4b5a69788": attachment of disk '
                  '"vol-0a1b2c3d4e5f60718" failed, expected device to be attached but was attaching',
                  "attachdetach-controller")], "volume-not-attached", volume=VOLUME, shared=False)  # fmt: skip
    yield _told("volume-mount", "The CSI driver of the file system is not on the node.",
                [("FailedMount", f'MountVolume.MountDevice failed for volume "{VOLUME}" : kubernetes.io/csi: '
                  "attacher.MountDevice failed to create newCsiDriverClient: driver name fsx.csi.aws.com not found "
                  "in the list of registered CSI drivers", "kubelet")], "volume-not-attached", shared=False)  # fmt: skip
    turned_away = {
        "message": "Pod was rejected: Node didn't have enough resource: nvidia.com/gpu, requested: 4, used: 4, capacity: 4",
        "phase": "Failed",
        "reason": "OutOfnvidia.com/gpu",
        "startTime": stamp(ago(4)),
    }
    yield Moment(
        name="turned-away",
        about="Two pods were bound to the node's last GPUs; the kubelet turned one away.",
        objects=_with_node({**worker(since=4, on=HOST), "status": turned_away}),
        expect=right("running", "admission-rejected", resource="nvidia.com/gpu", node=HOST),
    )


# -- not Karpenter's job -----------------------------------------------------------------------------------------------


def _alone(name: str, about: str, pod: Manifest, verdict: str, *causes: str, more: Sequence[Manifest] = (),
           ask: str = ASKED, **facts: object) -> Moment:  # fmt: skip
    found = right(verdict, *causes, not_causes=["no-nodepool", "capacity-unavailable"], **facts)
    return Moment(name=name, about=about, ask=ask, objects=[job(), pod, *more], expect=found)


def _claim(name: str, *, storage_class: str | None = None) -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Gi"}}}
    spec |= {"storageClassName": storage_class} if storage_class else {}
    meta = metadata("PersistentVolumeClaim", name, ago(20), namespace="default")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Pending"},
    }


def _bound_claim(name: str, letter: str) -> list[Manifest]:
    """A claim with its volume, which EBS keeps in one zone."""
    claim = _claim(name, storage_class="gp3")
    volume = f"pvc-{uid('volume', name)}"
    zone = {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [f"{REGION}{letter}"]}
    where = {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}
    spec = {**claim["spec"], "volumeName": volume}  # type: ignore[dict-item]
    bound = {"pv.kubernetes.io/bind-completed": "yes"}
    return [
        {**claim, "metadata": {**meta_of(claim), "annotations": bound}, "spec": spec, "status": {"phase": "Bound"}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": metadata("PersistentVolume", volume, ago(40)),
            "spec": {
                "claimRef": {"kind": "PersistentVolumeClaim", "name": name, "namespace": "default"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a1b2c3d4e5f60718"},
                "nodeAffinity": where,
                "storageClassName": "gp3",
            },
            "status": {"phase": "Bound"},
        },
    ]


def _storing(claim: str) -> Manifest:
    return worker(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": claim}}])


def elsewhere() -> Iterator[Moment]:
    """Pods that are not Karpenter's to place, and pods that it leaves out."""
    owner = next(d for d in daemon_sets(CREATED, {}) if "dcgm" in str(d["metadata"]["name"]))  # type: ignore[index]
    meta = owner["metadata"]
    name, space = f"{meta['name']}-8mx2k", str(meta["namespace"])  # type: ignore[index]
    made = metadata("Pod", name, ago(10), namespace=space, more={"ownerReferences": owned_by(owner)})
    daemon = {**worker(), "metadata": made}
    yield _alone("daemonset-pod", "A DaemonSet's pod goes to one node that exists; no node is made for it.", daemon,
                 "not-karpenters-job", "daemonset-pod", ask=f"why {space}/{name}", daemonset=meta["name"])  # type: ignore[index] # fmt: skip
    lost = f"ip-10-0-9-9.{REGION}.compute.internal"
    yield _alone("node-name", "The manifest names a node that does not exist: no scheduler looks at the pod.",
                 worker(on=lost), "not-karpenters-job", "already-bound", node=lost)  # fmt: skip
    yield _alone("other-scheduler", "Volcano schedules the pod.", {**worker(schedulerName="volcano"), "status": {
                 "phase": "Pending"}}, "not-karpenters-job", "other-scheduler", scheduler="volcano")  # fmt: skip
    yield _alone("not-seen", "kube-scheduler has not looked at the pod yet.", {**worker(), "status": {"phase": "Pending"}},
                 "not-karpenters-job", "not-seen-by-scheduler")  # fmt: skip
    pushing = {**worker()}
    pushing["status"] = {**pushing["status"], "nominatedNodeName": HOST}  # type: ignore[dict-item]
    yield _alone("preempting", "The pod waits for others to be pushed off a node.", pushing, "not-karpenters-job")
    yield _alone("claim-missing", "The volume claim does not exist.", _storing("data"), "blocked", "pod-ignored")
    yield _alone("claim-without-class", "The claim is unbound and has no StorageClass.", _storing("data"), "blocked",
                 "pod-ignored", more=[_claim("data")])  # fmt: skip
    gp3: Manifest = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata("StorageClass", "gp3", CREATED),
        "provisioner": "ebs.csi.aws.com",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    yield _alone("claim-waits", "The near miss: an unbound claim that waits for its pod's node is as it should be.",
                 _storing("data"), "launchable", more=[_claim("data", storage_class="gp3"), gp3])  # fmt: skip
    both = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in ("data", "checkpoints")]
    bound = [*_bound_claim("data", "a"), *_bound_claim("checkpoints", "c"), gp3]
    yield _alone("two-volumes-in-two-zones", "Two volumes in two zones: Karpenter says `zone DoesNotExist` of it.",
                 worker(volumes=both), "blocked", "volume-zone-conflict", "volume-zone-conflict", more=bound)  # fmt: skip
    apart = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"}]}]}}}  # fmt: skip
    yield _alone("opted-out", "The pod says that it wants no node of Karpenter's.", worker(affinity=apart), "blocked",
                 "pod-ignored")  # fmt: skip
    box = machine(since=60)
    yield _alone("fits-existing-node", "A node with room is there; the scheduler has to bind the pod.", worker(since=0.2),
                 "fits-existing-node", more=[claim_of(box), node_of(box)])  # fmt: skip


# -- jobs as a whole ---------------------------------------------------------------------------------------------------


def _peer(name: str, host: str, zone: str, suffix: str) -> list[Manifest]:
    """Another worker of the job, running on a node of its own."""
    node_name = f"{host}.{REGION}.compute.internal"
    box = machine(since=90, name=node_name, claim=f"gpu-{suffix}", zone=zone)
    pod = running(worker(name, since=80, on=node_name), ago(79))
    return [pod, claim_of(box), node_of(box)]


def gangs() -> Iterator[Moment]:
    """Pods whose rules are about other pods."""
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "parameter-server"}}, "topologyKey": ZONE}]}}  # fmt: skip
    yield Moment(
        name="affinity-deadlock",
        about="The worker wants to be next to a parameter server, of which there is none.",
        objects=waiting(affinity=near),
        expect=right("blocked", "affinity-deadlock", key=ZONE),
    )
    own = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "train"}}, "topologyKey": ZONE}]}}  # fmt: skip
    yield Moment(
        name="affinity-to-itself",
        about="The near miss: a pod that matches its own affinity may be the first one.",
        objects=waiting(affinity=own),
        expect=right("launchable", not_causes=["affinity-deadlock"]),
    )
    limit = gpu_node_pool(limits={"nvidia.com/gpu": "4"}, used={"nodes": "1", "nvidia.com/gpu": "4"})
    yield Moment(
        name="half-placed",
        about="One worker of two holds its GPUs; the NodePool's limit leaves none for the other.",
        objects=[*waiting(), *_peer("train-1-b7d2m", "ip-10-0-97-5", "a", "v5k2p"), limit],
        expect=right("blocked", "nodepool-limit-exceeded", "gang-partly-placed", placed=1, waiting=1),
    )
    spread = [{"labelSelector": {"matchLabels": {"app": "train"}}, "maxSkew": 1, "topologyKey": ZONE,
               "whenUnsatisfiable": "DoNotSchedule"}]  # fmt: skip
    peers = [
        *_peer("train-1-b7d2m", "ip-10-0-97-5", "a", "v5k2p"),
        *_peer("train-2-k3x9w", "ip-10-0-130-8", "b", "n8c4t"),
    ]
    yield Moment(
        name="spread-over-zones-without-the-type",
        about="Spread over four zones, of which two have the type: the third worker would have to go to one of the others.",
        objects=[*waiting(topologySpreadConstraints=spread), *peers],
        expect=right("blocked", "topology-unsatisfiable", "gang-partly-placed", key=ZONE),
    )
    yield Moment(
        name="spread-in-a-pinned-zone",
        about="The near miss: pinned to one zone, the spread counts that zone alone.",
        objects=[*waiting(topologySpreadConstraints=spread, nodeSelector={TYPE: SHAPE, ZONE: f"{REGION}a"}), *peers],
        expect=right("launchable", not_causes=["topology-unsatisfiable"]),
    )
