"""Snapshot folders: written by the bot or by hand, whole, with gaps, and broken in every way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.model.ec2 import Ec2Facts, OnDemandPrice, ServiceQuota, SpotPrice, Subnet
from bot.model.world import Missing, World
from bot.sources.cluster import Cluster
from bot.sources.errors import PodNotFound, SeveralPods, SnapshotError
from bot.sources.kube_api import open_connection
from bot.sources.pod_search import PodQuestion, find_pod
from bot.sources.regions import region_of
from bot.sources.snapshot import read_snapshot
from bot.sources.snapshot_writer import Recording, write_snapshot
from tests.fakes.kube import serving
from tests.sources.manifests import (
    CLUSTER,
    JOB,
    KARPENTER_LOG,
    LOGS,
    NODE,
    NODE_POOL,
    POD,
    Manifest,
    karpenter_pod,
    pod,
    thing,
)

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
TAKEN: Final = datetime(2025, 12, 28, 6, 5, tzinfo=UTC)
WHICH: Final = PodQuestion(name="llama-node-0-1-z49j4", namespace="train")
DATA: Final = Path(__file__).parents[1] / "data" / "ec2" / "ap-northeast-2"


def put(folder: Path, name: str, *documents: object) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"---\n{d}" if isinstance(d, str) else f"---\n{yaml.safe_dump(d)}" for d in documents)
    file.write_text(json.dumps(documents[0]) if name.endswith(".json") else text)


def fields(world: World, *, besides: tuple[str, ...] = ()) -> dict[str, Any]:
    return {f: getattr(world, f) for f in World.__dataclass_fields__ if f not in besides}


async def test_what_was_read_live_reads_the_same_from_the_folder(tmp_path: Path) -> None:
    facts = Ec2Facts(
        region="ap-northeast-2",
        spot_prices=(SpotPrice(instance_type="g6e.8xlarge", availability_zone="ap-northeast-2a", spot_price="1.2"),),
        on_demand_prices=(OnDemandPrice(instance_type="c7i.metal-24xl", price_per_hour=4.5, effective="2025-12-01"),),
        subnets=(Subnet(subnet_id="subnet-1", available_ip_address_count=8),),
        capacity_reservations=(),
        quotas=(ServiceQuota(quota_code="L-DB2E81BA", value=64.0),),
    )
    async with (
        serving(CLUSTER, logs=LOGS) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(tmp_path))) as connection,
    ):
        recording = Recording(connection)
        cluster = Cluster(recording)
        found = await cluster.observe_pod(WHICH)
        world = await cluster.observe_world(found, TAKEN)
    world = World(**fields(world, besides=("ec2",)), ec2=facts)
    write_snapshot(tmp_path / "taken", world, recording)
    again = read_snapshot(tmp_path / "taken", NOW)
    assert find_pod(again, WHICH) == found
    other = ("pods", "events", "workloads", "missing")
    assert fields(again, besides=other) == fields(world, besides=other)
    assert {(w.kind, w.metadata.name) for w in again.workloads} == {(w.kind, w.metadata.name) for w in world.workloads}
    assert set(map(str, again.events)) >= set(map(str, world.events))
    assert {p.metadata.name for p in again.pods} >= {p.metadata.name for p in world.pods}
    assert {gap.what for gap in again.missing} == {"EC2 instance types", "which zones offer which instance types"}
    with pytest.raises(SnapshotError, match="not empty"):
        write_snapshot(tmp_path / "taken", world, recording)


async def test_no_credential_gets_into_a_snapshot(tmp_path: Path) -> None:
    leaky = pod(
        "leaky",
        spec={
            "containers": [
                {
                    "name": "main",
                    "env": [
                        {"name": "HF_HOME", "value": "leak-env"},
                        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "k"}}},
                    ],
                    "args": ["--lr=3e-4", "--wandb-api-key=leak-arg", "--password", "leak-word", "hf_" + "l" * 30],
                    "command": ["sh", "-c", "git clone https://bot:leak-url@example.org/x"],
                }
            ]
        },
        owner=JOB,
    )
    leaky["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "leak-applied",
        "example.org/api-token": "leak-annotation",
        "example.org/note": "fine",
    }
    leaky["metadata"]["managedFields"] = [{"manager": "leak-managed"}]
    job = {**JOB, "spec": {"template": leaky["spec"], "rayStartParams": {"redis-password": "leak-param"}}}
    node_class = thing(
        "karpenter.k8s.aws/v1", "EC2NodeClass", "gpu", spec={"userData": "#!/bin/sh\nexport X=leak-data"}
    )
    objects = [leaky, job, NODE_POOL, node_class, karpenter_pod("karpenter-a")]
    log = b'{"level":"ERROR","message":"x","error":"token eyJhbGciOiJI.eyJsZWFrIjoi.leak-log"}\n'
    async with (
        serving(objects, logs={"kube-system/karpenter-a": log}) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(tmp_path))) as connection,
    ):
        recording = Recording(connection)
        found = await Cluster(recording).observe_pod(PodQuestion(name="leaky", namespace="train"))
        world = await Cluster(recording).observe_world(found, TAKEN)
    write_snapshot(tmp_path / "taken", world, recording)
    text = "".join(file.read_text() for file in (tmp_path / "taken").rglob("*") if file.is_file())
    assert "leak" not in text.replace("leaky", "")
    assert "hunter2" not in text
    for kept in ("--lr=3e-4", "example.org/note", "secretKeyRef", "RESERVED_ENIS", "HF_HOME", '"name": "leaky"'):
        assert kept in text, kept
    assert read_snapshot(tmp_path / "taken", NOW).settings == world.settings


def test_a_hand_made_folder_in_every_accepted_shape(tmp_path: Path) -> None:
    put(tmp_path, "objects.yaml", POD, JOB)
    put(
        tmp_path,
        "more/typed-list.json",
        {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePoolList",
            "items": [{k: v for k, v in NODE_POOL.items() if k not in ("apiVersion", "kind")}],
        },
    )
    put(tmp_path, "nodes.yml", {"apiVersion": "v1", "kind": "List", "items": []})
    put(tmp_path, "empty.yaml", "# nothing here\n")
    beta = {**NODE_POOL, "apiVersion": "karpenter.sh/v1beta1", "spec": {"disruption": {"expireAfter": "720h"}}}
    put(tmp_path, "old.yaml", {**beta, "metadata": {"name": "old"}})
    put(
        tmp_path,
        "date.yaml",
        "apiVersion: v1\nkind: Node\nmetadata: {name: n, creationTimestamp: 2025-12-28T05:00:00Z}\n",
    )
    new_event = {"regarding": {"kind": "Pod", "name": "x"}, "note": "said", "reportingController": "karpenter"}
    times = {"deprecatedLastTimestamp": "2025-12-28T06:09:00Z", "eventTime": None}
    put(tmp_path, "events.yaml", thing("events.k8s.io/v1", "Event", "e", "train", **new_event, **times))
    put(tmp_path, "secret.yaml", thing("v1", "Secret", "s", "train", data="not even a mapping"))
    put(tmp_path, "stranger.yaml", thing("example.org/v1", "Unrelated", "u", "train"))
    (tmp_path / "windows.json").write_bytes(json.dumps(thing("v1", "Namespace", "train")).encode("utf-16"))
    (tmp_path / "karpenter.log").write_bytes(KARPENTER_LOG + b"\n\xff\xfebroken")
    (tmp_path / ".hidden.yaml").write_text("{broken")
    (tmp_path / "notes.txt").write_text("{broken")
    world = read_snapshot(tmp_path, NOW)
    assert [w.kind for w in world.workloads] == ["Job"]
    assert {p.metadata.name: p.api_version for p in world.node_pools} == {
        "gpu": "karpenter.sh/v1",
        "old": "karpenter.sh/v1beta1",
    }
    assert world.nodes[0].metadata.creation_timestamp == datetime(2025, 12, 28, 5, tzinfo=UTC)
    assert [(e.message, e.component, e.involved_object.name) for e in world.events] == [("said", "karpenter", "x")]
    assert [n.metadata.name for n in world.namespaces] == ["train"]
    assert len(world.karpenter_log) == 4
    assert world.now == datetime(2025, 12, 28, 6, 9, tzinfo=UTC)  # the newest time in the folder
    what = {gap.what for gap in world.missing}
    assert {"ec2nodeclasses.karpenter.k8s.aws", "spot prices", "daemonsets.apps"} <= what
    assert not what & {"nodepools.karpenter.sh", "events", "nodes", "Karpenter's log"}


def test_an_object_in_two_files_counts_once_and_odd_log_lines_do_no_harm(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", NODE)
    put(tmp_path, "b.yaml", {**NODE, "spec": {"unschedulable": True}})
    lines = '{"time":"2025-06-31T00:00:00Z"}\r\n{"time":"2025-06-30T00:00:00.123456789Z","error":"a\u2028b"}\n'
    (tmp_path / "karpenter.log").write_bytes(lines.encode())
    world = read_snapshot(tmp_path, NOW)
    assert [n.spec.unschedulable for n in world.nodes] == [True]
    assert world.karpenter_log == tuple(lines.replace("\r", "").strip().split("\n"))
    assert world.now == datetime(2025, 6, 30, microsecond=123456, tzinfo=UTC)


def test_meta_wins_over_what_the_objects_tell(tmp_path: Path) -> None:
    put(tmp_path, "objects.yaml", POD, NODE, karpenter_pod("karpenter-a"))
    world = read_snapshot(tmp_path, NOW)
    assert (world.cluster, world.karpenter_version, world.ec2.region) == ("training", "1.8.2", "ap-northeast-2")
    meta = {"region": "eu-west-1", "clusterName": "mine", "karpenterVersion": "0.37.0", "now": "2025-12-28T06:05:00Z"}
    put(tmp_path, "meta.yaml", meta)
    world = read_snapshot(tmp_path, NOW)
    assert (world.cluster, world.karpenter_version, world.ec2.region) == ("mine", "0.37.0", "eu-west-1")
    assert world.now == TAKEN


def test_an_empty_folder_is_all_gaps(tmp_path: Path) -> None:
    world = read_snapshot(tmp_path, NOW)
    assert world.now == NOW
    assert len(world.missing) == 7 + 7
    assert Missing(what="Karpenter's log", why="not in the snapshot") in world.missing
    with pytest.raises(SnapshotError, match="no such folder"):
        read_snapshot(tmp_path / "nowhere", NOW)


def test_placements_count_only_when_no_node_is_bare(tmp_path: Path) -> None:
    put(tmp_path, "nodes.yaml", NODE, thing("v1", "Node", "bare"))
    put(tmp_path, "pods.yaml", POD, pod("p", phase="Running", spec={"nodeName": NODE["metadata"]["name"]}))
    assert not read_snapshot(tmp_path, NOW).placements_known
    put(tmp_path, "more.yaml", pod("q", phase="Running", spec={"nodeName": "bare"}))
    assert read_snapshot(tmp_path, NOW).placements_known


def test_ec2_answers_as_the_aws_cli_prints_them(tmp_path: Path) -> None:
    (tmp_path / "ec2").symlink_to(DATA, target_is_directory=True)
    put(tmp_path, "meta.yaml", {"region": "ap-northeast-2"})
    ec2 = read_snapshot(tmp_path, NOW).ec2
    rows = (ec2.instance_types, ec2.offerings, ec2.spot_prices, ec2.on_demand_prices, ec2.subnets, ec2.quotas)
    assert all(rows)
    assert ec2.capacity_reservations == ()
    assert {p.instance_type for p in ec2.on_demand_prices or ()} <= {t.instance_type for t in ec2.instance_types or ()}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "kind: Pod\nmetadata:\n  name: x\n bad: y\n", r"^a\.yaml:4: broken YAML: "),
        ("a.yaml", "kind: 'Pod\n", r"^a\.yaml:2: broken YAML: "),
        ("a.yaml", "kind: Pod\nx: \x07\n", r"^a\.yaml:2: broken YAML: "),
        ("a.json", '{"kind": "Pod",\n "metadata": {,}}', r"^a\.json:2: broken JSON: "),
        ("a.json", "", r"^a\.json:1: empty file"),
        ("a.yaml", "- just\n- a list\n", r"^a\.yaml: neither a Kubernetes object nor a List"),
        ("a.yaml", "kind: Pod\nmetadata: {name: x}\n", r"^a\.yaml: Pod x: `None` is no apiVersion"),
        (
            "sub/a.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: n}\nspec: {tolerations: all}\n",
            r"^sub/a\.yaml: Pod n/x: Expected `array`, got `str` - at `\$\.spec\.tolerations`$",
        ),
        (
            "a.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: karpenter.sh/v1, kind: NodePool, "
            "metadata: {name: gpu}, spec: {limits: {cpu: lots}}}\n",
            r"^a\.yaml: NodePool gpu: `lots` is not a quantity .* - at `\$\.spec\.limits",
        ),
        ("a.yaml", "apiVersion: v1\nkind: List\nitems: [3]\n", r"^a\.yaml: object : not an object"),
        ("a.yaml", "apiVersion: v1\nkind: List\nitems: 3\n", r"^a\.yaml: List: `items` is no list"),
        ("meta.yaml", "now: yesterday\n", r"^meta\.yaml: now: `yesterday` is not a time"),
        ("meta.yaml", "now: 2025-12-28T06:05:00\n", r"^meta\.yaml: now: `2025-12-28T06:05:00` has no time zone"),
        ("meta.yaml", "- region\n", r"^meta\.yaml: not a mapping"),
        ("ec2/describe-subnets.json", "[]", r"^ec2/describe-subnets\.json: no list `Subnets`"),
        ("ec2/describe-subnets.json", '{"Subnets": [{}]}', r"^ec2/describe-subnets\.json: Subnets: .*SubnetId"),
        (
            "ec2/get-products.json",
            '{"PriceList": ["{"]}',
            r"^ec2/get-products\.json: PriceList: an entry of PriceList: ",
        ),
    ],
)
def test_broken_files_are_named_with_place_and_reason(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(SnapshotError, match=message) as error:
        read_snapshot(tmp_path, NOW)
    assert "\n" not in str(error.value)


def test_a_two_megabyte_log_line_and_a_cut_one_are_kept(tmp_path: Path) -> None:
    (tmp_path / "karpenter.log").write_text("x" * (2 << 20) + "\n" + '{"level":"ERROR","mess')
    assert [len(line) for line in read_snapshot(tmp_path, NOW).karpenter_log] == [2 << 20, 22]


def test_a_name_finds_its_pod_in_a_snapshot(tmp_path: Path) -> None:
    put(tmp_path, "pods.yaml", *[o for o in CLUSTER if o["kind"] == "Pod"], pod("llama-node-0-2-dxnht", owner=JOB))
    world = read_snapshot(tmp_path, NOW)
    assert find_pod(world, PodQuestion.parse("train/llama-node-0-1-z49j4")).metadata.name == "llama-node-0-1-z49j4"
    with pytest.raises(SeveralPods) as several:
        find_pod(world, PodQuestion.parse("job/llama-node-0"))
    assert several.value.total == 2
    with pytest.raises(PodNotFound) as lost:
        find_pod(world, PodQuestion.parse("train/llama-node-0-1-z49j5"))
    assert lost.value.nearest[0] == "train/llama-node-0-1-z49j4"
    with pytest.raises(PodNotFound) as elsewhere:
        find_pod(world, PodQuestion.parse("shop/device-plugin-1"))
    assert elsewhere.value.fits == ("kube-system/device-plugin-1",)


@pytest.mark.parametrize(
    ("manifest", "region"),
    [
        (
            {
                "requirements": [
                    {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2-lax-1a"]}
                ]
            },
            "us-west-2",
        ),
        (
            {"requirements": [{"key": "topology.kubernetes.io/region", "operator": "In", "values": ["us-gov-west-1"]}]},
            "us-gov-west-1",
        ),
        (
            {"requirements": [{"key": "topology.kubernetes.io/zone", "operator": "NotIn", "values": ["eu-west-1a"]}]},
            "ap-northeast-2",
        ),
    ],
)
def test_the_region_is_told_by_the_nodepool_before_the_nodes(tmp_path: Path, manifest: Manifest, region: str) -> None:
    put(tmp_path, "a.yaml", NODE, thing("karpenter.sh/v1", "NodePool", "p", spec={"template": {"spec": manifest}}))
    assert read_snapshot(tmp_path, NOW).ec2.region == region
    assert region_of(read_snapshot(tmp_path, NOW), "sa-east-1") == region
