"""The questions that are put to AWS: which call, how long its answer holds, how it is narrowed and paged."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import structs

from bot.model.ec2 import (
    AnyRow,
    AvailabilityZone,
    CallerIdentity,
    CapacityBlockOffering,
    CapacityReservation,
    InstanceTypeInfo,
    InstanceTypeOffering,
    PlacementScore,
    QuotaUsage,
    ServiceQuota,
    SpotPrice,
    Subnet,
    decode_rows,
)
from bot.sources.prices import BARE_METAL, FILTERS, SHARED, parse_prices

Names = frozenset[str] | None
"""Instance types or subnet ids; None stands for all."""
Rows = tuple[Any, ...]
Fetch = Callable[[Any], Rows]
"""One paged call with a boto3 client, in a thread."""

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_VALUES_A_FILTER: Final = 100
_FEW_PRODUCTS: Final = 12
"""Up to so many types, prices are asked type by type; beyond, the region's whole list is fewer calls (some ten pages)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One kind of question to AWS. `ttl`: seconds for which an answer is used; `plan`: the fetches that make it up."""

    fact: str
    """The field of Ec2Facts that it fills."""
    what: str
    action: str
    """IAM's name of it."""
    ttl: float
    plan: Callable[[str, Names], Iterable[Fetch]]
    service: str = "ec2"
    by_type: bool = False
    """Whether it can be narrowed to some instance types."""
    whole: bool = True
    """Whether there is an answer for a whole region, out of which those for some types can be cut."""
    extra: bool = False
    """Whether it is made only where a question names it (Ec2Question.also)."""


def _chunks(names: Names) -> list[list[str] | None]:
    """None stands for all."""
    if names is None:
        return [None]
    ordered = sorted(names)
    return [ordered[i : i + _VALUES_A_FILTER] for i in range(0, len(ordered), _VALUES_A_FILTER)]


def _rows(
    client: Any,  # noqa: ANN401 (boto3 has no types)
    operation: str,
    kind: type[AnyRow],
    *,
    key: str,
    **asked: object,
) -> tuple[AnyRow, ...]:
    """All pages of a listing, as typed rows."""
    pages = client.get_paginator(operation).paginate(**asked)
    return decode_rows([row for page in pages for row in page[key]], kind)


def _filter(name: str, values: list[str] | None) -> dict[str, object]:
    # a filter, unlike a list of ids, passes over names that do not exist
    return {"Filters": [{"Name": name, "Values": values}]} if values is not None else {}


def _instance_types(names: list[str] | None) -> Fetch:
    return lambda client: _rows(
        client,
        "describe_instance_types",
        InstanceTypeInfo,
        key="InstanceTypes",
        **_filter("instance-type", names),
    )


def _offerings(names: list[str] | None) -> Fetch:
    return lambda client: _rows(
        client,
        "describe_instance_type_offerings",
        InstanceTypeOffering,
        key="InstanceTypeOfferings",
        LocationType="availability-zone",
        **_filter("instance-type", names),
    )


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)


def _spot_prices(names: list[str] | None, back: timedelta = timedelta()) -> Fetch:
    """With the start at this moment, EC2 gives the one price that holds now for each type and zone.

    With an earlier start it gives the one that held then, and all changes since.
    """
    chosen: dict[str, object] = {"InstanceTypes": names} if names is not None else {}
    return lambda client: _rows(
        client,
        "describe_spot_price_history",
        SpotPrice,
        key="SpotPriceHistory",
        StartTime=_now() - back,
        ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"],
        **chosen,
    )


def _subnets(ids: list[str] | None) -> Fetch:
    return lambda client: _rows(client, "describe_subnets", Subnet, key="Subnets", **_filter("subnet-id", ids))


def _capacity_reservations(client: Any) -> Rows:  # noqa: ANN401
    return _rows(
        client,
        "describe_capacity_reservations",
        CapacityReservation,
        key="CapacityReservations",
        **_filter("state", ["active"]),
    )


