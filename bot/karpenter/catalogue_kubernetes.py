"""Events that Kubernetes itself writes about pods and nodes on their way: kubelet, node controller, attach controller.

Homes are paths in github.com/kubernetes/kubernetes; the wordings have been the same since v1.24. See catalogue.py for how
to read a row.
"""

from typing import Final

from bot.karpenter.catalogue import K, Row
from bot.karpenter.catalogue_nodes import event

_NODE_LIFECYCLE: Final = "pkg/controller/nodelifecycle, pkg/controller/util/node"
_KUBELET: Final = "pkg/kubelet"
_IMAGES: Final = "pkg/kubelet/images/image_manager.go, pkg/kubelet/kuberuntime"
_VOLUMES: Final = "pkg/controller/volume/attachdetach, pkg/kubelet/volumemanager"

KUBERNETES_EVENTS: Final[tuple[Row, ...]] = (
    event(K.NODE_NOT_READY, "NodeNotReady", "Node {node} status is now: NodeNotReady", _NODE_LIFECYCLE),
    event(K.NODE_NOT_READY, "NodeNotReady", "Node is not ready", _NODE_LIFECYCLE),
    event(K.NODE_READY, "NodeReady", "Node {node} status is now: NodeReady", _KUBELET),
    event(K.NODE_PRESSURE, "NodeHasDiskPressure", "Node {node} status is now: NodeHasDiskPressure", _KUBELET),
    event(K.NODE_PRESSURE, "NodeHasInsufficientMemory", "Node {node} status is now: NodeHasInsufficientMemory", _KUBELET),
    event(K.NODE_PRESSURE, "EvictionThresholdMet", "Attempting to reclaim {resource}", _KUBELET),
    event(K.NODE_REBOOTED, "Rebooted", "Node {node} has been rebooted, boot id: {boot}", _KUBELET),
    event(K.NODE_DELETED, "RemovingNode", "Node {node} event: Removing Node {again} from Controller", _NODE_LIFECYCLE),
    event(K.NODE_REMOVED, "DeletingNode", "Deleting node {node} because it does not exist in the cloud provider",
           "cloud-provider controllers/nodelifecycle"),
    event(K.POD_LOST, "TaintManagerEviction", "Marking for deletion Pod {pod}", "pkg/controller/tainteviction"),
    event(K.POD_LOST, "TaintManagerEviction", "{why:rest}", "pkg/controller/tainteviction"),
    event(K.POD_PREEMPTED, "Preempted", "Preempted by {why:rest}", "pkg/scheduler/framework/preemption"),
    event(K.POD_EVICTED_BY_KUBELET, "Evicted", "The node was low on resource: {why:rest}", "pkg/kubelet/eviction"),
    event(K.POD_EVICTED_BY_KUBELET, "Evicted", "The node had condition: {why:rest}", "pkg/kubelet/eviction"),
    event(K.SANDBOX_FAILED, "FailedCreatePodSandBox", "{why:rest}", _KUBELET),
    event(K.IMAGE_PULLING, "Pulling", "Pulling image {image:quoted}", _IMAGES),
    event(K.IMAGE_FAILED, "Failed", "Failed to pull image {image:quoted}: {why:rest}", _IMAGES),
    event(K.IMAGE_FAILED, "Failed", "Error: ErrImagePull", _IMAGES),
    event(K.IMAGE_FAILED, "Failed", "Error: ImagePullBackOff", _IMAGES),
    event(K.IMAGE_FAILED, "BackOff", "Back-off pulling image {image:quoted}", _IMAGES),
    event(K.IMAGE_FAILED, "BackOff", "Back-off pulling image {image:quoted}: {why:rest}", _IMAGES),
    event(K.VOLUME_FAILED, "FailedAttachVolume", "AttachVolume.Attach failed for volume {volume:quoted} : {why:rest}",
           _VOLUMES),
    event(K.VOLUME_FAILED, "FailedAttachVolume", "Multi-Attach error for volume {volume:quoted} {why:rest}", _VOLUMES),
    event(K.VOLUME_FAILED, "FailedAttachVolume", "{why:rest}", _VOLUMES),
    event(K.VOLUME_FAILED, "FailedMount", "MountVolume.SetUp failed for volume {volume:quoted} : {why:rest}", _VOLUMES),
    event(K.VOLUME_FAILED, "FailedMount", "{why:rest}", _VOLUMES),
    event(K.ADMISSION_REJECTED, "UnexpectedAdmissionError", "{why:rest}", "pkg/kubelet/lifecycle, pkg/kubelet/cm"),
    *(
        event(K.ADMISSION_REJECTED, reason, "{why:rest}", "pkg/kubelet/lifecycle/predicate.go")
        for reason in ("OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfnvidia.com/gpu", "NodeAffinity", "TopologyAffinityError")
    ),
    event(K.PODS_NOT_CREATED, "FailedCreate", "Error creating: {why:rest}", "pkg/controller/controller_utils.go"),
    event(K.PODS_NOT_CREATED, "FailedCreate", "{why:rest}", "pkg/controller/statefulset, pkg/controller/job"),
)  # fmt: skip
"""Most telling sentence first within a reason; a reason that ends with `{why:rest}` is read whatever its words."""
