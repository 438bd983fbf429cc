"""Karpenter's tables of labels: which are well-known, which are restricted, which are old names of others.

Sources (v1.14): karpenter pkg/apis/v1/labels.go and karpenter-provider-aws pkg/apis/v1/labels.go.
"""

from typing import Final

NODEPOOL: Final = "karpenter.sh/nodepool"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
REGISTERED: Final = "karpenter.sh/registered"
INITIALIZED: Final = "karpenter.sh/initialized"
DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"
ZONE: Final = "topology.kubernetes.io/zone"
ZONE_ID: Final = "topology.k8s.aws/zone-id"
REGION: Final = "topology.kubernetes.io/region"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
ARCH: Final = "kubernetes.io/arch"
OS: Final = "kubernetes.io/os"
WINDOWS_BUILD: Final = "node.kubernetes.io/windows-build"
HOSTNAME: Final = "kubernetes.io/hostname"
AWS_DOMAIN: Final = "karpenter.k8s.aws"
CORE_DOMAIN: Final = "karpenter.sh"
RESERVATION_ID: Final = "karpenter.k8s.aws/capacity-reservation-id"
RESERVATION_TYPE: Final = "karpenter.k8s.aws/capacity-reservation-type"
RESERVATION_INTERRUPTIBLE: Final = "karpenter.k8s.aws/capacity-reservation-interruptible"
NODECLASS: Final = "karpenter.k8s.aws/ec2nodeclass"

SPOT: Final = "spot"
ON_DEMAND: Final = "on-demand"
RESERVED: Final = "reserved"
CAPACITY_TYPES: Final = (ON_DEMAND, SPOT, RESERVED)

GPU_RESOURCES: Final = ("nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi")
NEURON_RESOURCES: Final = ("aws.amazon.com/neuron", "aws.amazon.com/neuroncore")
EFA: Final = "vpc.amazonaws.com/efa"

CORE_WELL_KNOWN: Final = frozenset({NODEPOOL, CAPACITY_TYPE, ZONE, REGION, INSTANCE_TYPE, ARCH, OS, WINDOWS_BUILD})
INSTANCE_LABELS: Final = frozenset(
    f"{AWS_DOMAIN}/{name}"
    for name in (
        "instance-accelerator-count",
        "instance-accelerator-manufacturer",
        "instance-accelerator-name",
        "instance-capability-flex",
        "instance-category",
        "instance-cpu",
        "instance-cpu-manufacturer",
        "instance-cpu-sustained-clock-speed-mhz",
        "instance-ebs-bandwidth",
        "instance-encryption-in-transit-supported",
        "instance-family",
        "instance-generation",
        "instance-gpu-count",
        "instance-gpu-manufacturer",
        "instance-gpu-memory",
        "instance-gpu-name",
        "instance-hypervisor",
        "instance-local-nvme",
        "instance-memory",
        "instance-network-bandwidth",
        "instance-size",
        "instance-tenancy",
    )
)
AWS_WELL_KNOWN: Final = INSTANCE_LABELS | {
    ZONE_ID,
    RESERVATION_ID,
    RESERVATION_TYPE,
    RESERVATION_INTERRUPTIBLE,
    f"{AWS_DOMAIN}/placement-group-id",
    f"{AWS_DOMAIN}/placement-group-partition",
}
WELL_KNOWN: Final = CORE_WELL_KNOWN | AWS_WELL_KNOWN

AUTO_MODE_DOMAIN: Final = "eks.amazonaws.com"
AUTO_MODE_LABELS: Final = frozenset(f"{AUTO_MODE_DOMAIN}/{name.partition('/')[2]}" for name in INSTANCE_LABELS)
AUTO_MODE_WELL_KNOWN: Final = CORE_WELL_KNOWN | AUTO_MODE_LABELS | {ZONE_ID}
"""EKS Auto Mode names its instance labels `eks.amazonaws.com/instance-...` (its documentation; the source is closed)."""

RESTRICTED_DOMAINS: Final = (AWS_DOMAIN, CORE_DOMAIN)
RESTRICTED_LABELS: Final = frozenset({HOSTNAME})

NORMALISED: Final = {
    "failure-domain.beta.kubernetes.io/zone": ZONE,
    "failure-domain.beta.kubernetes.io/region": REGION,
    "beta.kubernetes.io/arch": ARCH,
    "beta.kubernetes.io/os": OS,
    "beta.kubernetes.io/instance-type": INSTANCE_TYPE,
    "topology.ebs.csi.aws.com/zone": ZONE,
}


def normalised(key: str) -> str:
    """The label that Karpenter reads when it meets `key`: old names become new ones, others stay."""
    return NORMALISED.get(key, key)


def is_restricted(key: str) -> bool:
    """Whether a pod that asks for this label is ignored by Karpenter (labels.go, IsRestrictedLabel, v1.9 and newer)."""
    if key in WELL_KNOWN:
        return False
    domain = key.rsplit("/", 1)[0] if "/" in key else ""
    return key in RESTRICTED_LABELS or any(domain == d or domain.endswith(f".{d}") for d in RESTRICTED_DOMAINS)
