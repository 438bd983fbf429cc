"""The offerings table: what is offered where, at what price, what is in the way, and names that are none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from bot.market import OfferingsTable, UnknownName, asked_for
from bot.market.charts import spot_chart
from bot.market.contract import offerings_as_json
from bot.market.words import offerings_sheet
from bot.model.ec2 import (
    AvailabilityZone,
    CapacityBlockOffering,
    CapacityReservation,
    InstanceTypeInfo,
    InstanceTypeOffering,
    PlacementScore,
    ServiceQuota,
)
from bot.model.karpenter import CapacityReservationStatus, NodePool
from bot.model.kubernetes import NodeSelectorRequirement
from bot.model.quantities import Quantity
from bot.model.world import World
from bot.packaged import load_playbooks
from bot.playbooks import plain
from tests.market.worlds import NOTHING, REGION, recorded, row, spot, table, with_ec2

OD, SPOT = "on-demand", "spot"
PHRASES = load_playbooks().phrases("en")


def test_each_zone_and_capacity_type_says_what_is_in_its_way() -> None:
    found = table(recorded(), "g6e.48xlarge")
    assert (found.offered, len(found.rows), found.asked.family) == (True, 8, "")
    open_row = row(found, "a", OD)
    assert (open_row.offered, open_row.open, open_row.price, open_row.as_of) == (
        True,
        True,
        37.0614,
        "2025-12-01T00:00:00Z",
    )
    assert open_row.nodepools == ("gpu",)
    refused = row(found, "b", SPOT)
    assert (refused.offered, refused.open, refused.marked, refused.zone_id) == (True, False, True, "apne2-az2")
    assert refused.mark is not None
    assert (refused.mark.reason, refused.mark.until) == (
        "InsufficientInstanceCapacity",
        datetime(2025, 12, 28, 11, 23, 16, tzinfo=UTC),
    )
    absent = row(found, "c", SPOT)
    assert (absent.offered, absent.why_not, absent.price, absent.spot, absent.nodepools) == (
        False, "not-offered-in-zone", None, None, (),
    )  # fmt: skip
    assert found.cheapest == open_row


def test_a_mark_that_ended_is_told_but_bars_nothing() -> None:
    later = replace(recorded(), now=recorded().now + timedelta(minutes=10))
    refused = row(table(later, "g6e.48xlarge"), "b", SPOT)
    assert refused.mark is not None
    assert (refused.marked, refused.open) == (False, True)
    said = "\n".join(
        plain(line) for p in offerings_sheet(table(later, "g6e.48xlarge"), PHRASES, {}).parts for line in p.lines
    )
    assert "Karpenter's mark ended at 2025-12-28 11:23 UTC" in said


def test_what_ec2_sells_on_demand_only_is_no_spot_offering() -> None:
    found = table(recorded("spot-not-offered"), "u7i-6tb.112xlarge")
    spot_rows = [r for r in found.rows if r.capacity_type == SPOT and r.why_not != "not-offered-in-zone"]
    assert spot_rows
    assert {(r.offered, r.why_not) for r in spot_rows} == {(False, "not-sold")}


def test_a_family_lists_its_sizes_the_smallest_first() -> None:
    found = table(recorded(), "G6E.* ")
    assert found.asked.family == "g6e"
    assert [one.name for one in found.types][:3] == ["g6e.xlarge", "g6e.2xlarge", "g6e.4xlarge"]
    assert len(found.rows) == 8 * 4 * 2
    assert {one.gpus for one in found.types} == {1, 4, 8}


@pytest.mark.parametrize(
    ("asked", "near"),
    [("p4d.24xlrge", "p4d.24xlarge"), ("g6e.8xlarg", "g6e.8xlarge"), ("p5enn", "p5en"), ("", None), ("🦆", None)],
)
def test_a_name_that_is_none_has_the_nearest_ones(asked: str, near: str | None) -> None:
    with pytest.raises(UnknownName) as failure:
        asked_for(asked, recorded().ec2)
    assert (failure.value.near[:1] or (None,))[0] == near


def test_a_type_of_other_regions_is_known_and_not_offered_here() -> None:
    found = table(recorded(), "trn2.48xlarge")
    assert (found.asked.known_here, found.offered) == (False, False)
    assert {r.why_not for r in found.rows} == {"not-offered-in-zone"}
    assert plain(offerings_sheet(found, PHRASES, {}).title) == "EC2 does not offer `trn2.48xlarge` in ap-northeast-2"


def test_a_type_newer_than_our_tables_is_answered_and_said_to_be() -> None:
    world = recorded()
    p5 = next(i for i in world.ec2.instance_types or () if i.instance_type == "p5.48xlarge")
    newer = structs.replace(p5, instance_type="p9.96xlarge")
    facts = with_ec2(
        world,
        instance_types=(*(world.ec2.instance_types or ()), newer),
        offerings=(InstanceTypeOffering(instance_type="p9.96xlarge", location=f"{REGION}a"),),
        quotas=(ServiceQuota(quota_code="L-417A185B", quota_name="Running On-Demand P instances", value=100.0),),
    )
    found = table(facts, "p9")
    assert (found.notes, found.types[0].newer, found.types[0].vcpus) == (("newer-than-tables",), True, 192)
    one = row(found, "a", OD)
    assert (one.offered, one.price, one.quota_short, one.open) == (True, None, True, False)
    only_offered = with_ec2(facts, instance_types=world.ec2.instance_types)
    assert row(table(only_offered, "p9.96xlarge"), "a", OD).offered is None  # sold there, how nobody said


def test_without_any_facts_nothing_is_claimed() -> None:
    found = table(replace(recorded(), ec2=NOTHING), "p5.48xlarge")
    assert (found.rows, found.offered, found.cheapest) == ((), None, None)
    sheet = offerings_sheet(found, PHRASES, {})
    assert "could not be read" in plain(sheet.title)
    without_offerings = table(with_ec2(recorded(), offerings=None), "p5.48xlarge")
    assert {r.offered for r in without_offerings.rows} == {None}
    assert not any(r.open for r in without_offerings.rows)


def test_scores_are_joined_by_zone_id_and_never_by_a_name_that_looks_alike() -> None:
    swapped = tuple(
        AvailabilityZone(zone_name=f"{REGION}{letter}", zone_id=f"apne2-az{number}")
        for letter, number in (("a", 3), ("b", 2), ("c", 1), ("d", 4))
    )
    scores = (
        PlacementScore(score=9, availability_zone_id="apne2-az1"),
        PlacementScore(score=1, availability_zone_id="apne2-az3"),
    )
    found = table(with_ec2(recorded(), zones=swapped, placement_scores=scores, subnets=()), "g6e.48xlarge")
    assert (row(found, "a", SPOT).score, row(found, "c", SPOT).score, row(found, "b", SPOT).score) == (1, 9, None)
    assert row(found, "a", OD).score is None


def test_zones_not_opted_into_are_left_out_and_local_zones_are_named() -> None:
    zones = (
        AvailabilityZone(zone_name=f"{REGION}a", zone_id="apne2-az1"),
        AvailabilityZone(
            zone_name="ap-northeast-2-wl1-sel-wlz-1", zone_type="wavelength-zone", opt_in_status="not-opted-in"
        ),
        AvailabilityZone(
            zone_name="us-west-2-lax-1a", zone_id="usw2-lax1-az1", zone_type="local-zone", opt_in_status="opted-in"
        ),
    )
    names = {(r.zone, r.zone_type) for r in table(with_ec2(recorded(), zones=zones), "g6e.48xlarge").rows}
    assert ("us-west-2-lax-1a", "local-zone") in names
    assert not any("wl1" in zone for zone, _ in names)


def test_reservations_and_blocks_stand_beside_with_the_nodepool_that_may_use_them() -> None:
    held = CapacityReservation(
        capacity_reservation_id="cr-1",
        instance_type="p5.48xlarge",
        availability_zone=f"{REGION}a",
        total_instance_count=2,
        available_instance_count=1,
        state="active",
        reservation_type="capacity-block",
        end_date=datetime(2025, 12, 29, tzinfo=UTC),
    )
    world = with_ec2(recorded(), capacity_reservations=(held,))
    alone = next(r for r in table(world, "p5.48xlarge").rows if r.reservation)
    assert (alone.offered, alone.nodepools, alone.quota) == (True, (), None)
    status = CapacityReservationStatus(availability_zone=f"{REGION}a", id="cr-1", instance_type="p5.48xlarge")
    classes = tuple(
        structs.replace(c, status=structs.replace(c.status, capacity_reservations=(status,)))
        for c in world.node_classes
    )
    pools = tuple(_allowing(pool, "reserved") for pool in world.node_pools)
    used = next(
        r for r in table(replace(world, node_classes=classes, node_pools=pools), "p5.48xlarge").rows if r.reservation
    )
    assert used.nodepools == ("gpu",)
    full = with_ec2(world, capacity_reservations=(structs.replace(held, available_instance_count=0),))
    assert next(r for r in table(full, "p5.48xlarge").rows if r.reservation).why_not == "reservation-full"


def _allowing(pool: NodePool, capacity_type: str) -> NodePool:
    requirements = tuple(
        structs.replace(r, values=(*r.values, capacity_type)) if r.key == "karpenter.sh/capacity-type" else r
        for r in pool.spec.template.spec.requirements
    )
    return _requiring(pool, requirements)


def _requiring(pool: NodePool, requirements: tuple[NodeSelectorRequirement, ...]) -> NodePool:
    inner = structs.replace(pool.spec.template.spec, requirements=requirements)
    return structs.replace(
        pool, spec=structs.replace(pool.spec, template=structs.replace(pool.spec.template, spec=inner))
    )


def _limited(world: World, cpu: int) -> World:
    return replace(
        world,
        node_pools=tuple(
            structs.replace(p, spec=structs.replace(p.spec, limits={"cpu": Quantity.of(cpu)})) for p in world.node_pools
        ),
    )


def test_a_nodepool_at_its_limit_allows_it_and_cannot_launch_it() -> None:
    found = row(table(_limited(recorded(), 100), "g6e.48xlarge"), "a", OD)
    assert found.nodepools == ()
    assert [(use.name, use.why_not) for use in found.pools] == [("gpu", "limit-reached")]


def test_full_subnets_and_used_up_quotas_close_a_row() -> None:
    world = recorded()
    full = tuple(structs.replace(s, available_ip_address_count=0) for s in world.ec2.subnets or ())
    assert not row(table(with_ec2(world, subnets=full), "g6e.48xlarge"), "a", OD).open
    nothing = tuple(structs.replace(q, value=0.0) for q in world.ec2.quotas or ())
    closed = row(table(with_ec2(world, quotas=nothing), "g6e.48xlarge"), "a", OD)
    assert (closed.quota_short, closed.open) == (True, False)


def test_the_chart_has_one_line_a_zone_over_what_is_known_of_all() -> None:
    now = recorded().now
    rows = (
        spot("g6e.48xlarge", "a", "15.0", now - timedelta(hours=30)),
        spot("g6e.48xlarge", "a", "17.5", now - timedelta(hours=4)),
        spot("g6e.48xlarge", "b", "19.0", now - timedelta(hours=12)),
    )
    found = table(with_ec2(recorded(), spot_history=rows, spot_prices=rows), "g6e.48xlarge")
    chart = spot_chart(found, PHRASES)
    assert chart is not None
    assert [s.name for s in chart.series] == [f"{REGION}a", f"{REGION}b"]
    assert len(chart.categories) == 9  # twelve hours, every 90 minutes
    assert chart.series[0].values[:2] == (15.0, 15.0)
    assert chart.series[0].values[-1] == 17.5
    day = row(found, "a", SPOT).spot
    assert day is not None
    assert (day.low, day.high) == (15.0, 17.5)
    short = (spot("g6e.48xlarge", "a", "15.0", now - timedelta(hours=1)),)
    assert (
        spot_chart(table(with_ec2(recorded(), spot_history=short, spot_prices=short), "g6e.48xlarge"), PHRASES) is None
    )


def test_china_has_no_dollars_and_says_so() -> None:
    world = with_ec2(recorded(), region="cn-north-1", on_demand_prices=None, spot_prices=None)
    found = table(world, "g6e.48xlarge")
    assert "no-dollar-prices" in found.notes
    assert {r.price for r in found.rows} == {None}


def test_the_json_is_plain_and_has_every_row() -> None:
    found = table(recorded(), "g6e.48xlarge")
    whole = offerings_as_json(found, {"spot_prices": 61.23}, 3.21)
    back = json.loads(json.dumps(whole))
    assert back["agesSeconds"] == {"spotPrices": 61.2}
    first = back["offerings"][1]
    assert (first["zone"], first["zoneId"], first["capacityType"]) == (f"{REGION}a", "apne2-az1", "spot")
    assert first["unavailable"] == {
        "active": True,
        "since": "2025-12-28T11:20:16+00:00",
        "until": "2025-12-28T11:23:16+00:00",
        "reason": "InsufficientInstanceCapacity",
    }
    assert first["spotRange"]["low"] == first["pricePerHour"] == first["spotHistory"][-1]["pricePerHour"]
    assert back["cheapest"]["capacityType"] == OD
    assert back["instanceTypes"][0]["gpus"] == 8


def test_an_unknown_description_costs_no_answer() -> None:
    empty = with_ec2(recorded(), instance_types=(InstanceTypeInfo(instance_type="p5.48xlarge"),))
    found = table(empty, "p5.48xlarge")
    assert found.types[0].vcpus == 0


def _column(found: OfferingsTable, name: str) -> list[str]:
    [grid] = [part.grid for part in offerings_sheet(found, PHRASES, {}).parts if part.grid]
    return [cells[grid.columns.index(name)] for cells in grid.rows]


def test_the_table_has_a_column_for_each_thing_that_is_asked_of_it() -> None:
    scores = (PlacementScore(score=7, availability_zone_id="apne2-az1"),)
    found = table(with_ec2(recorded(), placement_scores=scores), "g6e.48xlarge")
    [grid] = [part.grid for part in offerings_sheet(found, PHRASES, {}).parts if part.grid]
    assert grid.columns == (
        "Zone (id)", "Bought as", "State", "$/h", "24 h", "Price of", "Score", "vCPUs left", "NodePools",
    )  # fmt: skip
    on_demand, refused = grid.rows[:2]
    assert on_demand[:4] == ("ap-northeast-2a (apne2-az1)", "on-demand", "open", "$37.06")
    assert refused[2] == "refused until 11:23"
    assert refused[6] == "7"
    quota = row(found, "a", OD).quota
    assert quota is not None
    assert (on_demand[7], on_demand[8]) == (f"≤{quota.left:.0f}/{quota.limit:.0f}", "gpu")
    assert "vCPUs left" not in _columns_of(table(with_ec2(recorded(), quotas=None), "g6e.48xlarge"))


def _columns_of(found: OfferingsTable) -> tuple[str, ...]:
    return next(part.grid.columns for part in offerings_sheet(found, PHRASES, {}).parts if part.grid)


def test_capacity_blocks_for_sale_stand_in_the_table_by_the_hour() -> None:
    block = CapacityBlockOffering(
        capacity_block_offering_id="cbr-1",
        instance_type="g6e.48xlarge",
        availability_zone=f"{REGION}b",
        instance_count=2,
        start_date=datetime(2025, 12, 29, 11, 30, tzinfo=UTC),
        capacity_block_duration_hours=24,
        upfront_fee="960.00",
    )
    found = table(with_ec2(recorded(), capacity_blocks=(block,)), "g6e.48xlarge")
    assert _column(found, "Bought as")[-1] == "capacity-block"
    assert _column(found, "State")[-1] == "for sale: 24 h from 2025-12-29 11:30 UTC"
    assert (_column(found, "$/h")[-1], _column(found, "Price of")[-1]) == ("$20.00", "2025-12-28")
    assert _column(found, "Zone (id)")[-1] == "ap-northeast-2b (apne2-az2)"


def test_what_karpenter_itself_holds_for_unavailable_is_not_open() -> None:
    world = replace(recorded(), unavailable_in_metrics=frozenset({("g6e.48xlarge", f"{REGION}a", OD)}))
    closed = row(table(world, "g6e.48xlarge"), "a", OD)
    assert (closed.offered, closed.metric_unavailable, closed.open) == (True, True, False)
    assert "unavailable (metrics)" in _column(table(world, "g6e.48xlarge"), "State")


def test_a_subnet_on_an_outpost_is_answered_for_the_region_and_said_to_be_no_more() -> None:
    world = recorded()
    arn = "arn:aws:outposts:ap-northeast-2:111122223333:outpost/op-0123456789abcdef0"
    on_outpost = tuple(structs.replace(s, outpost_arn=arn) for s in world.ec2.subnets or ())
    found = table(with_ec2(world, subnets=on_outpost), "g6e.48xlarge")
    assert (found.notes, found.offered) == (("outposts",), True)
    [note] = offerings_sheet(found, PHRASES, {}).notes
    assert "your own hardware" in plain(note)
