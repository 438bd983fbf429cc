"""Instance types: equal to those that Karpenter publishes, and to its own resolver's for every kind of EC2NodeClass."""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.diagnosis.instance_memory import discovered_memory
from bot.diagnosis.instance_types import catalogue, prepared, resolve
from bot.model.ec2 import Ec2Facts, InstanceTypeInfo, Subnet
from bot.model.karpenter import EC2NodeClass, NodeClaim
from bot.model.kubernetes import Node
from bot.model.labels import ARCH, CAPACITY_TYPE, OS, REGION, WINDOWS_BUILD, ZONE, ZONE_ID
from bot.model.objects import decode
from bot.model.quantities import Quantity
from bot.model.world import InstanceType, Settings
from tests.diagnosis.ec2_descriptions import Json, described, raw_descriptions
from tests.oracle.available import compared_with_karpenter
from tests.oracle.client import resolve_instance_types
from tools.refresh_instance_tables import TARGET, VERSION, generated, observe_module

PUBLISHED = Path(__file__).parents[1] / "data" / "karpenter-instance-types.json.gz"
AWS = "karpenter.k8s.aws/instance-"
GIB = 2**30
ZONES = {"us-east-1a": "use1-az4", "us-east-1b": "use1-az6"}

DATED_CLOCKS = {"c9g": 2.8, "c9gd": 2.8, "m9g": 2.8, "m9gd": 2.8, "i7i": 2.4, "i7ie": 3.6}
DATED_INTERFACES = {"i7ie.48xlarge": 15, "i7ie.metal-48xl": 15, "i8ge.48xlarge": 24, "i8ge.metal-48xl": 24}
"""EC2's own figures on the day of Karpenter's page, where EC2 has since corrected them: sustained GHz by family, and
interfaces of the default network card by type."""


def node_class(spec: Mapping[str, object] | None = None, **status: object) -> EC2NodeClass:
    """One with a subnet in each of ZONES; AL2023 unless `spec` says otherwise."""
    subnets = [{"id": f"subnet-{zone}", "zone": zone, "zoneID": zone_id} for zone, zone_id in ZONES.items()]
    whole = {
        "metadata": {"name": "default"},
        "spec": {"amiSelectorTerms": [{"alias": "al2023@latest"}], **(spec or {})},
        "status": {"subnets": subnets, **status},
    }
    return decode(whole, EC2NodeClass)


def facts(*rows: InstanceTypeInfo) -> Ec2Facts:
    """EC2's descriptions alone, with the account's subnets."""
    subnets = tuple(
        Subnet(subnet_id=zone, availability_zone=zone, availability_zone_id=zone_id) for zone, zone_id in ZONES.items()
    )
    return Ec2Facts(region="us-east-1", instance_types=rows, subnets=subnets)


def of(name: str, spec: Mapping[str, object] | None = None, settings: Settings = Settings()) -> InstanceType:  # noqa: B008
    """One type for an EC2NodeClass."""
    (found,) = resolve(facts(described()[name]), node_class(spec), settings)
    return found


def dated(row: InstanceTypeInfo) -> InstanceTypeInfo:
    """The description as EC2 gave it when Karpenter's page was made. Fails when there is no difference any more."""
    clock = DATED_CLOCKS.get(row.instance_type.split(".")[0])
    if clock is not None:
        assert row.processor_info.sustained_clock_speed_in_ghz != clock
        processor = msgspec.structs.replace(row.processor_info, sustained_clock_speed_in_ghz=clock)
        row = msgspec.structs.replace(row, processor_info=processor)
    interfaces = DATED_INTERFACES.get(row.instance_type)
    if interfaces is not None:
        card, *others = row.network_info.network_cards
        assert card.maximum_network_interfaces != interfaces
        cards = (msgspec.structs.replace(card, maximum_network_interfaces=interfaces), *others)
        row = msgspec.structs.replace(row, network_info=msgspec.structs.replace(row.network_info, network_cards=cards))
    return row


