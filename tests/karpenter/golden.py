"""Karpenter's own sentences, with own values: finding, first and last release that print it so, the text."""

from typing import Final

from bot.karpenter import (
    AllFilteredOut,
    DomainCounts,
    Finding,
    HostPort,
    HostPortConflict,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    MinValuesUnmet,
    NodeLimitsExhausted,
    Operator,
    OptedOut,
    PrintedRequirement,
    Reason,
    Reserved,
    ReservedOfferings,
    RestrictedLabel,
    TaintNotTolerated,
    TopologyRule,
    TopologyUnsatisfiable,
    Version,
    VolumeClaimUnusable,
    VolumeLimitExceeded,
    VolumeProblem,
    Where,
)

ZONE: Final = PrintedRequirement(key="topology.kubernetes.io/zone", operator=Operator.IN, values=("eu-west-1a",))
OTHER_ZONE: Final = PrintedRequirement(key="topology.kubernetes.io/zone", operator=Operator.IN, values=("eu-west-1b",))
_POOL: Final = PrintedRequirement(key="karpenter.sh/nodepool", operator=Operator.IN, values=("gpu",))
ANY_ZONE: Final = PrintedRequirement(key="topology.kubernetes.io/zone", operator=Operator.EXISTS)
_PORT: Final = HostPort(ip="0.0.0.0", port=9100, protocol="TCP")
_TOO_BIG: Final = InstanceTypeRefusal(
    reason=Reason.RESOURCES, requirements=(_POOL, ZONE), resources={"cpu": "97", "pods": "5"}
)
SPREAD: Final = TopologyUnsatisfiable(
    rule=TopologyRule.SPREAD,
    key="topology.kubernetes.io/zone",
    counts=DomainCounts(named=(("eu-west-1a", 2), ("eu-west-1b", 0))),
    pod_domains=ANY_ZONE,
    node_domains=ZONE,
)

