"""The table of Karpenter's sentences about pods that it leaves out of scheduling: `ignoring pod`.

Paths are below pkg/controllers/provisioning/ of sigs.k8s.io/karpenter unless they begin with pkg/. From v1.7 volume claims
are printed as namespace/name, before as name.
"""

from typing import Final

from bot.karpenter.findings import InvalidRequirement as _Invalid
from bot.karpenter.findings import (
    MatchFieldsUnsupported,
    OptedOut,
    RequirementProblem,
    RestrictedLabel,
    UnknownValues,
    VolumeClaimUnusable,
    VolumeProblem,
)
from bot.karpenter.wording import EVERY, FIRST, Span, Wording, between, since, wording

_VALIDATION: Final = "pkg/apis/v1/nodeclaim_validation.go (before v1.0 pkg/apis/v1beta1) ValidateRequirement"
_RESTRICTED: Final = "pkg/apis/v1/labels.go (before v1.0 pkg/apis/v1beta1) IsRestrictedLabel"
_OPTED_OUT: Final = "provisioner.go validateKarpenterManagedLabelCanExist"
_VOLUMES: Final = "scheduling/volumetopology.go ValidatePersistentVolumeClaims, pkg/utils/volume/volume.go"
_QUOTED: Final = between((0, 34), (1, 5))
_V15: Final = between((1, 5), (1, 7))

_REQUIREMENTS: Final[tuple[tuple[RequirementProblem, str, tuple[Span, ...]], ...]] = (
    (
        RequirementProblem.UNSUPPORTED_OPERATOR,
        "key {key} has an unsupported operator {operator} not in {detail:rest}",
        EVERY,
    ),
    (RequirementProblem.NOT_QUALIFIED, "key {key:text} is not a qualified name, {detail:rest}", EVERY),
    (RequirementProblem.INVALID_VALUE, "invalid value {value:text} for key {key}, {detail:rest}", EVERY),
    (RequirementProblem.VALUE_MISSING, "key {key} with operator {operator} must have a value defined", EVERY),
    (
        RequirementProblem.TOO_FEW_VALUES,
        "key {key} with operator {operator} must have at least minimum number of values defined in 'values' field",
        since(0, 35),
    ),
    (
        RequirementProblem.NOT_AN_INTEGER,
        "key {key} with operator {operator} must have a single positive integer value",
        EVERY,
    ),
)