class Published(msgspec.Struct):
    labels: dict[str, str]
    resources: dict[str, str]


def as_published(found: InstanceType) -> Published:
    """What Karpenter's page would show: single-valued labels but for the regional ones, and what is not 0."""
    regional = (REGION, ZONE, ZONE_ID, CAPACITY_TYPE)
    labels = {k: next(iter(v)) for k, v in found.labels.items() if len(v) == 1 and k not in regional}
    return Published(labels, {name: str(amount) for name, amount in found.allocatable.items() if amount})


def test_every_published_type_is_derived_label_by_label_and_byte_by_byte() -> None:
    published = msgspec.json.decode(gzip.decompress(PUBLISHED.read_bytes()), type=dict[str, Published])
    assert len(published) == 1363
    rows = (dated(row) for row in described().values())
    derived = {t.name: as_published(t) for t in resolve(facts(*rows), node_class(), Settings())}

    assert published.keys() <= derived.keys()
    for name in published:
        # The page alone prints ephemeral storage in another format than Karpenter's: GiB although decimal
        assert Quantity.parse(derived[name].resources["ephemeral-storage"]) == Quantity.of(17 * GIB), name
        derived[name].resources["ephemeral-storage"] = "17Gi"
        assert derived[name] == published[name], name


def test_karpenter_never_asks_for_other_architectures() -> None:
    listed = {t.name for t in resolve(facts(*described().values()), node_class(), Settings())}
    macs = {name for name in described() if name.startswith("mac")}
    assert macs
    assert described().keys() - listed == macs


