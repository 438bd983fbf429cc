"""A snapshot folder -> World: manifests, Karpenter's log lines and EC2's answers, as kubectl and the AWS CLI print them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bot.karpenter.metrics import unavailable_offerings
from bot.model.ec2 import (
    AvailabilityZone,
    CapacityBlockOffering,
    CapacityReservation,
    Ec2Facts,
    InstanceTypeInfo,
    InstanceTypeOffering,
    PlacementScore,
    QuotaUsage,
    Row,
    ServiceQuota,
    SpotPrice,
    Subnet,
    decode_rows,
)
from bot.model.gaps import gap_in
from bot.model.objects import MalformedObjectError, ObjectMeta
from bot.model.world import Missing, World
from bot.sources.controller import parse_controller
from bot.sources.documents import parse_json, read_documents, read_text
from bot.sources.errors import SnapshotError
from bot.sources.logs import LONGEST_LINE
from bot.sources.manifests import Sorted
from bot.sources.owners import owners_among
from bot.sources.prices import parse_prices
from bot.sources.regions import region_of

META: Final = "meta.yaml"
EC2: Final = "ec2"
ABSENT: Final = "not in the snapshot"


@dataclass(frozen=True, slots=True)
class Ec2File:
    """One of the AWS CLI's answers: where it lies, its top-level key, the fact it holds, the type of its rows."""

    name: str
    key: str
    fact: str
    what: str
    kind: type[Row] | None = None
    extra: bool = False
    """Whether its absence is no gap: what only some answers look at."""


EC2_FILES: Final = (
    Ec2File("describe-instance-types", "InstanceTypes", "instance_types", "EC2 instance types", InstanceTypeInfo),
    Ec2File(
        "describe-instance-type-offerings",
        "InstanceTypeOfferings",
        "offerings",
        "which zones offer which instance types",
        InstanceTypeOffering,
    ),
    Ec2File("describe-spot-price-history", "SpotPriceHistory", "spot_prices", "spot prices", SpotPrice),
    Ec2File("get-products", "PriceList", "on_demand_prices", "on-demand prices"),
    Ec2File("describe-subnets", "Subnets", "subnets", "subnets", Subnet),
    Ec2File(
        "describe-capacity-reservations",
        "CapacityReservations",
        "capacity_reservations",
        "capacity reservations",
        CapacityReservation,
    ),
    Ec2File("service-quotas", "Quotas", "quotas", "vCPU quotas", ServiceQuota),
    Ec2File("get-metric-data", "MetricDataResults", "quota_usage", "use of vCPU quotas", QuotaUsage, extra=True),
    Ec2File("describe-availability-zones", "AvailabilityZones", "zones", "zones", AvailabilityZone, extra=True),
    Ec2File(
        "get-spot-placement-scores",
        "SpotPlacementScores",
        "placement_scores",
        "spot placement scores",
        PlacementScore,
        extra=True,
    ),
    Ec2File(
        "describe-capacity-block-offerings",
        "CapacityBlockOfferings",
        "capacity_blocks",
        "Capacity Blocks for sale",
        CapacityBlockOffering,
        extra=True,
    ),
)
KUBERNETES_FILES: Final = {
    "node_pools": "nodepools.karpenter.sh",
    "node_classes": "ec2nodeclasses.karpenter.k8s.aws",
    "node_claims": "nodeclaims.karpenter.sh",
    "nodes": "nodes",
    "daemon_sets": "daemonsets.apps",
    "events": "events",
}
"""Fields of World that every answer rests on -> their resource. A file named after it counts, though it be empty."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_META_KEYS: Final = ("region", "clusterName", "karpenterVersion", "now", "placementsKnown")
"""`placementsKnown`: whether the folder holds every pod that runs on its nodes; what a recording says of itself."""
_HEAD: Final = 600
"""How far into a log line its own time is looked for."""


def read_snapshot(folder: Path, now: datetime) -> World:
    """Everything in the folder. Where it does not say when it was taken, that is the newest time in it, else `now`.

    Raises SnapshotError naming the file, and line or object and field.
    """
    if not folder.is_dir():
        raise SnapshotError(f"{folder}: no such folder")
    found = Sorted()
    log: list[str] = []
    stems: set[str] = set()
    for file in _files(folder):
        shown = file.relative_to(folder).as_posix()
        if file.suffix == ".log":
            log.extend(_lines(file, shown))
        elif shown != META:
            stems.add(file.stem)
            _add_manifests(found, file, shown)
    meta = _read_meta(folder)
    ec2, gaps = _read_ec2(folder / EC2, meta.get("region", ""))
    controller = parse_controller(found.controllers)
    fields: dict[str, Any] = {name: found.of(name) for name in found.objects}
    metas: Iterator[ObjectMeta] = (one.metadata for objects in fields.values() for one in objects)
    world = World(
        now=_time(meta) or _newest(found, log) or now,
        cluster=meta.get("clusterName", "") or controller.cluster,
        karpenter_version=meta.get("karpenterVersion", "") or controller.version,
        settings=controller.settings,
        workloads=owners_among(found.workloads, metas),
        others=tuple(found.others),
        karpenter_log=tuple(log),
        ec2=Ec2Facts(**{"region": controller.region} | ec2),
        placements_known=_placements_known(meta, found),
        unavailable_in_metrics=_unavailable(folder),
        missing=(*_absent(found, stems, log), *gaps, *controller.missing),
        **fields,
    )
    return _with_region(world)


def _files(folder: Path) -> Iterator[Path]:
    """The folder's files that count, in a fixed order."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if file.suffix in (".yaml", ".yml", ".json", ".log") and parts[0] != EC2 and not hidden and file.is_file():
            yield file


