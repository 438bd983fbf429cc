"""`offerings` and `nodepools` as a script meets them, and what their Slack form must keep to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from tests.fakes.slack import check_message
from tests.market.worlds import CASES

CASE = str(CASES / "spot-just-refused")


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capfd.readouterr()
    return code, out, err


def test_offerings_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "offerings", "g6e.48xlarge", "--snapshot", CASE, "-o", "json")
    whole = json.loads(out)
    assert (code, err) == (0, "")
    assert set(whole) >= {
        "region",
        "offered",
        "instanceTypes",
        "offerings",
        "cheapest",
        "quotas",
        "reservations",
        "missing",
    }
    assert {(o["zone"], o["capacityType"]) for o in whole["offerings"] if o["offered"]} == {
        (f"ap-northeast-2{z}", c) for z in "ab" for c in ("on-demand", "spot")
    }


def test_nodepools_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "nodepools", "gpu", "--snapshot", CASE, "-o", "json")
    [pool] = json.loads(out)["nodepools"]
    assert code == 0
    assert (pool["name"], pool["ready"], pool["canLaunch"]["openOfferings"]) == ("gpu", True, 226)
    assert [limit["resource"] for limit in pool["limits"]] == ["cpu"]
    assert pool["errors"][0]["kind"] == "launch-failed-ice"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("offerings", "p4d.24xlrge"), 2, "did you mean p4d.24xlarge"),
        (("offerings", "p5", "--region", "us-east-1"), 2, "did you mean ap-northeast-2?"),
        (("nodepools", "gpus"), 3, "there is no NodePool `gpus`; did you mean gpu?"),
        (("offerings",), 2, "TYPE|FAMILY"),
    ],
)
def test_what_does_not_exist_is_one_clear_line(
    capfd: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    got, out, err = run(capfd, *words, "--snapshot", CASE)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert said in err


def test_a_zone_or_a_city_is_no_region(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nowhere = str(tmp_path / "kubeconfig")
    for wrong in ("ap-northeast-2a", "use1-az4", "seoul"):
        code, _, err = run(capfd, "offerings", "p5", "--region", wrong, "--kubeconfig", nowhere)
        assert code == 2
        assert f"`{wrong}` is not the name of an AWS region" in err


def test_the_region_of_the_environment_is_no_wish(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    code, out, _ = run(capfd, "offerings", "p5", "--snapshot", CASE, "-o", "json")
    assert (code, json.loads(out)["region"]) == (0, "ap-northeast-2")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    "words", [("offerings", "g6e"), ("offerings", "p5"), ("offerings", "m5"), ("nodepools",), ("nodepools", "gpu")]
)
def test_slacks_form_keeps_slacks_limits(
    capfd: pytest.CaptureFixture[str], words: tuple[str, ...], language: str
) -> None:
    code, out, _ = run(capfd, *words, "--snapshot", CASE, "-o", "slack", "--lang", language)
    message: dict[str, Any] = json.loads(out)
    assert code == 0
    assert check_message(message["blocks"]) is None
    assert len(message["text"]) <= 4000
    kinds = [block["type"] for block in message["blocks"]]
    assert ("table" in kinds) == (words[0] == "offerings")
    assert ("data_visualization" in kinds) == (words[0] == "offerings")


def test_a_snapshot_without_ec2_is_answered_with_what_is_missing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "meta.yaml").write_text("region: us-east-1\nnow: '2026-01-01T00:00:00Z'\n")
    code, out, _ = run(capfd, "offerings", "p5.48xlarge", "--snapshot", str(tmp_path), "-o", "json")
    whole = json.loads(out)
    assert (code, whole["offered"], whole["offerings"]) == (0, None, [])
    assert any("describe-instance-type-offerings.json" in gap for gap in whole["missing"])
    assert run(capfd, "nodepools", "--snapshot", str(tmp_path))[0] == 0


def test_recorded_answers_of_the_further_calls_are_read(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As the AWS CLI prints them (written from AWS's documentation of each call: none can be recorded here)."""
    folder = tmp_path / "case"
    shutil.copytree(CASE, folder, symlinks=False)
    metric = {"MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount", "MetricDimensions": {"Class": "G/Spot"}}
    quota = {
        "QuotaCode": "L-3819A6DF",
        "QuotaName": "All G and VT Spot Instance Requests",
        "Value": 256.0,
        "UsageMetric": metric,
    }
    answers: dict[str, Any] = {
        "service-quotas": {"Quotas": [quota]},
        "get-metric-data": {
            "MetricDataResults": [
                {"Id": "v", "Label": "G/Spot", "Timestamps": ["2025-12-28T11:15:00Z"], "Values": [192.0]}
            ]
        },
        "describe-availability-zones": {
            "AvailabilityZones": [
                {"ZoneName": "ap-northeast-2a", "ZoneId": "apne2-az1", "ZoneType": "availability-zone"}
            ]
        },
        "get-spot-placement-scores": {
            "SpotPlacementScores": [{"Region": "ap-northeast-2", "AvailabilityZoneId": "apne2-az1", "Score": 3}]
        },
        "describe-capacity-block-offerings": {
            "CapacityBlockOfferings": [
                {
                    "CapacityBlockOfferingId": "cbr-1",
                    "InstanceType": "p5.48xlarge",
                    "InstanceCount": 1,
                    "UpfrontFee": "755.28",
                }
            ]
        },
    }
    for name, answer in answers.items():
        (folder / "ec2" / f"{name}.json").write_text(json.dumps(answer))
    code, out, _ = run(capfd, "offerings", "g6e.48xlarge", "--snapshot", str(folder), "-o", "json")
    whole = json.loads(out)
    spot = next(o for o in whole["offerings"] if (o["zone"], o["capacityType"]) == ("ap-northeast-2a", "spot"))
    assert code == 0
    assert (spot["placementScore"], spot["quotaExceeded"], spot["open"]) == (3, True, False)
    assert (spot["quota"]["used"], spot["quota"]["left"], spot["quota"]["usedIsWholeAccount"]) == (192.0, 64.0, True)
    assert (
        json.loads(run(capfd, "offerings", "p5", "--snapshot", str(folder), "-o", "json")[1])["capacityBlocks"][0]["id"]
        == "cbr-1"
    )


def test_what_karpenters_metrics_call_unavailable_is_said(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "case"
    shutil.copytree(CASE, folder)
    name = "karpenter_cloudprovider_instance_type_offering_available"
    samples = [
        f'{name}{{capacity_type="on-demand",instance_type="g6e.48xlarge",zone="ap-northeast-2a"}} 0',
        f'{name}{{capacity_type="on-demand",instance_type="g6e.48xlarge",zone="ap-northeast-2b"}} 1',
        f"{name} 0",
        f"# HELP {name} nonsense {{",
    ]
    (folder / "karpenter.prom").write_text("\n".join(samples))
    rows = json.loads(run(capfd, "offerings", "g6e.48xlarge", "--snapshot", str(folder), "-o", "json")[1])["offerings"]
    told = {(o["zone"][-1], o["capacityType"]) for o in rows if o["unavailableInMetrics"]}
    assert told == {("a", "on-demand")}
    assert "unavailable (metrics)" in run(capfd, "offerings", "g6e.48xlarge", "--snapshot", str(folder))[1]
