"""Where EC2 has no stock: what is offered instead, and that every option was checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from bot.catalogues import Catalogues
from bot.contract import as_json
from bot.diagnosis import diagnose
from bot.model.diagnosis import Cause, Diagnosis
from bot.model.ec2 import CapacityBlockOffering, CapacityReservation, ServiceQuota
from bot.model.karpenter import CapacityReservationStatus
from bot.model.world import World
from bot.packaged import load_playbooks
from bot.playbooks import render
from bot.sources.pod_search import PodQuestion, find_pod
from bot.terminal import render_text
from tests.market.worlds import recorded, with_ec2
from tests.recorded import RECORDED

CATALOGUES = Catalogues()
CASE = next(case for case in RECORDED if case.name == "spot-just-refused")


def diagnosed(world: World) -> Diagnosis:
    return diagnose(CATALOGUES.of(world), find_pod(world, PodQuestion.parse(CASE.spec["question"])))


def capacity(world: World) -> Cause:
    return next(c for c in diagnosed(world).causes if c.id == "capacity-unavailable")


def test_what_was_tried_stands_with_its_time_and_ec2s_code() -> None:
    cause = capacity(recorded())
    assert cause.facts["attempts"] == (
        "g6e.48xlarge spot in ap-northeast-2a at 2025-12-28T11:20:16+00:00: InsufficientInstanceCapacity",
        "g6e.48xlarge spot in ap-northeast-2b at 2025-12-28T11:20:16+00:00: InsufficientInstanceCapacity",
    )
    assert any("EC2 CreateFleet: g6e.48xlarge spot in ap-northeast-2b" in line for line in cause.evidence)


def test_the_other_capacity_type_is_offered_only_where_quota_and_subnets_have_room() -> None:
    assert capacity(recorded()).facts["wider_capacity_types"] == ("on-demand",)
    no_quota = tuple(
        structs.replace(q, value=100.0) if q.quota_code == "L-DB2E81BA" else q for q in recorded().ec2.quotas or ()
    )
    assert capacity(with_ec2(recorded(), quotas=no_quota)).facts["wider_capacity_types"] == ()
    full = tuple(structs.replace(s, available_ip_address_count=0) for s in recorded().ec2.subnets or ())
    assert capacity(with_ec2(recorded(), subnets=full)).facts["wider_capacity_types"] == ()


def _asking(world: World, **requests: str) -> World:
    """The same pod with fewer devices, so that other types are large enough."""
    name = CASE.spec["question"].partition("/")[2]

    def smaller(pod: Any) -> Any:  # noqa: ANN401
        if pod.metadata.name != name:
            return pod
        containers = tuple(
            structs.replace(
                c,
                resources=structs.replace(
                    c.resources,
                    requests={k: v for k, v in c.resources.requests.items() if "/" not in k},
                    limits={k: v for k, v in c.resources.limits.items() if "/" not in k},
                ),
            )
            for c in pod.spec.containers
        )
        return structs.replace(pod, spec=structs.replace(pod.spec, containers=containers))

    return replace(world, pods=tuple(map(smaller, world.pods)))


def test_sizes_and_families_of_equal_gpu_memory_are_named_and_what_the_nodepool_excludes_apart() -> None:
    facts = capacity(_asking(recorded())).facts
    sizes = facts["wider_sizes"]
    assert isinstance(sizes, tuple)
    assert {"g6e.24xlarge", "g6e.12xlarge"} <= set(sizes)
    assert "g6e.48xlarge" not in sizes
    families = facts["wider_families"]
    assert isinstance(families, tuple)
    assert "g6e" not in families  # the L40S's 44 GiB are g6e's alone
    assert facts["excluded_by_nodepool"] == ()


@pytest.mark.parametrize(("value", "caution"), [(0.0, "over-quota"), (1536.0, None)])
def test_a_remedy_beyond_the_quota_says_so(value: float, caution: str | None) -> None:
    quotas = (ServiceQuota(quota_code="L-DB2E81BA", quota_name="Running On-Demand G and VT instances", value=value),)
    remedies = diagnosed(with_ec2(recorded(), quotas=quotas)).remedies
    allow = next(r for r in remedies if r.id == "allow-capacity-type")
    assert ("over-quota" in allow.cautions) == (caution == "over-quota")


def test_the_page_says_it_in_both_languages() -> None:
    for language, words in (
        ("en", "bought as `on-demand`; the NodePool allows them all"),
        ("ko", "구매 옵션 `on-demand`"),
    ):
        assert words in " ".join(CASE.text(language).split())


def held(zone: str = "a", free: int = 2, name: str = "g6e.48xlarge", **more: Any) -> CapacityReservation:  # noqa: ANN401
    return CapacityReservation(
        capacity_reservation_id=f"cr-{name}-{zone}-{free}",
        instance_type=name,
        availability_zone=f"ap-northeast-2{zone}",
        available_instance_count=free,
        total_instance_count=4,
        **{"state": "active", **more},
    )


def said(world: World, language: str) -> str:
    playbooks = load_playbooks()
    text = render_text(render(diagnosed(world), playbooks, language), playbooks.phrases(language))
    return " ".join(text.split())


def test_the_accounts_own_reservations_with_room_are_named_and_what_keeps_them_from_being_used() -> None:
    rows = (
        held("a"),
        held("b", 1, reservation_type="capacity-block", end_date=datetime(2025, 12, 30, 11, 30, tzinfo=UTC)),
        held("a", 0),  # full
        held("a", 3, state="expired"),
        held("c"),  # EC2 does not have the type there
        held("b", 4, name="g6e.4xlarge"),  # too small for the pod
    )
    world = with_ec2(recorded(), capacity_reservations=rows)
    facts = capacity(world).facts
    assert facts["held"] == ("cr-g6e.48xlarge-a-2", "cr-g6e.48xlarge-b-1")
    assert facts["held_what"] == ("2 × g6e.48xlarge", "1 × g6e.48xlarge")
    assert facts["held_unselected"] == ("cr-g6e.48xlarge-a-2", "cr-g6e.48xlarge-b-1")
    assert facts["held_excluded"] == ("cr-g6e.48xlarge-a-2", "cr-g6e.48xlarge-b-1")  # gpu allows spot and on-demand
    english = said(world, "en")
    assert (
        "The account holds `cr-g6e.48xlarge-b-1` (Capacity Block): 1 × g6e.48xlarge free in `ap-northeast-2b` until"
        " 2025-12-30 11:30 UTC; the EC2NodeClass has to select it" in english
    )
    assert "the sure way" not in english
    assert "계정이 가진 예약 `cr-g6e.48xlarge-a-2`: `ap-northeast-2a`에 2 × g6e.48xlarge 남음" in said(world, "ko")


def _selecting(world: World, *ids: str) -> World:
    """The EC2NodeClass has found these reservations, and its NodePool allows `reserved`."""
    found = tuple(
        CapacityReservationStatus(id=i, instance_type="g6e.48xlarge", availability_zone="ap-northeast-2a") for i in ids
    )
    classes = tuple(
        structs.replace(c, status=structs.replace(c.status, capacity_reservations=found)) for c in world.node_classes
    )

    def allowing(pool: Any) -> Any:  # noqa: ANN401
        inner = pool.spec.template.spec
        terms = tuple(
            structs.replace(r, values=(*r.values, "reserved")) if r.key == "karpenter.sh/capacity-type" else r
            for r in inner.requirements
        )
        template = structs.replace(pool.spec.template, spec=structs.replace(inner, requirements=terms))
        return structs.replace(pool, spec=structs.replace(pool.spec, template=template))

    return replace(world, node_classes=classes, node_pools=tuple(map(allowing, world.node_pools)))


def test_a_reservation_that_class_and_nodepool_take_needs_nothing_and_full_subnets_rule_it_out() -> None:
    world = _selecting(with_ec2(recorded(), capacity_reservations=(held("a"),)), "cr-g6e.48xlarge-a-2")
    facts = capacity(world).facts
    assert (facts["held"], facts["held_unselected"], facts["held_excluded"]) == (("cr-g6e.48xlarge-a-2",), (), ())
    full = tuple(
        structs.replace(s, available_ip_address_count=0) if s.availability_zone == "ap-northeast-2a" else s
        for s in world.ec2.subnets or ()
    )
    assert capacity(with_ec2(world, subnets=full)).facts["held"] == ()
    off = replace(world, settings=replace(world.settings, reserved_capacity=False))
    assert "feature gate `ReservedCapacity` is off" in said(off, "en")


def test_capacity_blocks_for_sale_are_named_with_begin_and_price() -> None:
    def block(offering: str, zone: str, day: int) -> CapacityBlockOffering:
        return CapacityBlockOffering(
            capacity_block_offering_id=offering,
            instance_type="g6e.48xlarge",
            availability_zone=f"ap-northeast-2{zone}",
            instance_count=1,
            start_date=datetime(2025, 12, day, 11, 30, tzinfo=UTC),
            capacity_block_duration_hours=24,
            upfront_fee="512.00",
        )

    world = with_ec2(
        recorded(), capacity_blocks=(block("later", "a", 30), block("soon", "b", 29), block("far", "c", 28))
    )
    facts = capacity(world).facts
    assert (facts["blocks"], facts["blocks_hours"]) == (("soon", "later"), (24, 24))
    assert facts["held_excluded"] == ("later", "soon")
    words = "1 × g6e.48xlarge in `ap-northeast-2b` for 24 hours from 2025-12-29 11:30 UTC, 512.00 USD in all"
    assert words in said(world, "en")


def test_what_only_karpenters_metrics_tell_blocks_too_and_is_said_to_be_no_more() -> None:
    case = next(one for one in RECORDED if one.name == "capacity-elsewhere")
    world = recorded("capacity-elsewhere")
    pod = find_pod(world, PodQuestion.parse(case.spec["question"]))
    told = frozenset({("g6e.48xlarge", "ap-northeast-2b", "spot"), ("p4d.24xlarge", "ap-northeast-2a", "spot")})
    silent = replace(world, karpenter_log=(), events=(), unavailable_in_metrics=told)
    assert diagnose(CATALOGUES.of(silent), pod).verdict == "launchable"  # 2a is open as far as anybody tells
    both = told | {("g6e.48xlarge", "ap-northeast-2a", "spot")}
    found = diagnose(CATALOGUES.of(replace(silent, unavailable_in_metrics=both)), pod)
    cause = next(c for c in found.causes if c.id == "capacity-unavailable")
    assert (found.verdict, cause.facts["in_metrics"], cause.facts["attempts"]) == ("blocked", 2, ())
    playbooks = load_playbooks()
    rendered = render(found, playbooks, "en")
    words = " ".join(render_text(rendered, playbooks.phrases("en")).split())
    assert "Because Karpenter's own metrics call the 2 offerings that fit the pod unavailable" in words
    assert as_json(found, rendered, 1.0)["causes"]
