"""`karpenter-bot snapshot --offerings`: a folder from which `offerings` answers as it did live, with what only it asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from bot import markets, recording
from bot.app import Place
from bot.cli import main
from bot.karpenter.metrics import metrics_page
from bot.market import UnknownName
from bot.sources.ec2 import Ec2
from bot.sources.pod_search import PodQuestion
from tests.fakes.kube import serving
from tests.sources.manifests import CLUSTER, LOGS
from tests.sources.recorded_aws import P5, P5_ANSWERS, REGION, Recorder

WHICH: Final = PodQuestion(name="llama-node-0-1-z49j4", namespace="train")
NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setattr(recording, "Ec2", lambda: Ec2(Recorder(answers=P5_ANSWERS)))


async def recorded(folder: Path, *names: str) -> Path:
    async with serving(CLUSTER, logs=LOGS) as fake:
        page = metrics_page([(P5, f"{REGION}a", "on-demand")])
        fake.pages = {"kube-system/karpenter:http-metrics/metrics": page.encode()}
        place = Place(kubeconfig=str(fake.kubeconfig(folder)), region=REGION)
        return await recording.record(place, WHICH, folder / "taken", names, clock=lambda: NOON)


async def test_offerings_answers_from_the_folder_with_everything(tmp_path: Path) -> None:
    folder = await recorded(tmp_path, P5)
    table = markets.offerings_from_snapshot(folder, P5).table
    [spot] = [row for row in table.rows if (row.zone, row.capacity_type) == (f"{REGION}a", "spot")]
    assert (spot.price, spot.score, spot.zone_id) == (31.5, 7, "apne2-az1")
    assert spot.spot is not None
    assert (spot.spot.low, spot.spot.high) == (28.0, 31.5)
    assert [block.upfront_fee for block in table.blocks] == ["755.2800"]
    [on_demand] = [row for row in table.rows if (row.zone, row.capacity_type) == (f"{REGION}a", "on-demand")]
    assert (on_demand.metric_unavailable, on_demand.quota is not None) == (True, True)
    assert "111122223333" not in "".join(f.read_text() for f in folder.rglob("*") if f.is_file())


async def test_without_the_flag_none_of_it_is_asked_for(tmp_path: Path) -> None:
    folder = await recorded(tmp_path)
    names = {file.name for file in folder.rglob("*")}
    assert not names & {"get-spot-placement-scores.json", "describe-capacity-block-offerings.json", "karpenter.prom"}
    assert "describe-availability-zones.json" in names


async def test_a_familys_score_is_not_taken_for_anothers(tmp_path: Path) -> None:
    folder = await recorded(tmp_path, "p5")
    scores: Any = json.loads((folder / "ec2" / "get-spot-placement-scores.json").read_text())
    assert {row["InstanceType"] for row in scores["SpotPlacementScores"]} == {
        "p5"
    }  # both sizes were asked about together
    rows = markets.offerings_from_snapshot(folder, "p5").table.rows
    assert {row.score for row in rows if (row.zone, row.capacity_type) == (f"{REGION}a", "spot")} == {7}
    assert {row.score for row in markets.offerings_from_snapshot(folder, "p4d").table.rows} == {None}


async def test_a_name_that_is_none_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"did you mean p5\.48xlarge"):
        await recorded(tmp_path, "p5.48xlrge")
    assert not (tmp_path / "taken").exists()
    assert main(["snapshot", "x", str(tmp_path / "y"), "--offerings"]) == 2
