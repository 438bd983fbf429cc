"""Karpenter's own pods: which version runs, with which options, for which cluster. Parsing only, no I/O."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from bot.model.gaps import gap_in
from bot.model.objects import Object, ObjectMeta
from bot.model.world import Missing, Settings

SELECTOR: Final = "app.kubernetes.io/name=karpenter"
"""How the chart labels its pods (charts/karpenter/templates/_helpers.tpl)."""
_VERSION_LABEL: Final = "app.kubernetes.io/version"
_CONTAINER: Final = "controller"
_VERSION: Final = re.compile(r"v?(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?(?:-[0-9A-Za-z.-]+)?)", re.ASCII)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # Go's strconv.ParseBool
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})

OPTIONS: Final = (
    "PREFERENCE_POLICY",
    "MIN_VALUES_POLICY",
    "IGNORE_DRA_REQUESTS",
    "FEATURE_GATES",
    "VM_MEMORY_OVERHEAD_PERCENT",
    "RESERVED_ENIS",
    "SCHEDULER_CONFIG",
    "CLUSTER_NAME",
    "AWS_REGION",
)
"""The only environment variables that are looked at. Flags of the same name win: `--reserved-enis`.

Sources (v1.15): karpenter pkg/operator/options/options.go, karpenter-provider-aws pkg/operator/options/options.go.
"""


class EnvVar(Object, frozen=True):
    name: str = ""
    value: str = ""
    value_from: dict[str, Any] | None = None


class ControllerContainer(Object, frozen=True):
    name: str = ""
    image: str = ""
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()


class ControllerSpec(Object, frozen=True):
    containers: tuple[ControllerContainer, ...] = ()


class ControllerStatus(Object, frozen=True):
    phase: str = ""


class ControllerPod(Object, frozen=True):
    """One of Karpenter's pods, as far as it says how it was set up."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ControllerSpec = ControllerSpec()
    status: ControllerStatus = ControllerStatus()

    @property
    def container(self) -> ControllerContainer:
        """The controller, beside whatever sidecars are there."""
        containers = self.spec.containers
        first = containers[0] if containers else ControllerContainer()
        return next((c for c in containers if c.name == _CONTAINER), first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """What Karpenter's pods tell about it. Empty texts are unknown."""

    version: str = ""
    settings: Settings = field(default_factory=Settings)
    cluster: str = ""
    region: str = ""
    missing: tuple[Missing, ...] = ()


def parse_controller(pods: Iterable[ControllerPod]) -> Controller:
    """Reads the newest of Karpenter's pods: in a rolling update, the one that stays."""
    newest = max(pods, key=lambda p: str(p.metadata.creation_timestamp or ""), default=None)
    if newest is None:
        return Controller()
    version = parse_image_version(newest.container.image) or _version_in(newest.metadata.labels.get(_VERSION_LABEL, ""))
    options = {**_from_env(newest.container), **_from_flags(newest.container)}
    return Controller(
        version=version,
        settings=parse_settings(options, version),
        cluster=options.get("CLUSTER_NAME", ""),
        region=options.get("AWS_REGION", ""),
        missing=_gaps(newest.container, options),
    )


def parse_image_version(image: str) -> str:
    """`1.8.2` of `public.ecr.aws/karpenter/controller:1.8.2@sha256:...`; "" when the tag is no version."""
    tagged = image.partition("@")[0].rpartition("/")[2]
    return _version_in(tagged.partition(":")[2])


def _version_in(text: str) -> str:
    match = _VERSION.fullmatch(text)
    return match[1] if match else ""


def _from_env(container: ControllerContainer) -> dict[str, str]:
    return {e.name: e.value for e in container.env if e.name in OPTIONS and e.value_from is None and e.value}


def _from_flags(container: ControllerContainer) -> dict[str, str]:
    """`--name=value` and `--name value`."""
    found: dict[str, str] = {}
    for arg, following in pairwise((*container.args, "")):
        flag, equals, value = arg.lstrip("-").partition("=")
        name = flag.upper().replace("-", "_")
        if arg.startswith("-") and name in OPTIONS:
            found[name] = value if equals else following
    return found


def parse_settings(options: Mapping[str, str], version: str = "") -> Settings:
    """Karpenter's options from its environment; a value that Karpenter would not accept counts as not set."""
    default = Settings()
    gates = dict(_gates(options.get("FEATURE_GATES", "")))
    preference = options.get("PREFERENCE_POLICY", "")
    min_values = options.get("MIN_VALUES_POLICY", "")
    return Settings(
        preference_policy=preference if preference in ("Respect", "Ignore") else default.preference_policy,
        min_values_policy=min_values if min_values in ("Strict", "BestEffort") else default.min_values_policy,
        vm_memory_overhead_percent=_number(options, "VM_MEMORY_OVERHEAD_PERCENT", default.vm_memory_overhead_percent),
        reserved_enis=int(_number(options, "RESERVED_ENIS", default.reserved_enis)),
        ignore_dra_requests=_boolean(options.get("IGNORE_DRA_REQUESTS", ""), default=default.ignore_dra_requests),
        reserved_capacity=gates.get("ReservedCapacity", _reserved_by_default(version)),
        feature_gates=tuple(sorted(name for name, on in gates.items() if on)),
    )


def _gates(text: str) -> Iterable[tuple[str, bool]]:
    for pair in text.split(","):
        name, _, value = pair.strip().partition("=")
        if value in _TRUE | _FALSE:
            yield name, value in _TRUE


def _reserved_by_default(version: str) -> bool:
    """ReservedCapacity is on by default from v1.6 (karpenter pkg/operator/options/options.go, DefaultFeatureGates)."""
    parts = version.split(".")
    return not version or (int(parts[0]), int(parts[1])) >= (1, 6)


def _boolean(text: str, *, default: bool) -> bool:
    return text in _TRUE if text in _TRUE | _FALSE else default


def _number(options: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(options[name])
    except (KeyError, ValueError):
        return default


def _gaps(container: ControllerContainer, options: Mapping[str, str]) -> tuple[Missing, ...]:
    elsewhere = [e.name for e in container.env if e.name in OPTIONS and e.value_from is not None]
    gaps = [gap_in(name, "elsewhere", part="setting") for name in elsewhere]
    if options.get("SCHEDULER_CONFIG"):
        gaps.append(gap_in("SCHEDULER_CONFIG", "not-simulated", part="setting"))
    return tuple(gaps)