def _quotas(client: Any) -> Rows:  # noqa: ANN401
    return _rows(client, "list_service_quotas", ServiceQuota, key="Quotas", ServiceCode="ec2")


def _prices(region: str, names: Names) -> Iterable[Fetch]:
    if names is None or len(names) > _FEW_PRODUCTS:
        return [_products(region, SHARED, None, names), _products(region, BARE_METAL, None, names)]
    return [_products(region, BARE_METAL if ".metal" in name else SHARED, name, None) for name in sorted(names)]


def _products(region: str, sold: Mapping[str, str], name: str | None, names: Names) -> Fetch:
    terms = {"regionCode": region, **FILTERS, **sold, **({"instanceType": name} if name else {})}
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in terms.items()]

    def fetch(client: Any) -> Rows:  # noqa: ANN401
        pages = client.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters)
        prices = parse_prices((entry for page in pages for entry in page["PriceList"]), region)
        return tuple(p for p in prices if names is None or p.instance_type in names)

    return fetch


def _quota_usage(client: Any) -> Rows:  # noqa: ANN401
    """The newest count of every class of vCPUs. AWS publishes it every five minutes, sometimes later."""
    now = _now()
    asked = {"Id": "vcpus", "Expression": _VCPUS_IN_USE, "Label": "${PROP('Dim.Class')}"}
    return _rows(
        client,
        "get_metric_data",
        QuotaUsage,
        key="MetricDataResults",
        MetricDataQueries=[asked],
        StartTime=now - timedelta(hours=1),
        EndTime=now,
        ScanBy="TimestampDescending",
    )


_VCPUS_IN_USE: Final = (
    """SEARCH('{AWS/Usage,Class,Resource,Service,Type} MetricName="ResourceCount" Service="EC2" Resource="vCPU"',"""
    """ 'Maximum', 300)"""
)


def _zones(client: Any) -> Rows:  # noqa: ANN401
    """Those that the account uses: of local and Wavelength zones, the ones that it opted into. AWS has no pages of them."""
    return decode_rows(client.describe_availability_zones()["AvailabilityZones"], AvailabilityZone)


def _identity(client: Any) -> Rows:  # noqa: ANN401
    return decode_rows([client.get_caller_identity()], CallerIdentity)


def _placement_scores(region: str, names: Names) -> Iterable[Fetch]:
    """One score a zone for all these types together: AWS scores what may stand in for each other, and counts requests."""
    chosen = sorted(names or ())[:_TYPES_SCORED]
    families = {name.partition(".")[0] for name in chosen}
    one = chosen[0] if len(chosen) == 1 else families.pop() if len(families) == 1 else ""

    def fetch(client: Any) -> Rows:  # noqa: ANN401
        rows = _rows(
            client,
            "get_spot_placement_scores",
            PlacementScore,
            key="SpotPlacementScores",
            InstanceTypes=chosen,
            TargetCapacity=1,
            SingleAvailabilityZone=True,
            RegionNames=[region],
        )
        return tuple(structs.replace(row, instance_type=one) for row in rows)

    return [fetch] if chosen else []


def _capacity_blocks(_region: str, names: Names) -> Iterable[Fetch]:
    """One instance for a day, of each type that is sold so: others would be an error each."""
    return [_blocks_of(name) for name in sorted(names or ()) if name.startswith(_SOLD_IN_BLOCKS)]


def _blocks_of(name: str) -> Fetch:
    return lambda client: _rows(
        client,
        "describe_capacity_block_offerings",
        CapacityBlockOffering,
        key="CapacityBlockOfferings",
        InstanceType=name,
        InstanceCount=1,
        CapacityDurationHours=24,
    )


_SOLD_IN_BLOCKS: Final = ("p4d.", "p4de.", "p5.", "p5e.", "p5en.", "p6", "trn1.", "trn2.", "trn3")
"""Families that Capacity Blocks are sold for (EC2 user guide, Capacity Blocks for ML)."""
_TYPES_SCORED: Final = 20


