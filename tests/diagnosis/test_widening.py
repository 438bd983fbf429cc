"""Where EC2 has no stock: what is offered instead, and that every option was checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from bot.catalogues import Catalogues
from bot.diagnosis import diagnose
from bot.model.diagnosis import Cause, Diagnosis
from bot.model.ec2 import ServiceQuota
from bot.model.world import World
from bot.sources.pod_search import PodQuestion, find_pod
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
