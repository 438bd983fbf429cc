"""Offerings: which there are, which Karpenter would try, and why not the others."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from bot.diagnosis.instance_compatibility import is_compatible
from bot.diagnosis.instance_types import resolve
from bot.model.ec2 import (
    CapacityReservation,
    Ec2Facts,
    InstanceTypeInfo,
    InstanceTypeOffering,
    OnDemandPrice,
    SpotPrice,
    Subnet,
)
from bot.model.karpenter import EC2NodeClass
from bot.model.labels import CAPACITY_TYPE, RESERVATION_ID, ZONE, ZONE_ID
from bot.model.objects import decode
from bot.model.world import InstanceType, Offering, Settings, Unavailable
from tests.diagnosis.ec2_descriptions import Json, described

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
OD, SPOT = "on-demand", "spot"


def node_class(spec: Json | None = None, zones: Mapping[str, str] | None = None, *reservations: Json) -> EC2NodeClass:
    """AL2023, with a subnet in a and b unless `zones` (zone to zone id) says otherwise."""
    own = {A: "use1-az4", B: "use1-az6"} if zones is None else zones
    status = {
        "subnets": [{"id": zone, "zone": zone, "zoneID": zone_id} for zone, zone_id in own.items()],
        "capacityReservations": list(reservations),
    }
    selector = {"amiSelectorTerms": [{"alias": "al2023@latest"}], **(spec or {})}
    return decode({"metadata": {"name": "default"}, "spec": selector, "status": status}, EC2NodeClass)


def offered(name: str, *zones: str) -> tuple[InstanceTypeOffering, ...]:
    return tuple(InstanceTypeOffering(instance_type=name, location=zone) for zone in zones)


def spot(name: str, zone: str, price: str, day: int = 1, product: str = "Linux/UNIX") -> SpotPrice:
    since = datetime(2026, 1, day, tzinfo=UTC)
    return SpotPrice(
        instance_type=name, availability_zone=zone, spot_price=price, product_description=product, timestamp=since
    )


FACTS = Ec2Facts(
    region="us-east-1",
    instance_types=(described()["m5.large"],),
    offerings=(*offered("m5.large", A, B), *offered("c5.large", C)),
    on_demand_prices=(OnDemandPrice(instance_type="m5.large", price_per_hour=0.096),),
    spot_prices=(spot("m5.large", A, "0.05"), spot("m5.large", B, "0.04")),
)


def resolved(facts: Ec2Facts, ours: EC2NodeClass | None, settings: Settings = Settings()) -> InstanceType:  # noqa: B008
    (found,) = resolve(facts, ours, settings)
    return found


def changed(**fields: object) -> Ec2Facts:
    return msgspec.structs.replace(FACTS, **fields)


def rows(found: InstanceType) -> dict[tuple[str, str], Offering]:
    assert len({(o.zone, o.capacity_type, o.reservation_id) for o in found.offerings}) == len(found.offerings)
    return {(o.zone, o.capacity_type): o for o in found.offerings}


def why_not(found: InstanceType) -> dict[tuple[str, str], tuple[Unavailable, ...]]:
    return {key: offering.unavailable for key, offering in rows(found).items()}


def test_every_zone_of_the_region_has_a_row_that_says_why_not() -> None:
    found = resolved(FACTS, node_class(zones={B: "use1-az6", C: "use1-az1"}))
    not_in_c = (Unavailable.NOT_OFFERED,)
    assert why_not(found) == {
        (A, OD): (Unavailable.NO_SUBNET,),
        (A, SPOT): (Unavailable.NO_SUBNET,),
        (B, OD): (),
        (B, SPOT): (),
        (C, OD): not_in_c,
        (C, SPOT): not_in_c,
    }
    assert dict(found.labels).items() >= {ZONE: frozenset({B}), ZONE_ID: frozenset({"use1-az6"})}.items()
    assert [(o.price, o.zone_id) for o in found.offerings if o.available] == [(0.096, "use1-az6"), (0.04, "use1-az6")]


def test_a_type_offered_nowhere_has_no_zone_at_all() -> None:
    found = resolved(changed(offerings=offered("c5.large", A)), node_class())
    assert (found.labels[ZONE], ZONE_ID in found.labels) == (frozenset(), False)
    assert why_not(found) == {(A, OD): (Unavailable.NOT_OFFERED,), (A, SPOT): (Unavailable.NOT_OFFERED,)}


def test_an_unsold_capacity_type_stands_unavailable_and_not_in_the_label() -> None:
    never_spot = msgspec.structs.replace(
        described()["m5.large"], supported_usage_classes=("on-demand", "capacity-block")
    )
    found = resolved(changed(instance_types=(never_spot,)), node_class())
    assert found.labels[CAPACITY_TYPE] == {OD}
    assert why_not(found)[A, SPOT] == (Unavailable.NOT_SOLD,)
    assert why_not(found)[A, OD] == ()


def unknown_to_karpenter(name: str = "m99.large") -> InstanceTypeInfo:
    """A type that Karpenter's own table of prices does not have."""
    return msgspec.structs.replace(described()["m5.large"], instance_type=name)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        # Not read: not a reason
        ({"on_demand_prices": None, "spot_prices": None}, ((), ())),
        # Read, and the type is not among them
        ({}, ((Unavailable.NO_PRICE,), (Unavailable.NO_PRICE,))),
        ({"spot_prices": ()}, ((Unavailable.NO_PRICE,), (Unavailable.NO_PRICE,))),
    ],
)
def test_a_type_without_a_price_is_not_launched(
    prices: Mapping[str, object], expected: tuple[tuple[Unavailable, ...], tuple[Unavailable, ...]]
) -> None:
    facts = changed(instance_types=(unknown_to_karpenter(),), offerings=offered("m99.large", A), **prices)
    reasons = why_not(resolved(facts, node_class(zones={A: "use1-az4"})))
    assert (reasons[A, OD], reasons[A, SPOT]) == expected
    assert {o.price for o in resolved(facts, node_class()).offerings} == {None}