GOLDEN: Final[tuple[tuple[Finding, Version, Version, str], ...]] = (
    # finding, the first and the last release that print it so, the text
    (
        TaintNotTolerated(key="team", value="ml", effect="NoSchedule"),
        (0, 32),
        (1, 4),
        "did not tolerate team=ml:NoSchedule",
    ),
    (
        TaintNotTolerated(key="team", value="ml", effect="NoSchedule"),
        (1, 5),
        (1, 15),
        "did not tolerate taint (taint=team=ml:NoSchedule)",
    ),
    (TaintNotTolerated(key="gpu", value="", effect="NoExecute"), (0, 32), (1, 0, 1), "did not tolerate gpu=:NoExecute"),
    (TaintNotTolerated(key="gpu", value="", effect="NoExecute"), (1, 0, 2), (1, 4), "did not tolerate gpu:NoExecute"),
    (
        TaintNotTolerated(key="gpu", value="", effect="NoExecute"),
        (1, 5),
        (1, 15),
        "did not tolerate taint (taint=gpu:NoExecute)",
    ),
    (
        LimitsExceeded(nodepool="gpu"),
        (0, 32),
        (1, 2),
        'all available instance types exceed limits for nodepool: "gpu"',
    ),
    (LimitsExceeded(nodepool="gpu"), (1, 3), (1, 4), 'all available instance types exceed limits for nodepool "gpu"'),
    (
        LimitsExceeded(nodepool="gpu"),
        (1, 5),
        (1, 15),
        "all available instance types exceed limits for nodepool (NodePool=gpu)",
    ),
    (
        LimitsExceeded(nodepool="gpu", owner="provisioner"),
        (0, 32),
        (0, 32),
        'all available instance types exceed limits for provisioner: "gpu"',
    ),
    (
        NodeLimitsExhausted(nodepool="gpu"),
        (1, 11),
        (1, 15),
        "node limits have been exhausted for nodepool (NodePool=gpu)",
    ),
    (
        _TOO_BIG,
        (0, 32),
        (1, 2),
        'no instance type satisfied resources {"cpu":"97","pods":"5"} and requirements karpenter.sh/nodepool In [gpu], '
        "topology.kubernetes.io/zone In [eu-west-1a] (no instance type has enough resources)",
    ),
    (
        _TOO_BIG,
        (1, 3),
        (1, 15),
        "no instance type has enough resources, requirements=karpenter.sh/nodepool In [gpu], "
        'topology.kubernetes.io/zone In [eu-west-1a], resources={"cpu":"97","pods":"5"}',
    ),
    (
        InstanceTypeRefusal(
            reason=Reason.MIN_VALUES,
            requirements=(_POOL,),
            resources={"cpu": "1"},
            min_values_keys=("node.kubernetes.io/instance-type",),
        ),
        (1, 6),
        (1, 15),
        "minValues requirement is not met for label(s) (label(s)=[node.kubernetes.io/instance-type]), "
        'requirements=karpenter.sh/nodepool In [gpu], resources={"cpu":"1"}',
    ),
    (
        InstanceTypeRefusal(
            reason=Reason.NOTHING,
            requirements=(_POOL,),
            resources={"cpu": "1"},
            resources_max={"cpu": "2", "pods": "3"},
        ),
        (1, 14),
        (1, 15),
        "no instance type met the scheduling requirements or had enough resources or had a required offering, "
        'requirements=karpenter.sh/nodepool In [gpu], resources=min={"cpu":"1"}, max={"cpu":"2","pods":"3"}',
    ),
    (
        IncompatibleRequirements(
            where=Where.POD,
            conflicts=(
                LabelUnknown(key="gpu-type", hint="example.com/gpu-type"),
                KeyConflict(key="topology.kubernetes.io/zone", incoming=ZONE, existing=OTHER_ZONE),
            ),
        ),
        (0, 32),
        (1, 15),
        'incompatible requirements, label "gpu-type" does not have known values (typo of "example.com/gpu-type"?); '
        "key topology.kubernetes.io/zone, topology.kubernetes.io/zone In [eu-west-1a] not in "
        "topology.kubernetes.io/zone In [eu-west-1b]",
    ),
    (
        IncompatibleRequirements(
            where=Where.VOLUME,
            conflicts=(KeyConflict(key="topology.kubernetes.io/zone", incoming=ZONE, existing=OTHER_ZONE),),
        ),
        (0, 32),
        (1, 15),
        "incompatible volume requirements, key topology.kubernetes.io/zone, topology.kubernetes.io/zone In [eu-west-1a] "
        "not in topology.kubernetes.io/zone In [eu-west-1b]",
    ),
    (
        HostPortConflict(asked=_PORT, existing=_PORT),
        (0, 32),
        (1, 4),
        "checking host port usage, IP=0.0.0.0 Port=9100 Proto=TCP conflicts with existing HostPort configuration "
        "IP=0.0.0.0 Port=9100 Proto=TCP",
    ),
    (
        HostPortConflict(asked=_PORT, existing=_PORT),
        (1, 5),
        (1, 15),
        "checking host port usage, pod hostport conflicts with existing hostport configuration "
        "(existing-hostport-ip=0.0.0.0, existing-hostport-port=9100, existing-hostport-protocol=TCP, "
        "pod-hostport-ip=0.0.0.0, pod-hostport-port=9100, pod-hostport-protocol=TCP)",
    ),
    (
        MinValuesUnmet(nodepool="gpu", keys=("karpenter.k8s.aws/instance-family",)),
        (1, 6),
        (1, 15),
        "pod didn’t schedule because NodePool couldn’t meet minValues requirements, validating minValues, minValues "
        "requirement is not met for label(s) (label(s)=[karpenter.k8s.aws/instance-family]) (NodePool=gpu)",
    ),
    (
        MinValuesUnmet(nodepool="gpu", keys=("karpenter.k8s.aws/instance-family",)),
        (0, 37),
        (1, 4),
        'pod didn’t schedule because NodePool "gpu" couldn’t meet minValues requirements, validating minValues, '
        'minValues requirement is not met for "karpenter.k8s.aws/instance-family"',
    ),
    (ReservedOfferings(reserved=Reserved.TAKEN), (1, 3), (1, 15), str(Reserved.TAKEN)),
    (AllFilteredOut(), (1, 7), (1, 15), "nodepool requirements filtered out all available instance types"),
    (
        OptedOut(),
        (1, 5),
        (1, 15),
        "configured to not run on a Karpenter provisioned node (requirement=karpenter.sh/nodepool DoesNotExist)",
    ),
    (
        OptedOut(),
        (0, 33),
        (1, 4),
        "configured to not run on a Karpenter provisioned node via the karpenter.sh/nodepool DoesNotExist requirement",
    ),
    (
        RestrictedLabel(
            key="kubernetes.io/hostname", well_known=("a", "b"), domains=("karpenter.k8s.aws", "karpenter.sh")
        ),
        (1, 9),
        (1, 15),
        "using label kubernetes.io/hostname is not allowed as it might interfere with the internal provisioning logic; "
        "specify a well known label: [a b], or a custom label that does not use a restricted domain: "
        "[karpenter.k8s.aws karpenter.sh]",
    ),
    (
        RestrictedLabel(key="kubernetes.io/hostname", well_known=("a", "b"), domains=("karpenter.sh",)),
        (1, 5),
        (1, 8),
        "label is restricted; specify a well known label or a custom label that does not use a restricted domain "
        "(label=kubernetes.io/hostname, restricted-labels=[karpenter.sh], well-known-labels=[a b])",
    ),
    (
        VolumeClaimUnusable(problem=VolumeProblem.IMMEDIATE_UNBOUND, claim="ml/data", storage_class="gp3"),
        (1, 7),
        (1, 15),
        "failed to validate pvc, pvc with immediate volume binding mode must be bound (PersistentVolumeClaim=ml/data, "
        "StorageClass=gp3)",
    ),
    (
        VolumeClaimUnusable(
            problem=VolumeProblem.VOLUME_INVALID,
            claim="data",
            volume="pv-1",
            detail='persistentvolumes "pv-1" not found',
        ),
        (0, 34),
        (1, 4),
        'failed to validate pvc "data" with volume "pv-1", persistentvolumes "pv-1" not found',
    ),
    (
        VolumeLimitExceeded(provisioner="ebs.csi.aws.com", volumes=28, limit=27),
        (1, 15),
        (1, 15),
        "would exceed volume limit for all instance type options (provisioner=ebs.csi.aws.com, volume-count=28, "
        "volume-limit=27)",
    ),
    (ReservedOfferings(reserved=Reserved.FALLING_THROUGH), (1, 15), (1, 15), str(Reserved.FALLING_THROUGH)),
)
