"""The order of remedies: the written table is the code's, the recorded cases follow it, and nothing is traded silently."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from bot.diagnosis.offers import OTHER_NODEPOOL
from bot.diagnosis.remedies import ANOTHER_EDIT, GPU_CHANGES, PIN_RANK, PIN_RANK_OF_OTHERS, RANK, rank
from bot.model.labels import INSTANCE_TYPE
from bot.model.world import Catalogue
from tests.diagnosis.explained import from_generator
from tests.recorded import RECORDED, RecordedCase

PAGE = Path(__file__).parents[2] / "docs" / "ranking.md"
GPU_NAME = "karpenter.k8s.aws/instance-gpu-name"

ORDER = {
    "auto-mode": ["drop-node-selector", "add-nodepool-label"],
    "efa-on-g5-2xlarge": ["drop-resource", "drop-node-selector"],
    "gpu-16-on-p4d": ["reduce-resource"],
    "nodepool-limit": ["combined"],
    "pv-zone-conflict": ["drop-node-selector"],
    "seed-efa-8-on-g6e-8xlarge": ["reduce-resource", "drop-node-selector"],
    "selector-excluded-by-nodepool": ["add-requirement-value", "drop-node-selector"],
    "spot-just-refused": ["allow-capacity-type", "drop-node-selector"],
    "spot-not-offered": ["allow-capacity-type", "drop-node-selector"],
    "taint-not-tolerated": ["add-toleration"],
    "unknown-instance-type": ["change-node-selector", "drop-node-selector"],
    "v1beta1-nodepool": ["reduce-resource", "drop-node-selector"],
    "zone-id-for-name": ["change-node-selector", "drop-node-selector"],
    "zone-without-type": ["drop-node-selector", "drop-node-selector"],
}
"""Which remedies the recorded cases offer, best first."""
TRADING = {
    "efa-on-g5-2xlarge": (1, ["a10g"]),
    "seed-efa-8-on-g6e-8xlarge": (1, ["l40s"]),
    "selector-excluded-by-nodepool": (1, ["a100"]),
    "spot-just-refused": (1, ["l40s"]),
    "v1beta1-nodepool": (1, ["a10g"]),
    "zone-without-type": (1, ["a100"]),
}
"""Those whose remedy at this place opens other GPUs than these."""


def case_named(name: str) -> RecordedCase:
    return next(case for case in RECORDED if case.name == name)


def test_the_page_says_what_the_code_does() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = {name: int(number) for name, number in re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", text, re.MULTILINE)}
    assert written == RANK
    assert list(written) == list(RANK)
    added = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)
    labels = {label: int(number) for number, words in added for label in re.findall(r"`([^`]+)`", words)}
    assert labels == PIN_RANK
    others = [int(number) for number, words in added if "`" not in words]
    assert others == [PIN_RANK_OF_OTHERS, ANOTHER_EDIT, GPU_CHANGES, OTHER_NODEPOOL]


@pytest.mark.parametrize("name", sorted(ORDER))
def test_recorded_cases_offer_them_in_this_order(name: str) -> None:
    remedies = case_named(name).answered.diagnosis.remedies
    assert [remedy.id for remedy in remedies] == ORDER[name]
    assert [rank(r)[0] for r in remedies] == sorted(rank(r)[0] for r in remedies)


@pytest.mark.parametrize("name", sorted(TRADING))
def test_other_gpus_are_named(name: str) -> None:
    place, meant = TRADING[name]
    remedies = case_named(name).answered.diagnosis.remedies
    for index, remedy in enumerate(remedies):
        assert ("other-gpu" in remedy.cautions) == (index == place) == bool(remedy.opens.gpus_meant)
    assert list(remedies[place].opens.gpus_meant) == meant
    assert remedies[place].opens.gpus_opened
    assert set(meant).isdisjoint(remedies[place].opens.gpus_opened)


def test_the_price_difference_is_said() -> None:
    seed = case_named("seed-efa-8-on-g6e-8xlarge")
    same_type, other_type = (remedy.opens for remedy in seed.answered.diagnosis.remedies)
    assert same_type.compared is None
    compared, best = other_type.compared, other_type.cheapest
    assert compared is not None
    assert best is not None
    assert best.price_per_hour is not None
    assert (compared.instance_type, compared.capacity_type) == ("g6e.8xlarge", "spot")
    assert compared.difference == pytest.approx(best.price_per_hour - compared.price_per_hour)
    assert "$23.27 an hour more than `g6e.8xlarge` spot" in " ".join(seed.text("en").split())

    on_demand = case_named("spot-just-refused").answered.diagnosis.remedies[0].opens.compared
    assert on_demand is not None
    assert on_demand.capacity_type == "spot"
    assert on_demand.difference > 0


def _gpus(catalogue: Catalogue, names: Iterable[str]) -> set[str]:
    found = (catalogue.named(name) for name in names)
    return {gpu for one in found if one is not None for gpu in one.labels.get(GPU_NAME, ())}


def test_a_pod_that_names_its_gpus_never_gets_others_without_a_word() -> None:
    seen = 0
    for one in (*from_generator(15, 150, "extended-resources"), *from_generator(15, 200, "node-selector")):
        selector = one.pod.spec.node_selector
        for remedy in one.told.remedies:
            catalogue = one.world.catalogues[remedy.nodepool]
            opened = _gpus(catalogue, remedy.opens.instance_types)
            named = (
                {selector[GPU_NAME]} if GPU_NAME in selector else _gpus(catalogue, [selector.get(INSTANCE_TYPE, "")])
            )
            if named and not opened <= named:
                seen += 1
                assert "other-gpu" in remedy.cautions, (one.case, remedy)
    assert seen > 5