def test_karpenters_own_table_stands_in_for_prices_that_the_answer_lacks() -> None:
    """An empty answer leaves Karpenter with the prices that it was built with, on-demand for spot included."""
    reasons = why_not(resolved(changed(on_demand_prices=(), spot_prices=()), node_class()))
    assert (reasons[A, OD], reasons[A, SPOT]) == ((), ())
    # Once there is any spot price, a zone without one is out
    reasons = why_not(resolved(changed(spot_prices=(spot("m5.large", A, "0.05"),)), node_class()))
    assert (reasons[A, SPOT], reasons[B, SPOT]) == ((), (Unavailable.NO_PRICE,))


@pytest.mark.parametrize(("region", "known"), [("us-east-1", True), ("ap-northeast-2", True), ("us-gov-west-1", False)])
def test_govcloud_has_its_own_table_of_prices_and_other_regions_borrow_virginias(region: str, known: bool) -> None:  # noqa: FBT001
    facts = changed(region=region, instance_types=(described()["m6a.large"],), offerings=None, on_demand_prices=())
    assert (why_not(resolved(facts, node_class()))[A, OD] == ()) == known


def test_the_newest_linux_price_counts() -> None:
    history = (
        spot("m5.large", A, "0.07", day=3),
        spot("m5.large", A, "0.05", day=2),
        spot("m5.large", A, "0.20", day=4, product="Windows"),
        spot("m5.large", A, "nonsense", day=5),
        spot("m5.large", B, "0.06", product="Linux/UNIX (Amazon VPC)"),
    )
    prices = (
        OnDemandPrice(instance_type="m5.large", price_per_hour=0.2, effective="2026-02-01T00:00:00Z"),
        OnDemandPrice(instance_type="m5.large", price_per_hour=0.1, effective="2025-02-01T00:00:00Z"),
        OnDemandPrice(instance_type="m5.large", price_per_hour=0.0, effective="2027-01-01T00:00:00Z"),
    )
    found = rows(resolved(changed(spot_prices=history, on_demand_prices=prices), node_class()))
    assert (found[A, SPOT].price, found[B, SPOT].price, found[A, OD].price) == (0.07, 0.06, 0.2)


@pytest.mark.parametrize(
    "unread", [None, (InstanceTypeOffering(instance_type="m5.large", location="us-east-1", location_type="region"),)]
)
def test_unread_offerings_rule_nothing_out(unread: tuple[InstanceTypeOffering, ...] | None) -> None:
    """Also when somebody asked by region, which is what the AWS CLI does unless told otherwise."""
    found = resolved(changed(offerings=unread), node_class())
    assert why_not(found) == {(zone, capacity): () for zone in (A, B) for capacity in (OD, SPOT)}
    assert found.labels[ZONE] == {A, B}


def test_unknown_subnets_rule_nothing_out_and_the_accounts_tell_the_zone_id() -> None:
    facts = changed(subnets=(Subnet(subnet_id="s", availability_zone=A, availability_zone_id="use1-az4"),))
    for ours in (None, node_class(zones={})):
        found = resolved(facts, ours)
        assert why_not(found)[A, OD] == ()
        assert dict(found.labels).items() >= {ZONE: frozenset({A, B}), ZONE_ID: frozenset({"use1-az4"})}.items()