NETWORK: Json = {
    "networkInterfaces": [
        {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"},
        {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "efa-only"},
        {"networkCardIndex": 1, "deviceIndex": 1, "interfaceType": "efa-only"},
    ]
}


def mapping(device: str, size: str = "", *, root: bool = False) -> Json:
    return {"deviceName": device, "rootVolume": root, "ebs": {"volumeSize": size} if size else {"snapshotID": "snap-1"}}


def family(alias: str, **more: object) -> Json:
    return {"amiSelectorTerms": [{"alias": f"{alias}@latest"}], **more}


def custom(*mappings: Json) -> Json:
    return {"amiFamily": "Custom", "amiSelectorTerms": [{"id": "ami-1"}], "blockDeviceMappings": list(mappings)}


KUBELET: Json = {
    "kubeReserved": {"cpu": "123m", "memory": "1.5Gi", "ephemeral-storage": "3G"},
    "systemReserved": {"cpu": "100m", "memory": "100M", "pid": "10"},
    "evictionHard": {"memory.available": "5.5%", "nodefs.available": "7%"},
    "evictionSoft": {"memory.available": "50%"},
}
RESERVATIONS: Json = {
    "capacityReservations": [
        {
            "id": f"cr-{number}",
            "instanceType": "p5.48xlarge",
            "availabilityZone": zone,
            "instanceMatchCriteria": "targeted",
            "ownerID": "111122223333",
            "reservationType": kind,
            "interruptible": kind == "default",
            "state": "active",
        }
        for number, zone, kind in ((1, "us-east-1a", "capacity-block"), (2, "us-east-1b", "default"))
    ]
}
VARIANTS: dict[str, tuple[Json, Json, Settings]] = {
    "al2": (family("al2", kubelet={"maxPods": 20}), {}, Settings()),
    "al2023": (family("al2023", kubelet={"podsPerCore": 4}), {}, Settings()),
    "bottlerocket": (
        family(
            "bottlerocket",
            kubelet={"podsPerCore": 3, "maxPods": 20},
            blockDeviceMappings=[mapping("/dev/xvda", "4Gi"), mapping("/dev/xvdb", "123G")],
        ),
        {},
        Settings(),
    ),
    "windows2019-raid0": (family("windows2019", instanceStorePolicy="RAID0"), {}, Settings()),
    "windows2022": (family("windows2022", kubelet={"podsPerCore": 10}), {}, Settings()),
    "windows2025": (family("windows2025", kubelet={"evictionHard": {"memory.available": "100%"}}), {}, Settings()),
    "custom": (custom(mapping("/dev/xvda", "30Gi"), mapping("/dev/xvdz", "77Gi")), {}, Settings()),
    "custom-snapshot": (custom(mapping("/dev/xvda", "30Gi"), mapping("/dev/xvdz")), {}, Settings()),
    "kubelet": ({"kubelet": KUBELET}, {}, Settings(vm_memory_overhead_percent=0.0333)),
    "root-volume": (
        {"blockDeviceMappings": [mapping("/dev/xvda", "30Gi"), mapping("/dev/xvdz", "1T", root=True)]},
        {},
        Settings(),
    ),
    "raid0": ({"instanceStorePolicy": "RAID0"}, {}, Settings(vm_memory_overhead_percent=0.0, reserved_enis=1)),
    # the prefixes that the VPC CNI takes are nothing to Karpenter: who delegates prefixes sets maxPods
    "prefix-delegation": ({"kubelet": {"maxPods": 110}, "ipPrefixCount": 1}, {}, Settings()),
    "prefixes-alone": ({"ipPrefixCount": 4}, {}, Settings()),
    "network": (NETWORK, {}, Settings(reserved_enis=2)),
    "reservations": ({}, RESERVATIONS, Settings()),
}


@pytest.mark.oracle
@pytest.mark.parametrize("variant", VARIANTS)
def test_karpenters_own_resolver_says_the_same_of_every_type(variant: str) -> None:
    """Labels with all their values, capacity and allocatable as Karpenter prints them."""
    spec, status, settings = VARIANTS[variant]
    whole_spec = {"amiSelectorTerms": [{"alias": "al2023@latest"}], **spec}
    options = {
        "region": "us-east-1",
        "zones": [{"name": zone, "id": zone_id} for zone, zone_id in ZONES.items()],
        "nodeClass": {"spec": whole_spec, "status": status},
        "vmMemoryOverheadPercent": settings.vm_memory_overhead_percent,
        "reservedENIs": settings.reserved_enis,
    }
    with compared_with_karpenter():
        theirs = resolve_instance_types({"InstanceTypes": list(raw_descriptions().values())}, options)
    assert [it.name for it in theirs if it.failure] == []
    ours = {t.name: t for t in resolve(facts(*described().values()), node_class(spec, **status), settings)}

    expected = {it.name: it for it in theirs if not it.excluded}
    assert ours.keys() == expected.keys()
    for name, it in expected.items():
        assert dict(ours[name].labels) == {r.key: frozenset(r.values or ()) for r in it.requirements}, name
        assert {k: str(v) for k, v in ours[name].capacity.items()} == it.capacity, name
        assert {k: str(v) for k, v in ours[name].allocatable.items()} == it.allocatable, name


# m5.large: 2 vCPU, 8192 MiB less 615 for the hypervisor, 3 interfaces of 10 addresses: 29 pods.
@pytest.mark.parametrize(
    ("spec", "settings", "expected"),
    [
        # 7577 - (11*29 + 255) - 100
        (family("al2023"), Settings(), {"cpu": "1930m", "memory": "6903Mi", "pods": "29"}),
        # The reserve stays that of 29 pods
        (family("al2", kubelet={"maxPods": 110}), Settings(), {"memory": "6903Mi", "pods": "110"}),
        (family("al2023", kubelet={"podsPerCore": 4}), Settings(), {"memory": "6903Mi", "pods": "8"}),
        # 7577 - (11*20 + 255) - 100; podsPerCore is not for Bottlerocket
        (
            family("bottlerocket", kubelet={"maxPods": 20, "podsPerCore": 1}),
            Settings(),
            {"memory": "7002Mi", "pods": "20"},
        ),
        # 110 pods whatever the interfaces; 7577 - (11*110 + 255) - 100; 50Gi - 1Gi - 5Gi
        (
            family("windows2022"),
            Settings(),
            {"memory": "6012Mi", "pods": "110", "vpc.amazonaws.com/PrivateIPv4Address": "9"},
        ),
        # One interface for custom networking: 2*9 + 2, but the reserve counts all three
        (family("al2023"), Settings(reserved_enis=1), {"memory": "6903Mi", "pods": "20"}),
        (family("al2023"), Settings(reserved_enis=3), {"memory": "6903Mi", "pods": "0"}),
        (family("al2023"), Settings(vm_memory_overhead_percent=0.0), {"memory": "7518Mi"}),
        # 2000 - 123 - 100
        (family("al2023", kubelet=KUBELET), Settings(), {"cpu": "1777m", "pods": "29"}),
    ],
)
def test_allocatable_of_a_small_type(spec: Json, settings: Settings, expected: Mapping[str, str]) -> None:
    found = of("m5.large", spec, settings).allocatable
    assert {name: str(found[name]) for name in expected} == expected


def gibibytes(size: int) -> int:
    """What is left of a volume of that many GiB: 1 GiB is the kubelet's, a tenth is where eviction begins."""
    return size * GIB - GIB - -(-size * GIB // 10)


@pytest.mark.parametrize(
    ("name", "spec", "left"),
    [
        ("m5.large", family("al2"), gibibytes(20)),
        ("m5.large", family("windows2019"), gibibytes(50)),
        ("m5.large", family("al2023", blockDeviceMappings=[mapping("/dev/xvda", "100Gi")]), gibibytes(100)),
        ("m5.large", family("al2023", blockDeviceMappings=[mapping("/dev/xvdb", "100Gi")]), gibibytes(20)),
        ("m5.large", family("bottlerocket", blockDeviceMappings=[mapping("/dev/xvda", "100Gi")]), gibibytes(20)),
        ("m5.large", family("bottlerocket", blockDeviceMappings=[mapping("/dev/xvdb", "100Gi")]), gibibytes(100)),
        (
            "m5.large",
            family("al2", blockDeviceMappings=[mapping("/dev/xvda", "9Gi"), mapping("/dev/sdz", "40Gi", root=True)]),
            gibibytes(40),
        ),
        ("m5.large", custom(mapping("/dev/xvda", "30Gi"), mapping("/dev/xvdz", "77Gi")), gibibytes(77)),
        ("m5.large", custom(mapping("/dev/xvda", "30Gi"), mapping("/dev/xvdz")), gibibytes(20)),
        ("m5.large", custom(), gibibytes(20)),
        # 8 × 1000 GB of instance store become one array; types without disks keep their volume
        ("p4d.24xlarge", family("al2023", instanceStorePolicy="RAID0"), 7200 * 10**9 - GIB),
        ("m5.large", family("al2023", instanceStorePolicy="RAID0"), gibibytes(20)),
        ("m5.large", family("al2023", kubelet={"evictionHard": {"nodefs.available": "4Gi"}}), 15 * GIB),
        ("m5.large", family("al2023", kubelet={"evictionHard": {"nodefs.available": "100%"}}), 19 * GIB),
    ],
)
def test_ephemeral_storage_lies_where_the_family_puts_it(name: str, spec: Json, left: int) -> None:
    assert of(name, spec).allocatable["ephemeral-storage"] == Quantity.of(left)


def test_windows_is_offered_on_amd64_alone() -> None:
    intel, graviton = of("m5.large", family("windows2022")), of("m7g.large", family("windows2022"))
    assert intel.labels[OS] == {"windows"}
    assert graviton.labels[ARCH] == {"arm64"}
    assert not graviton.labels[OS]
    assert intel.labels[WINDOWS_BUILD] == graviton.labels[WINDOWS_BUILD] == {"10.0.20348"}
    assert "vpc.amazonaws.com/PrivateIPv4Address" not in graviton.capacity


def test_configured_interfaces_decide_how_many_efa_devices_there_are() -> None:
    assert of("p5.48xlarge").capacity["vpc.amazonaws.com/efa"] == Quantity.of(32)
    configured = of("p5.48xlarge", NETWORK)
    assert configured.capacity["vpc.amazonaws.com/efa"] == Quantity.of(2)
    # Of the default card's two interfaces one is EFA-only and carries no pod's address: 49 + 2
    assert configured.capacity["pods"] == Quantity.of(51)


def test_an_unset_family_name_follows_the_alias_and_an_unknown_one_is_al2() -> None:
    few = {"kubelet": {"maxPods": 20}}
    ubuntu = of("m5.large", {"amiFamily": "Ubuntu", "amiSelectorTerms": [{"id": "ami-1"}], **few})
    assert str(ubuntu.allocatable["memory"]) == "6903Mi"
    assert str(of("m5.large", family("bottlerocket", **few)).allocatable["memory"]) == "7002Mi"
    assert str(of("m5.large", family("bottlerocket", amiFamily="Custom", **few)).allocatable["memory"]) == "6903Mi"


def test_a_running_nodes_real_memory_replaces_the_estimate() -> None:
    amis = [
        {"id": "ami-arm", "requirements": [{"key": ARCH, "operator": "In", "values": ["arm64"]}]},
        {"id": "ami-now", "requirements": [{"key": ARCH, "operator": "In", "values": ["amd64"]}]},
    ]
    ours = node_class(amis=amis)

    def pair(number: int, memory: str, image: str = "ami-now", registered: str = "true") -> tuple[Node, NodeClaim]:
        labels = {"node.kubernetes.io/instance-type": "m5.large", ARCH: "amd64", "karpenter.sh/registered": registered}
        node = {"metadata": {"labels": labels}, "spec": {"providerID": f"i-{number}"}}
        claim = {
            "spec": {"nodeClassRef": {"name": "default"}},
            "status": {"providerID": f"i-{number}", "imageID": image},
        }
        return decode({**node, "status": {"capacity": {"memory": memory}}}, Node), decode(claim, NodeClaim)

    seen = [
        pair(1, "7800000Ki"),
        pair(2, "7790000Ki"),
        pair(3, "7000000Ki", image="ami-old"),
        pair(4, "7000000Ki", registered="unknown"),
    ]
    stranger, _ = pair(5, "7000000Ki")
    memory = discovered_memory([*(node for node, _ in seen), stranger], [claim for _, claim in seen], ours)
    assert memory == {"m5.large": Quantity.parse("7790000Ki")}

    (found,) = resolve(facts(described()["m5.large"]), ours, Settings(), memory)
    assert str(found.capacity["memory"]) == "7790000Ki"
    assert found.allocatable["memory"] == Quantity.parse("7790000Ki") - Quantity.parse("674Mi")


def test_one_region_serves_many_node_classes() -> None:
    region = prepared(facts(described()["m5.large"]))
    small, large = (
        next(iter(catalogue(region, node_class({"kubelet": {"maxPods": pods}}), Settings()))) for pods in (10, 50)
    )
    assert (small.capacity["pods"], large.capacity["pods"]) == (Quantity.of(10), Quantity.of(50))
    assert small.offerings == large.offerings


def thresholds() -> Iterator[str]:
    yield from ("", "%", "nan%", "-5%", "1e999%", "1_0%", "5 %", "٣%", "abc", "1e400", "100%%")


@given(st.sampled_from(list(thresholds())) | st.text(max_size=8))
def test_no_eviction_setting_however_odd_breaks_the_catalogue(text: str) -> None:
    spec = family("al2023", kubelet={"evictionHard": {"memory.available": text, "nodefs.available": text}})
    found = of("m5.large", spec)
    assert found.allocatable.keys() == found.capacity.keys()


@pytest.mark.oracle
def test_the_carried_tables_are_karpenters() -> None:
    try:
        sources = observe_module(VERSION)
    except (SystemExit, FileNotFoundError) as reason:
        pytest.skip(f"Karpenter's sources are not at hand: {reason}")
    assert TARGET.read_text() == generated(VERSION, sources)
