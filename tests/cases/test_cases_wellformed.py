"""Every recorded case is whole: its manifests decode, its owners exist, its numbers add up, its lines are Karpenter's."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.karpenter.printed import parse_requirements
from bot.karpenter.refusals import format_refusal, parse_refusal
from bot.model.ec2 import InstanceTypeInfo, InstanceTypeOffering, SpotPrice, Subnet, decode_rows
from bot.model.karpenter import EC2NodeClass, NodeClaim, NodePool
from bot.model.kubernetes import (
    DaemonSet,
    Event,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    StorageClass,
)
from bot.model.objects import Object, decode
from bot.model.quantities import Quantity, total
from tests.cases.builder.blocked import seed
from tests.cases.builder.case import V1_8
from tests.cases.builder.objects import moment
from tests.cases.builder.words import BIG_BUT_FORBIDDEN, GPU, could_not_schedule, no_type, refusal

HERE: Final = Path(__file__).parent
CASES: Final = sorted(path.parent for path in HERE.glob("*/case.yaml"))
SEED: Final = HERE / "seed-efa-8-on-g6e-8xlarge"
DECODED: Final[Mapping[str, type[Object]]] = {
    "DaemonSet": DaemonSet,
    "EC2NodeClass": EC2NodeClass,
    "Event": Event,
    "Namespace": Namespace,
    "Node": Node,
    "NodeClaim": NodeClaim,
    "NodePool": NodePool,
    "PersistentVolume": PersistentVolume,
    "PersistentVolumeClaim": PersistentVolumeClaim,
    "Pod": Pod,
    "StorageClass": StorageClass,
}
NOT_MANIFESTS: Final = ("case.yaml", "meta.yaml")
Raw = dict[str, Any]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)


@cache
def manifests(case: Path) -> tuple[Raw, ...]:
    """All Kubernetes objects of a case, Lists taken apart."""
    read = (
        yaml.load(f.read_text(), yaml.CSafeLoader) for f in sorted(case.glob("*.yaml")) if f.name not in NOT_MANIFESTS
    )
    return tuple(item for one in read for item in one["items"])


def written(case: Path) -> Raw:
    loaded = yaml.safe_load((case / "case.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def of_kind(case: Path, kind: str) -> Iterator[Raw]:
    return (one for one in manifests(case) if one["kind"] == kind)


def refusals(case: Path) -> Iterator[str]:
    """What Karpenter says against pods, in the log and in events."""
    for log in case.glob("*.log"):
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            if entry["message"] == "could not schedule pod":
                yield entry["error"]
    for event in of_kind(case, "Event"):
        if (
            event["reason"] == "FailedScheduling"
            and "source" in event
            and event["source"].get("component") == "karpenter"
        ):
            yield event["message"].removeprefix("Failed to schedule pod, ")


def test_the_cases_are_found() -> None:
    assert len(CASES) >= 22


@every_case
def test_manifests_decode_and_are_told_apart_by_their_uids(case: Path) -> None:
    for one in manifests(case):
        if one["kind"] in DECODED:
            decode(one, DECODED[one["kind"]])
    uids = [one["metadata"]["uid"] for one in manifests(case)]
    assert len(uids) == len(set(uids))


@every_case
def test_every_owner_is_there(case: Path) -> None:
    by_uid = {one["metadata"]["uid"]: one for one in manifests(case)}
    for one in manifests(case):
        for owner in one["metadata"].get("ownerReferences", ()):
            found = by_uid[owner["uid"]]
            assert (found["kind"], found["metadata"]["name"]) == (owner["kind"], owner["name"])


@every_case
def test_the_question_is_about_a_pod_that_waits_and_says_what_is_right(case: Path) -> None:
    asked, expected = written(case)["question"], written(case)["expect"]
    namespace, name = asked.split("/")
    pods = [
        p for p in of_kind(case, "Pod") if p["metadata"]["name"] == name and p["metadata"]["namespace"] == namespace
    ]
    if expected["causes"][:1] == ["namespace-quota-exceeded"]:
        assert not pods  # that is the point: they were never made
    else:
        (pod,) = pods
        turned_away = pod["status"].get("reason") == "UnexpectedAdmissionError"
        assert pod["status"]["phase"] == ("Failed" if turned_away else "Pending")
        assert ("nodeName" in pod["spec"]) == (expected["verdict"] == "running")
    assert not set(expected["causes"]) & set(expected["not_causes"])
    assert bool(expected["causes"]) or expected["verdict"] in ("launchable", "launching", "running")
    assert not expected["causes"] or expected["verdict"] != "launchable"
    pools = {p["metadata"]["name"] for p in of_kind(case, "NodePool")}
    assert expected["nodepool"] in pools or expected["nodepool"] == ""


@every_case
def test_events_are_from_before_now_and_about_the_objects_of_their_uids(case: Path) -> None:
    now = moment(yaml.safe_load((case / "meta.yaml").read_text().replace("now: ", "now: !!str "))["now"])
    by_uid = {one["metadata"]["uid"]: one for one in manifests(case)}
    for raw in of_kind(case, "Event"):
        event = decode(raw, Event)
        assert event.time is not None
        assert event.time <= now
        known = by_uid.get(event.involved_object.uid)
        assert known is None or known["metadata"]["name"] == event.involved_object.name
    assert all(moment(one["metadata"]["creationTimestamp"]) <= now for one in manifests(case))


@every_case
def test_karpenters_sentences_are_those_of_its_release(case: Path) -> None:
    version = yaml.safe_load((case / "meta.yaml").read_text()).get("karpenterVersion", "1.8.1")
    release = tuple(int(part) for part in version.split("."))
    for text in refusals(case):
        parsed = parse_refusal(text)
        assert parsed is not None
        assert parsed.complete, text
        assert format_refusal(parsed, release) == text


@every_case
def test_no_secret_is_kept(case: Path) -> None:
    assert not list(of_kind(case, "Secret"))
    assert "secretKeyRef" not in "".join(path.read_text() for path in case.glob("*.yaml"))


def test_the_daemons_and_the_pod_add_up_to_the_seeds_own_log_line() -> None:
    line = json.loads((SEED / "karpenter.log").read_text().splitlines()[0])
    printed = json.loads(line["error"].split("resources=")[1])
    (pod,) = (decode(p, Pod) for p in of_kind(SEED, "Pod") if p["metadata"]["name"] == "llama-3-8b-node-0-1-z49j4")
    specs = [decode(d, DaemonSet).spec.template.spec for d in of_kind(SEED, "DaemonSet")]
    asked = total(c.resources.requests for spec in (*specs, pod.spec) for c in spec.containers)
    asked["pods"] = Quantity.of(len(specs) + 1)
    assert asked == {name: Quantity.parse(amount) for name, amount in printed.items()}


def test_the_seeds_real_lines_are_what_its_manifests_make_karpenter_print() -> None:
    """The builder's own line, but for reconcileID, is the recorded one: so the other cases' lines can be trusted."""
    (nodepool,) = (decode(p, NodePool) for p in of_kind(SEED, "NodePool") if p["metadata"]["name"] == "gpu")
    recorded = [json.loads(line) for line in (SEED / "karpenter.log").read_text().splitlines()]
    selector = {"node.kubernetes.io/instance-type": "g6e.8xlarge", "topology.kubernetes.io/zone": "ap-northeast-2a"}
    devices = {"nvidia.com/gpu": "1", "vpc.amazonaws.com/efa": "8"}
    why = refusal(no_type(BIG_BUT_FORBIDDEN, GPU, selector, devices))
    pods = [line["Pod"]["name"] for line in recorded]
    built = [json.loads(line) for line in could_not_schedule(V1_8, moment(recorded[0]["time"]), pods, why)]
    for line in (*recorded, *built):
        del line["reconcileID"]
    assert built == recorded
    assert [list(line) for line in built] == [list(line) for line in recorded]
    wanted = parse_requirements(recorded[0]["error"].split("requirements=")[1].split(", resources=")[0])
    assert wanted is not None
    required = {r.key: tuple(sorted(r.values)) for r in nodepool.spec.template.spec.requirements}
    labels = {key: (value,) for key, value in nodepool.spec.template.metadata.labels.items()}
    own = {"karpenter.sh/nodepool": ("gpu",), "karpenter.k8s.aws/ec2nodeclass": ("gpu",)}
    assert {r.key: r.values for r in wanted} == {**required, **labels, **own, **{k: (v,) for k, v in selector.items()}}


def test_the_seeds_manifests_are_the_builders() -> None:
    (pod,) = (p for p in of_kind(SEED, "Pod") if p["metadata"]["name"] == "llama-3-8b-node-0-1-z49j4")
    assert pod in seed().files["pods"]


def test_the_regions_ec2_data_decodes_and_every_type_has_offerings_and_prices() -> None:
    folder = SEED / "ec2"
    read = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    types = {
        t.instance_type: t for t in decode_rows(read["describe-instance-types"]["InstanceTypes"], InstanceTypeInfo)
    }
    offered = decode_rows(read["describe-instance-type-offerings"]["InstanceTypeOfferings"], InstanceTypeOffering)
    assert {row.instance_type for row in offered} == set(types)
    spot = decode_rows(read["describe-spot-price-history"]["SpotPriceHistory"], SpotPrice)
    sold = {
        (row.instance_type, row.location)
        for row in offered
        if "spot" in types[row.instance_type].supported_usage_classes
    }
    assert {(row.instance_type, row.availability_zone) for row in spot} == sold
    priced = (json.loads(entry)["product"]["attributes"]["instanceType"] for entry in read["get-products"]["PriceList"])
    assert set(priced) == set(types)
    subnets = {row.subnet_id: row.availability_zone for row in decode_rows(read["describe-subnets"]["Subnets"], Subnet)}
    (gpu,) = (decode(c, EC2NodeClass) for c in of_kind(SEED, "EC2NodeClass"))
    assert {subnet.id: subnet.zone for subnet in gpu.status.subnets} == subnets