def test_with_nothing_read_there_is_nothing_and_no_zone_is_invented() -> None:
    assert resolve(Ec2Facts(), None, Settings()).types == ()
    found = resolved(Ec2Facts(instance_types=(described()["m5.large"],)), None)
    assert (found.offerings, ZONE in found.labels) == ((), False)


def reservation(number: int, zone: str, **more: object) -> Json:
    return {"id": f"cr-{number}", "instanceType": "m5.large", "availabilityZone": zone, **more}


def free(number: int, count: int) -> CapacityReservation:
    return CapacityReservation(capacity_reservation_id=f"cr-{number}", available_instance_count=count)


def test_reservations_are_offerings_of_their_own() -> None:
    ours = node_class(
        None,
        None,
        reservation(1, A),
        reservation(2, B, reservationType="capacity-block", state="expiring"),
        reservation(3, C, interruptible=True),
        reservation(4, A),
        {**reservation(5, A), "instanceType": "m5.xlarge"},
    )
    facts = changed(capacity_reservations=(free(1, 7), free(2, 1), free(3, 1)))
    found = resolved(facts, ours)
    held = {o.reservation_id: o for o in found.offerings if o.capacity_type == "reserved"}
    assert {key: o.unavailable for key, o in held.items()} == {
        "cr-1": (),
        "cr-2": (Unavailable.UNSPECIFIED,),
        "cr-3": (Unavailable.NOT_OFFERED, Unavailable.NO_SUBNET),
        "cr-4": (Unavailable.RESERVATION_FULL,),
    }
    assert (held["cr-1"].reservation_capacity, held["cr-1"].price) == (7, 0.096 / 10_000_000)
    assert found.labels[CAPACITY_TYPE] == {OD, SPOT, "reserved"}
    assert found.labels[RESERVATION_ID] == {"cr-1", "cr-2", "cr-3", "cr-4"}

    unread = resolved(changed(capacity_reservations=None), ours)
    assert Unavailable.RESERVATION_FULL not in {r for o in unread.offerings for r in o.unavailable}
    gate_off = resolved(facts, ours, Settings(reserved_capacity=False))
    assert {o.capacity_type for o in gate_off.offerings} == {OD, SPOT}


def interface(card: int, device: int, kind: str = "interface") -> Json:
    return {"networkCardIndex": card, "deviceIndex": device, "interfaceType": kind}


@pytest.mark.parametrize(
    ("name", "spec", "fits"),
    [
        ("a1.large", {}, False),
        ("a1.large", {"amiSelectorTerms": [{"alias": "al2@latest"}]}, True),
        ("m5.large", {"connectionTracking": {"udpTimeout": 45}}, True),
        ("m4.large", {"connectionTracking": {"udpTimeout": 45}}, False),
        ("m5.large", {"cpuOptions": {"nestedVirtualization": "enabled"}}, False),
        ("m5.large", {"cpuOptions": {"nestedVirtualization": "disabled"}}, True),
        ("m8i.large", {"cpuOptions": {"nestedVirtualization": "enabled"}}, True),
        # m5.large: one card of 3 interfaces, no EFA
        ("m5.large", {"networkInterfaces": [interface(0, 0), interface(0, 2)]}, True),
        ("m5.large", {"networkInterfaces": [interface(0, 3)]}, False),
        ("m5.large", {"networkInterfaces": [interface(1, 0)]}, False),
        ("m5.large", {"networkInterfaces": [interface(0, 0), interface(0, 1, "efa-only")]}, False),
        # p4d.24xlarge: 4 cards, 4 EFA devices
        ("p4d.24xlarge", {"networkInterfaces": [interface(card, 1, "efa-only") for card in range(4)]}, True),
        (
            "p4d.24xlarge",
            {"networkInterfaces": [interface(card % 4, 1 + card // 4, "efa-only") for card in range(5)]},
            False,
        ),
        ("t1.micro", {"networkInterfaces": [interface(0, 0)]}, False),
    ],
)
def test_what_an_ec2nodeclass_cannot_use(name: str, spec: Json, *, fits: bool) -> None:
    ours = node_class(spec)
    assert is_compatible(described()[name], ours) == fits
    facts = changed(instance_types=(described()[name],), offerings=offered(name, A), spot_prices=None)
    assert (Unavailable.INCOMPATIBLE in rows(resolved(facts, ours))[A, OD].unavailable) != fits


def test_a_placement_group_with_an_id_is_a_label() -> None:
    grouped = node_class({"placementGroupSelector": {"id": "pg-1"}})
    assert resolved(FACTS, grouped).labels["karpenter.k8s.aws/placement-group-id"] == {"pg-1"}
