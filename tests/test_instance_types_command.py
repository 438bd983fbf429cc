"""`karpenter-bot instance-types`: Karpenter's published figures for every type, from snapshot folders of several kinds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bot.cli import main
from tests.diagnosis.ec2_descriptions import described, raw_descriptions
from tests.diagnosis.test_instance_types import DATED_CLOCKS, DATED_INTERFACES, PUBLISHED, Published
from tests.recorded import CASES

Json = dict[str, Any]
Asked = Callable[..., list[Json]]
RECORDED = CASES / "seed-efa-8-on-g6e-8xlarge"


@pytest.fixture
def asked(capsysbinary: pytest.CaptureFixture[bytes]) -> Asked:
    """What the command prints as JSON."""

    def ask(folder: Path, *more: str) -> list[Json]:
        assert main(["instance-types", "--snapshot", str(folder), "-o", "json", *more]) == 0
        found: list[Json] = json.loads(capsysbinary.readouterr().out)
        return found

    return ask


def row(name: str) -> Json:
    """EC2's description of a type, as it was on the day of Karpenter's page."""
    found: Json = msgspec.json.decode(msgspec.json.encode(raw_descriptions()[name]))
    family = name.split(".", maxsplit=1)[0]
    if family in DATED_CLOCKS:
        found["ProcessorInfo"]["SustainedClockSpeedInGhz"] = DATED_CLOCKS[family]
    if name in DATED_INTERFACES:
        found["NetworkInfo"]["NetworkCards"][0]["MaximumNetworkInterfaces"] = DATED_INTERFACES[name]
    return found


def folder_of(folder: Path, names: Iterable[str], *objects: Json, **facts: Json) -> Path:
    """A snapshot folder with these types' descriptions, other answers of EC2, and some objects."""
    (folder / "ec2").mkdir(exist_ok=True)
    answers = {"describe-instance-types": {"InstanceTypes": [row(name) for name in names]}, **facts}
    for name, answer in answers.items():
        (folder / "ec2" / f"{name.replace('_', '-')}.json").write_text(json.dumps(answer))
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    return folder


def node_class(name: str, spec: Json, zones: Iterable[str] = ()) -> Json:
    """An EC2NodeClass manifest."""
    subnets = [{"id": f"subnet-{zone}", "zone": zone, "zoneID": f"{zone}-id"} for zone in zones]
    status = {"subnets": subnets} if subnets else {}
    meta = {"name": name}
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": meta,
        "spec": spec,
        "status": status,
    }


def test_every_published_type_comes_out_as_karpenter_publishes_it(asked: Asked, tmp_path: Path) -> None:
    published = msgspec.json.decode(gzip.decompress(PUBLISHED.read_bytes()), type=dict[str, Published])
    listed = {one["name"]: one for one in asked(folder_of(tmp_path, described()))}
    assert len(published) == 1363
    for name, expected in published.items():
        assert listed[name]["labels"] == expected.labels, name
        assert listed[name]["allocatable"] == expected.resources, name
        assert listed[name]["capacity"].keys() == expected.resources.keys(), name


def test_what_an_ec2nodeclass_and_karpenters_settings_change(asked: Asked, tmp_path: Path) -> None:
    kubelet = {"maxPods": 20, "systemReserved": {"memory": "100Mi"}}
    controller = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "karpenter",
            "namespace": "kube-system",
            "labels": {"app.kubernetes.io/name": "karpenter"},
        },
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "controller", "env": [{"name": "VM_MEMORY_OVERHEAD_PERCENT", "value": "0"}]}
                    ]
                }
            }
        },
    }
    bottlerocket = node_class("rocket", {"amiSelectorTerms": [{"alias": "bottlerocket@latest"}], "kubelet": kubelet})
    (one,) = asked(folder_of(tmp_path, ["m5.large"], bottlerocket, controller))
    # 8192 MiB, nothing for the hypervisor; 11 MiB for each of 20 pods + 255, 100 for the system, 100 where eviction begins
    assert one["capacity"]["memory"] == "8Gi"
    assert one["allocatable"]["memory"] == f"{8192 - (11 * 20 + 255) - 100 - 100}Mi"
    assert one["allocatable"]["pods"] == "20"


OFFERED = {
    "InstanceTypeOfferings": [
        {"InstanceType": "m5.large", "LocationType": "availability-zone", "Location": zone}
        for zone in ("us-east-1a", "us-east-1b")
    ]
    + [{"InstanceType": "c5.large", "LocationType": "availability-zone", "Location": "us-east-1c"}]
}
SPOT = {
    "SpotPriceHistory": [
        {
            "InstanceType": "m5.large",
            "AvailabilityZone": "us-east-1a",
            "SpotPrice": "0.0345",
            "ProductDescription": "Linux/UNIX",
            "Timestamp": "2026-01-01T00:00:00Z",
        }
    ]
}


def test_offerings_say_what_they_cost_and_why_they_cannot_be_had(asked: Asked, tmp_path: Path) -> None:
    facts: Mapping[str, Json] = {"describe_instance_type_offerings": OFFERED, "describe_spot_price_history": SPOT}
    ours = node_class("default", {"amiSelectorTerms": [{"alias": "al2023@latest"}]}, ["us-east-1a", "us-east-1c"])
    (one,) = asked(folder_of(tmp_path, ["m5.large", "c5.large"], ours, **facts), "m5*")
    offerings = {(o["zone"], o["capacityType"]): o for o in one["offerings"]}
    assert len(offerings) == 6
    assert offerings["us-east-1a", "spot"] == {
        "zone": "us-east-1a",
        "capacityType": "spot",
        "price": 0.0345,
        "available": True,
        "unavailable": [],
        "zoneId": "us-east-1a-id",
    }
    assert offerings["us-east-1b", "spot"]["available"] is False
    assert len(offerings["us-east-1b", "spot"]["unavailable"]) == 2  # no subnet there, and no price
    assert offerings["us-east-1c", "on-demand"]["unavailable"] == ["EC2 does not offer the type in the zone"]


def test_which_ec2nodeclass_is_meant(asked: Asked, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    spec = {"amiSelectorTerms": [{"alias": "al2023@latest"}], "kubelet": {"maxPods": 7}}
    both = folder_of(tmp_path, ["m5.large"], node_class("a", {}), node_class("b", spec))
    assert asked(both, "--nodeclass", "b")[0]["allocatable"]["pods"] == "7"
    for arguments, said in ((["--nodeclass", "c"], "no EC2NodeClass `c`; there are: a, b"), ([], "there are: a, b")):
        assert main(["instance-types", "--snapshot", str(both), *arguments]) == 2
        assert said in capsysbinary.readouterr().err.decode()


def test_the_table_has_a_line_for_each_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instance-types", "--snapshot", str(RECORDED), "p5*", "g6e.8xlarge"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["INSTANCE", "TYPE"]
    assert [line.split()[0] for line in lines] == ["g6e.8xlarge", "p5.48xlarge", "p5en.48xlarge"]
    assert "1 nvidia.com/gpu" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--snapshot", str(RECORDED), "x9*"], "no instance type fits x9*"),
        (["--snapshot", str(CASES.parent / "model")], "no instance types to list"),
        (["--snapshot", "/no/such/folder"], "no such folder"),
    ],
)
def test_what_cannot_be_listed_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instance-types", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