# Sources (karpenter-provider-aws v1.15): pkg/controllers/providers/{instancetype,pricing}/controller.go refresh types,
# offerings and prices every 12 h; pkg/cache/cache.go DefaultTTL and the subnet and capacity reservation providers 1 min.
# Spot prices are kept shorter than Karpenter keeps them (12 h), for they are shown as "now". What Karpenter does not read
# (quotas and their use, scores, blocks) is kept as long as AWS takes to have something new.
CALLS: Final = (
    Call(
        fact="instance_types",
        what="EC2 instance types",
        action="ec2:DescribeInstanceTypes",
        ttl=12 * _HOUR,
        plan=lambda _, names: map(_instance_types, _chunks(names)),
        by_type=True,
    ),
    Call(
        fact="offerings",
        what="which zones offer which instance types",
        action="ec2:DescribeInstanceTypeOfferings",
        ttl=12 * _HOUR,
        plan=lambda _, names: map(_offerings, _chunks(names)),
        by_type=True,
    ),
    Call(
        fact="spot_prices",
        what="spot prices",
        action="ec2:DescribeSpotPriceHistory",
        ttl=5 * _MINUTE,
        plan=lambda _, names: map(_spot_prices, _chunks(names)),
        by_type=True,
    ),
    Call(
        fact="on_demand_prices",
        what="on-demand prices",
        action="pricing:GetProducts",
        ttl=12 * _HOUR,
        plan=_prices,
        service="pricing",
        by_type=True,
    ),
    Call(
        fact="subnets",
        what="subnets",
        action="ec2:DescribeSubnets",
        ttl=_MINUTE,
        plan=lambda _, ids: map(_subnets, _chunks(ids)),
    ),
    Call(
        fact="capacity_reservations",
        what="capacity reservations",
        action="ec2:DescribeCapacityReservations",
        ttl=_MINUTE,
        plan=lambda *_: [_capacity_reservations],
    ),
    Call(
        fact="quotas",
        what="vCPU quotas",
        action="servicequotas:ListServiceQuotas",
        ttl=_HOUR,
        plan=lambda *_: [_quotas],
        service="service-quotas",
    ),
    Call(
        fact="quota_usage",
        what="use of vCPU quotas",
        action="cloudwatch:GetMetricData",
        ttl=5 * _MINUTE,
        plan=lambda *_: [_quota_usage],
        service="cloudwatch",
    ),
    Call(
        fact="zones",
        what="availability zones",
        action="ec2:DescribeAvailabilityZones",
        ttl=12 * _HOUR,
        plan=lambda *_: [_zones],
    ),
    Call(
        fact="spot_history",
        what="spot prices of the last day",
        action="ec2:DescribeSpotPriceHistory",
        ttl=5 * _MINUTE,
        plan=lambda _, names: (_spot_prices(chunk, timedelta(hours=24)) for chunk in _chunks(names)),
        by_type=True,
        extra=True,
    ),
    Call(
        fact="placement_scores",
        what="spot placement scores",
        action="ec2:GetSpotPlacementScores",
        ttl=10 * _MINUTE,
        plan=_placement_scores,
        by_type=True,
        whole=False,
        extra=True,
    ),
    Call(
        fact="capacity_blocks",
        what="Capacity Blocks for sale",
        action="ec2:DescribeCapacityBlockOfferings",
        ttl=10 * _MINUTE,
        plan=_capacity_blocks,
        by_type=True,
        whole=False,
        extra=True,
    ),
    Call(
        fact="identity",
        what="the AWS account",
        action="sts:GetCallerIdentity",
        ttl=12 * _HOUR,
        plan=lambda *_: [_identity],
        service="sts",
        extra=True,
    ),
)
FACTS: Final = frozenset(call.fact for call in CALLS)
EXTRAS: Final = frozenset(call.fact for call in CALLS if call.extra)
ACTIONS: Final = (*dict.fromkeys(call.action for call in CALLS), "sts:AssumeRole")
"""All that the bot may ever ask of AWS from here; the last only where a cluster is read with a role of its own."""
