"""Zone ids where zone names belong, and the other way round: told apart, and named for this account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from bot.catalogues import Catalogues
from bot.diagnosis import diagnose
from bot.diagnosis.zones import is_zone_id, zone_names
from bot.model.diagnosis import Cause, Diagnosis
from bot.model.ec2 import AvailabilityZone
from bot.model.kubernetes import NodeSelectorRequirement
from bot.model.labels import ZONE, ZONE_ID
from bot.model.world import World
from bot.sources.pod_search import PodQuestion, find_pod
from tests.market.worlds import recorded, with_ec2
from tests.recorded import RECORDED

CASE = next(case for case in RECORDED if case.name == "zone-id-for-name")
CATALOGUES = Catalogues()


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("use1-az4", True),
        ("apne2-az1", True),
        ("usgw1-az1", True),
        ("usw2-lax1-az1", True),
        ("use1-wl1-bos-wlz1", True),
        ("us-east-1a", False),
        ("ap-northeast-2c", False),
        ("us-west-2-lax-1a", False),
        ("az1", False),
        ("", False),
    ],
)
def test_an_id_is_told_by_its_form(text: str, is_id: bool) -> None:  # noqa: FBT001
    assert is_zone_id(text) is is_id


def asked(world: World, key: str, value: str) -> Diagnosis:
    """The case's pod with that node selector for its zone."""
    pod = find_pod(world, PodQuestion.parse(CASE.spec["question"]))
    selector = {k: v for k, v in pod.spec.node_selector.items() if k != ZONE} | {key: value}
    return diagnose(CATALOGUES.of(world), structs.replace(pod, spec=structs.replace(pod.spec, node_selector=selector)))


def of_zone(found: Diagnosis) -> Cause:
    return next(c for c in found.causes if c.id == "zone-id-as-name")


def test_the_id_is_named_and_the_remedy_asks_for_that_zone() -> None:
    found = CASE.answered.diagnosis
    cause = of_zone(found)
    assert (cause.facts["wanted"], cause.facts["meant"]) == (("apne2-az2",), ("ap-northeast-2b",))
    assert "EC2: apne2-az2 is ap-northeast-2b in this account" in cause.evidence
    first = found.remedies[0]
    assert (first.id, first.edits[0].new, first.opens.zones) == (
        "change-node-selector", "ap-northeast-2b", ("ap-northeast-2b",),
    )  # fmt: skip


def test_names_are_the_accounts_own_and_one_that_nobody_pairs_is_not_guessed() -> None:
    world = recorded("zone-id-for-name")
    assert of_zone(asked(world, ZONE, "use1-az4")).facts["meant"] == ("",)
    swapped = with_ec2(world, zones=(AvailabilityZone(zone_name="ap-northeast-2e", zone_id="apne2-az7"),))
    assert of_zone(asked(swapped, ZONE, "apne2-az7")).facts["meant"] == ("ap-northeast-2e",)
    assert zone_names(replace(swapped, node_classes=(), ec2=structs.replace(swapped.ec2, subnets=()))) == {
        "apne2-az7": "ap-northeast-2e"
    }


def test_a_name_under_the_label_of_ids_is_the_same_mistake() -> None:
    cause = of_zone(asked(recorded("zone-id-for-name"), ZONE_ID, "ap-northeast-2b"))
    assert (cause.facts["is_id"], cause.facts["meant"]) == (False, ("apne2-az2",))


def test_a_nodepool_that_holds_an_id_is_told_so() -> None:
    world = recorded("zone-id-for-name")

    def with_id(pool: Any) -> Any:  # noqa: ANN401
        inner = pool.spec.template.spec
        term = NodeSelectorRequirement(key=ZONE, operator="In", values=("apne2-az2",))
        requirements = (*(r for r in inner.requirements if r.key != ZONE), term)
        template = structs.replace(pool.spec.template, spec=structs.replace(inner, requirements=requirements))
        return structs.replace(pool, spec=structs.replace(pool.spec, template=template))

    pools = tuple(with_id(p) if p.metadata.name == "gpu" else p for p in world.node_pools)
    found = asked(replace(world, node_pools=pools), ZONE, "ap-northeast-2b")
    cause = next(c for c in found.causes if c.id == "zone-id-as-name" and "gpu" in c.nodepools)
    assert str(cause.facts["wanted_by"]).startswith("NodePool gpu spec.template.spec.requirements")
    [part] = [r for r in found.remedies if r.id == "add-requirement-value"]
    assert part.facts["new"] == ("ap-northeast-2b",)


def test_a_zone_name_that_is_right_or_of_another_region_is_not_taken_for_an_id() -> None:
    for zone in ("ap-northeast-2b", "us-east-1a"):
        found = asked(recorded("zone-id-for-name"), ZONE, zone)
        assert "zone-id-as-name" not in {c.id for c in found.causes}