_CLAIMS: Final[tuple[tuple[VolumeProblem, str, tuple[Span, ...]], ...]] = (
    (
        VolumeProblem.CLAIM_UNREADABLE,
        "getting persistent volume claim, {detail:text} (PersistentVolumeClaim={claim})",
        since(1, 5),
    ),
    (
        VolumeProblem.CLAIM_UNREADABLE,
        "getting persistent volume claim {claim:quoted}, {detail:rest}",
        between(FIRST, (1, 5)),
    ),
    (
        VolumeProblem.CLAIM_DELETING,
        "persistentvolumeclaim is being deleted (PersistentVolumeClaim={claim})",
        since(1, 7),
    ),
    (
        VolumeProblem.CLAIM_LOST,
        "persistentvolumeclaim bound to non-existent persistentvolume "
        "(PersistentVolume={volume:maybe}, PersistentVolumeClaim={claim})",
        since(1, 7),
    ),
    (
        VolumeProblem.VOLUME_INVALID,
        "failed to validate pvc, {detail:text} "
        "(PersistentVolume={volume}, PersistentVolumeClaim={claim}, StorageClass={storage_class:maybe})",
        since(1, 7),
    ),
    (
        VolumeProblem.VOLUME_INVALID,
        "failed to validate pvc, {detail:text} (PersistentVolume={volume}, PersistentVolumeClaim={claim})",
        _V15,
    ),
    (
        VolumeProblem.VOLUME_INVALID,
        "failed to validate pvc {claim:quoted} with volume {volume:quoted}, {detail:rest}",
        _QUOTED,
    ),
    (
        VolumeProblem.NOT_BIND_COMPLETED,
        "pvc is considered unbound because it does not contain annotation "
        "(PersistentVolume={volume}, PersistentVolumeClaim={claim}, annotation={detail})",
        since(1, 7),
    ),
    (
        VolumeProblem.NO_STORAGE_CLASS,
        "unbound pvc must define a storage class (PersistentVolumeClaim={claim}, StorageClass=)",
        since(1, 7),
    ),
    (VolumeProblem.NO_STORAGE_CLASS, "unbound pvc must define a storage class (PersistentVolumeClaim={claim})", _V15),
    (VolumeProblem.NO_STORAGE_CLASS, "unbound pvc {claim} must define a storage class", _QUOTED),
    (
        VolumeProblem.STORAGE_CLASS_INVALID,
        "failed to validate pvc, failed to get storage class, {detail:text} "
        "(PersistentVolumeClaim={claim}, StorageClass={storage_class})",
        since(1, 7),
    ),
    (
        VolumeProblem.STORAGE_CLASS_INVALID,
        "failed to validate storage class, {detail:text} (PersistentVolumeClaim={claim}, StorageClass={storage_class})",
        _V15,
    ),
    (
        VolumeProblem.STORAGE_CLASS_INVALID,
        "failed to validate pvc {claim:quoted} with storage class {storage_class:quoted}, {detail:rest}",
        _QUOTED,
    ),
    (
        VolumeProblem.IMMEDIATE_UNBOUND,
        "failed to validate pvc, pvc with immediate volume binding mode must be bound "
        "(PersistentVolumeClaim={claim}, StorageClass={storage_class})",
        since(1, 7),
    ),
    (
        VolumeProblem.TOPOLOGY_KEY_UNSUPPORTED,
        "failed to validate pvc, storage class uses unsupported topology key "
        "(PersistentVolumeClaim={claim}, StorageClass={storage_class}, TopologyKey={detail})",
        since(1, 10),
    ),
    (
        VolumeProblem.PROVISIONER_UNSUPPORTED,
        "failed to validate pvc, provisioner is not supported "
        "(PersistentVolumeClaim={claim}, Provisioner={detail}, StorageClass={storage_class:maybe})",
        since(1, 7),
    ),
    (  # after the rows that say more: this one's hole would swallow theirs
        VolumeProblem.DRIVER_UNRESOLVED,
        "failed to validate pvc, {detail:text} (PersistentVolumeClaim={claim}, StorageClass={storage_class:maybe})",
        since(1, 7),
    ),
)

POD_WORDINGS: Final[tuple[Wording, ...]] = (
    wording(
        OptedOut,
        "configured to not run on a Karpenter provisioned node (requirement=karpenter.sh/nodepool DoesNotExist)",
        _OPTED_OUT,
        since(1, 5),
    ),
    wording(
        OptedOut,
        "configured to not run on a Karpenter provisioned node via the karpenter.sh/nodepool DoesNotExist requirement",
        _OPTED_OUT,
        between((0, 33), (1, 5)),
    ),
    wording(
        OptedOut,
        "configured to not run on a Karpenter provisioned node via karpenter.sh/provisioner-name DoesNotExist and "
        "karpenter.sh/nodepool DoesNotExist requirements",
        _OPTED_OUT,
        between(FIRST, (0, 33)),
    ),
    wording(
        MatchFieldsUnsupported,
        "node selector term with matchFields is not supported",
        "provisioner.go validateNodeSelectorTerm",
        EVERY,
    ),
    wording(
        RestrictedLabel,
        "using label {key} is not allowed as it might interfere with the internal provisioning logic; specify a well "
        "known label: {well_known:words}, or a custom label that does not use a restricted domain: {domains:words}",
        _RESTRICTED,
        since(1, 9),
    ),
    wording(
        RestrictedLabel,
        "label is restricted; specify a well known label or a custom label that does not use a restricted domain "
        "(label={key}, restricted-labels={domains:words}, well-known-labels={well_known:words})",
        _RESTRICTED,
        between((1, 5), (1, 9)),
    ),
    wording(
        RestrictedLabel,
        "label {key} is restricted; specify a well known label: {well_known:words}, or a custom label that does not "
        "use a restricted domain: {domains:words}",
        _RESTRICTED,
        between(FIRST, (1, 5)),
    ),
    wording(
        UnknownValues,
        "no valid values found in {values:words} for {key}, expected one of: {expected:goset}, got: {again:words}",
        "pkg/apis/v1/nodeclaim_validation.go validateWellKnownValues",
        since(1, 5),
    ),
    *(wording(_Invalid, text, _VALIDATION, spans, problem=problem) for problem, text, spans in _REQUIREMENTS),
    *(wording(VolumeClaimUnusable, text, _VOLUMES, spans, problem=problem) for problem, text, spans in _CLAIMS),
)
"""Sentences of pod validation."""
