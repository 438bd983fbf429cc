"""What is not worked out is named; what Karpenter refuses outright is a cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.diagnosis import diagnose
from bot.diagnosis.history import History, read_history
from bot.diagnosis.unevaluated import unevaluated
from bot.model.diagnosis import Verdict
from bot.model.karpenter import EC2NodeClass
from bot.model.kubernetes import Event, Pod
from bot.model.objects import ObjectRef, decode
from bot.model.world import Settings, World
from bot.playbooks.wording import UNEVALUATED
from bot.sources.controller import parse_settings
from bot.sources.snapshot import read_snapshot
from tests.oracle.generate import generate
from tests.oracle.worlds import world_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMING: dict[str, Any] = {"spec": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpus"}]}}
ALLOCATING = Settings(ignore_dra_requests=False)


def features(world: World, pod: Pod | None = None, history: History | None = None) -> list[str]:
    """The ids of what is named."""
    return [one.feature for one in unevaluated(world, pod or Pod(), history or read_history(world))]


def test_claims_are_a_cause_where_karpenter_leaves_them_alone_and_a_note_where_it_allocates() -> None:
    world, (pod, *_) = world_of(next(generate(1, 1, feature="dynamic-resources")))
    refused = diagnose(world, pod)
    assert refused.verdict is Verdict.BLOCKED
    assert [cause.id for cause in refused.causes] == ["dynamic-resources-unsupported"]
    assert refused.causes[0].facts["claims"] == ("gpu",)
    assert refused.unevaluated == ()

    allocating = replace(world, settings=replace(world.settings, ignore_dra_requests=False))
    assert [one.feature for one in diagnose(allocating, pod).unevaluated] == ["dynamic-resources"]


def test_a_gate_names_its_feature_until_an_object_does() -> None:
    gated = World(
        now=NOW, settings=parse_settings({"FEATURE_GATES": "NodeOverlay=true,NodeRepair=true,CapacityBuffer=false"})
    )
    assert features(gated) == ["node-overlay"]
    assert unevaluated(gated, Pod(), read_history(gated))[0].field == "FEATURE_GATES"
    assert features(replace(gated, others_listed=frozenset({"NodeOverlay"}))) == []  # there is none
    overlay = ObjectRef(api_version="karpenter.sh/v1alpha1", kind="NodeOverlay", name="cheaper")
    (named,) = unevaluated(replace(gated, others=(overlay,)), Pod(), read_history(gated))
    assert (named.feature, named.object) == ("node-overlay", overlay)


def test_objects_in_a_snapshot_are_named(tmp_path: Path) -> None:
    overlay = {
        "apiVersion": "karpenter.sh/v1alpha1",
        "kind": "NodeOverlay",
        "metadata": {"name": "cheaper"},
        "spec": {},
    }
    (tmp_path / "overlays.yaml").write_text(yaml.safe_dump(overlay))
    world = read_snapshot(tmp_path, NOW)
    (one,) = unevaluated(world, Pod(), read_history(world))
    assert (one.feature, str(one.object)) == ("node-overlay", "NodeOverlay cheaper")


@pytest.mark.parametrize(("last", "named"), [("ZonalShiftActive", ["zonal-shift"]), ("ZonalShiftCleared", [])])
def test_the_last_word_on_a_zone_counts(last: str, named: list[str]) -> None:
    said = {
        "ZonalShiftActive": "Zonal shift detected: offerings in zone us-east-1a (use1-az4) are unavailable for this NodePool",
        "ZonalShiftCleared": "Zonal shift cleared: offerings in zone us-east-1a (use1-az4) are restored for this NodePool",
    }
    events = tuple(
        decode(
            {
                "metadata": {"name": reason, "namespace": "default"},
                "involvedObject": {"kind": "NodePool", "name": "gpu"},
                "reason": reason,
                "message": said[reason],
                "source": {"component": "karpenter"},
                "lastTimestamp": f"2026-01-01T00:0{minute}:00Z",
            },
            Event,
        )
        for minute, reason in enumerate(dict.fromkeys(("ZonalShiftActive", last)))
    )
    world = World(now=NOW, events=events)
    assert features(world) == named
    assert [one.detail for one in unevaluated(world, Pod(), read_history(world))] == ["us-east-1a"] * len(named)


def test_a_placement_group_is_named() -> None:
    grouped = decode({"metadata": {"name": "a"}, "spec": {"placementGroupSelector": {"name": "pg"}}}, EC2NodeClass)
    assert features(World(now=NOW, node_classes=(grouped, EC2NodeClass()))) == ["placement-group"]


def test_every_feature_has_its_sentence() -> None:
    pod = decode(CLAIMING, Pod)
    assert features(World(now=NOW, settings=ALLOCATING), pod) == ["dynamic-resources"]
    assert {"node-overlay", "capacity-buffer", "dynamic-resources", "placement-group", "zonal-shift"} == set(
        UNEVALUATED
    )
