"""NodePool views: readiness, limits, what can be launched, what was launched, what went wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.catalogues import Catalogues
from bot.market import NodePoolView, nodepool_views
from bot.market.contract import nodepools_as_json
from bot.market.nodepools import UnknownNodePool
from bot.market.pool_words import nodepools_sheet
from bot.model.world import World
from bot.packaged import load_playbooks
from bot.playbooks import plain
from tests.market.worlds import NOTHING, recorded

CATALOGUES = Catalogues()


def whole(case: str) -> World:
    return CATALOGUES.of(recorded(case))


def view(case: str, name: str) -> NodePoolView:
    [one] = nodepool_views(whole(case), name).pools
    return one


def test_limits_are_counted_as_karpenter_counts_them() -> None:
    gpu = view("nodepool-limit", "gpu")
    limits = {one.resource: (str(one.limit), str(one.used), str(one.left)) for one in gpu.limits}
    assert limits["cpu"][1] == "192"
    assert [(n.instance_type, n.state) for n in gpu.launched] == [("p4d.24xlarge", "ready")] * 2
    assert gpu.launchable is not None
    assert gpu.launchable.open < gpu.launchable.offerings


def test_a_nodeclass_without_subnets_makes_its_nodepool_unready() -> None:
    gpu = view("nodeclass-not-ready", "gpu")
    assert (gpu.ready, gpu.not_ready) == (False, "not ready")
    assert "SubnetsReady" in {c.type for c in gpu.node_class_conditions}
    assert gpu.launchable is not None
    assert (gpu.launchable.open, gpu.launchable.cheapest) == (0, None)


def test_refusals_are_marks_and_errors_of_the_nodepool_they_happened_to() -> None:
    gpu, default = view("spot-just-refused", "gpu"), view("spot-just-refused", "default")
    assert {(m.instance_type, m.capacity_type) for m in gpu.marks} == {("g6e.48xlarge", "spot")}
    [problem] = gpu.problems  # the log's line and the event about it are one thing
    assert (problem.about, problem.count) == ("gpu-7c4xn", 1)
    assert problem.message.startswith("InsufficientInstanceCapacity: ")
    assert (default.marks, default.problems) == ((), ())
    assert gpu.launchable is not None
    assert gpu.launchable.offerings - gpu.launchable.open == 2
    assert gpu.launchable.cheapest is not None
    assert gpu.launchable.cheapest.as_of


def test_all_nodepools_come_in_karpenters_order() -> None:
    answer = nodepool_views(whole("spot-just-refused"))
    assert [pool.name for pool in answer.pools] == ["neuron", "gpu", "default"]
    assert answer.pools[0].launchable is not None
    assert answer.pools[0].launchable.instance_types == ()


def test_an_unknown_nodepool_has_the_nearest_names() -> None:
    with pytest.raises(UnknownNodePool, match="did you mean gpu"):
        nodepool_views(recorded(), "gpus")
    with pytest.raises(UnknownNodePool, match=r"`x`$"):
        nodepool_views(replace(recorded(), node_pools=()), "x")


def test_without_ec2_the_rest_is_still_told() -> None:
    [gpu] = nodepool_views(replace(recorded(), ec2=NOTHING), "gpu").pools
    assert gpu.launchable is None
    sheet = nodepools_sheet(
        nodepool_views(replace(recorded(), ec2=NOTHING)), load_playbooks().phrases("en"), {}, whole=True
    )
    assert any("could not be worked out" in plain(line) for part in sheet.parts for line in part.lines)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    "case", ["nodepool-limit", "auto-mode", "no-karpenter", "v1beta1-nodepool", "nodeclass-not-ready"]
)
def test_every_recorded_cluster_can_be_told_in_both_languages(case: str, language: str) -> None:
    answer = nodepool_views(whole(case))
    for every in (True, False):
        sheet = nodepools_sheet(answer, load_playbooks().phrases(language), {"spot_prices": 90.0}, whole=every)
        words = "\n".join(plain(line) for part in sheet.parts for line in part.lines)
        assert "nodepools." not in words  # a sentence that is missing becomes its key
    json.dumps(nodepools_as_json(answer, {}, 1.0))