def _lines(file: Path, shown: str) -> Iterator[str]:
    # not splitlines: a line separator inside a JSON text ends no log line
    lines = (line.rstrip("\r") for line in read_text(file, shown).split("\n"))
    return (line[:LONGEST_LINE] for line in lines if line.strip())


def _add_manifests(found: Sorted, file: Path, shown: str) -> None:
    for document in read_documents(file, shown):
        try:
            found.add(document)
        except MalformedObjectError as error:
            raise SnapshotError(f"{shown}: {error}") from error


def _read_meta(folder: Path) -> dict[str, str]:
    file = folder / META
    if not file.is_file():
        return {}
    for document in read_documents(file, META):
        if not isinstance(document, dict):
            raise SnapshotError(f"{META}: not a mapping of {', '.join(_META_KEYS)}")
        return {key: str(document[key]) for key in _META_KEYS if document.get(key) is not None}
    return {}


def _time(meta: Mapping[str, str]) -> datetime | None:
    text = meta.get("now", "")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SnapshotError(f"{META}: now: `{text}` is not a time like 2025-12-28T06:03:04Z") from error
    if time.tzinfo is None:
        raise SnapshotError(f"{META}: now: `{text}` has no time zone (2025-12-28T06:03:04Z)")
    return time


def _newest(found: Sorted, log: list[str]) -> datetime | None:
    """The newest time that anything in the folder bears: when the folder was filled, or shortly before."""
    times = [event.time for event in found.of("events") if event.time]
    for line in log:
        match = _TIME.search(line, 0, _HEAD)
        with suppress(ValueError):  # the 31st of June
            times.extend([datetime.fromisoformat(match[0])] if match else [])
    for pod in found.of("pods"):
        times.extend(c.last_transition_time for c in pod.status.conditions if c.last_transition_time)
    return max(times, default=None)


def _read_ec2(folder: Path, region: str) -> tuple[dict[str, Any], list[Missing]]:
    facts: dict[str, Any] = {"region": region} if region else {}
    gaps: list[Missing] = []
    for one in EC2_FILES:
        file, shown = folder / f"{one.name}.json", f"{EC2}/{one.name}.json"
        if not file.is_file() and one.extra:
            continue
        if not file.is_file():
            gaps.append(gap_in(one.what, "no-file", file=shown))
            continue
        document = parse_json(read_text(file, shown), shown)
        rows = document.get(one.key) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise SnapshotError(f"{shown}: no list `{one.key}`, as the AWS CLI prints it")
        try:
            facts[one.fact] = decode_rows(rows, one.kind) if one.kind else parse_prices(rows, region)
        except MalformedObjectError as error:
            raise SnapshotError(f"{shown}: {one.key}: {error}") from error
    return facts, gaps


def _unavailable(folder: Path) -> frozenset[tuple[str, str, str]]:
    """What Karpenter's metrics page, kept as `*.prom`, calls unavailable."""
    pages = (read_text(file, file.name) for file in sorted(folder.glob("*.prom")))
    return frozenset(offering for page in pages for offering in unavailable_offerings(page))


def _placements_known(meta: Mapping[str, str], found: Sorted) -> bool:
    """As meta.yaml says; else whether every node runs a pod, of a DaemonSet at least: a bare one shows that pods are absent."""
    if "placementsKnown" in meta:
        return meta["placementsKnown"].lower() == "true"
    occupied = {pod.spec.node_name for pod in found.of("pods")}
    return all(node.metadata.name in occupied for node in found.of("nodes"))


def _absent(found: Sorted, stems: set[str], log: list[str]) -> Iterator[Missing]:
    for field, resource in KUBERNETES_FILES.items():
        named = resource.partition(".")[0] in stems or resource in stems
        if not found.objects.get(field) and field not in found.listed and not named:
            yield gap_in(resource, "absent")
    if not log:
        yield gap_in("Karpenter's log", "absent")


def _with_region(world: World) -> World:
    """The region that the objects tell, where neither meta.yaml nor Karpenter's own pods say it."""
    if world.ec2.region:
        return world
    region = region_of(world)
    facts = {name: getattr(world.ec2, name) for name in world.ec2.__struct_fields__}
    return replace(world, ec2=Ec2Facts(**facts | {"region": region}))
