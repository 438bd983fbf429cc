"""Writes tests/data/ec2/<region>: what EC2 says about one region, as the AWS CLI prints it, one row a line.

Types and offerings are EC2's own, from the `moto` package; of each row only the fields that bot/model/ec2.py declares are
kept. Prices cannot be had without AWS: they are made up on the rule that README.md in that folder states. Run with
`python -m tests.cases.build_ec2 --prices <Karpenter's zz_generated.pricing_aws.go>`.
"""

import argparse
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from bot.model.ec2 import InstanceTypeInfo, decode_rows

DATA: Final = Path(__file__).parents[1] / "data" / "ec2"
AS_OF: Final = "2025-12-28T00:00:00Z"
PRICE_LEVEL: Final = {"ap-northeast-2": 1.23}
"""What a price of us-east-1 is multiplied with: m5, g4dn and g5 cost some 1.23 times as much in Seoul."""
SPOT_SHARE: Final = (0.35, 0.60)
SUBNETS: Final = {"ap-northeast-2": ("apne2-az1", "apne2-az2", "apne2-az3", "apne2-az4")}
QUOTAS: Final = {
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 1920.0),
    "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 1920.0),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 1536.0),
    "L-3819A6DF": ("All G and VT Spot Instance Requests", 1536.0),
    "L-417A185B": ("Running On-Demand P instances", 768.0),
    "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 768.0),
    "L-C4BD4855": ("All P5 Spot Instance Requests", 768.0),
    "L-43DA4232": ("Running On-Demand High Memory instances", 896.0),
}

Row = Mapping[str, object]


def _moto(path: str) -> object:
    return json.loads(gzip.decompress(files("moto.ec2").joinpath("resources", path).read_bytes()))


def observe_offerings(region: str) -> list[dict[str, object]]:
    """The rows of DescribeInstanceTypeOfferings by availability zone, sorted."""
    rows = _moto(f"instance_type_offerings/availability-zone/{region}.json.gz")
    assert isinstance(rows, list)
    named = [
        {"InstanceType": r["InstanceType"], "LocationType": "availability-zone", "Location": r["Location"]}
        for r in rows
    ]
    return sorted(named, key=lambda row: (str(row["InstanceType"]), str(row["Location"])))


def observe_instance_types(names: Iterable[str]) -> list[object]:
    """The rows of DescribeInstanceTypes for those types, narrowed to the declared fields."""
    known = _moto("instance_types.json.gz")
    assert isinstance(known, dict)
    rows = decode_rows([known[name] for name in sorted(set(names))], InstanceTypeInfo)
    return [_without_nothing(msgspec.to_builtins(row)) for row in rows]


def _without_nothing(value: object) -> object:
    """Drops what reads the same when it is absent: nothing, false and zero."""
    if isinstance(value, dict):
        kept = {key: _without_nothing(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {}, False)}
    if isinstance(value, list | tuple):
        return [_without_nothing(inner) for inner in value]
    return value


def parse_prices(go_source: str) -> dict[str, float]:
    """Dollars an hour by type, from the table that Karpenter carries for us-east-1."""
    table = go_source.split('"us-east-1": {', 1)[1]
    return {name: float(price) for name, price in re.findall(r'"([a-z0-9-]+\.[a-z0-9-]+)": ([0-9.]+)', table)}


def _price(name: str, vcpus: int, known: Mapping[str, float], level: float) -> float:
    return round(known.get(name, 0.05 * vcpus) * level, 4)


def _spot_share(name: str, zone: str) -> float:
    """A share of the on-demand price between SPOT_SHARE's ends, always the same for a type in a zone."""
    low, high = SPOT_SHARE
    return low + (high - low) * hashlib.sha256(f"{name} {zone}".encode()).digest()[0] / 255


def product(region: str, name: str, price: float) -> str:
    """One entry of GetProducts' PriceList: a JSON text inside the JSON."""
    sku = hashlib.sha256(f"{region} {name}".encode()).hexdigest()[:16].upper()
    attributes = {
        "instanceType": name,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "preInstalledSw": "NA",
    }
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}}
    term = {"priceDimensions": {f"{sku}.JRTCKXETXF.6YS6EN2CT7": dimension}, "effectiveDate": "2025-12-01T00:00:00Z"}
    entry = {
        "product": {"productFamily": "Compute Instance", "attributes": attributes},
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
    }
    return json.dumps(entry, separators=(",", ":"))


def _subnets(region: str) -> list[Row]:
    """The training cluster's private subnets: one in each zone, found by Karpenter's discovery tag."""
    return [
        {
            "SubnetId": f"subnet-0a1b2c3d4e5f6a7{index}{letter}",
            "AvailabilityZone": f"{region}{letter}",
            "AvailabilityZoneId": zone_id,
            "AvailableIpAddressCount": 8100 - 37 * index,
            "CidrBlock": f"10.0.{96 + 32 * index}.0/19",
            "Tags": [
                {"Key": "Name", "Value": f"training-on-eks-private-{region}{letter}"},
                {"Key": "karpenter.sh/discovery", "Value": "training-on-eks"},
            ],
        }
        for index, (letter, zone_id) in enumerate(zip("abcd", SUBNETS[region], strict=True))
    ]


def _write(folder: Path, command: str, key: str, rows: Iterable[object]) -> None:
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (folder / f"{command}.json").write_text(f'{{"{key}": [\n{lines}\n]}}\n' if lines else f'{{"{key}": []}}\n')


def build(region: str, prices: Mapping[str, float]) -> None:
    """Writes every file of the region, replacing what was there."""
    folder = DATA / region
    folder.mkdir(parents=True, exist_ok=True)
    offerings = observe_offerings(region)
    types = observe_instance_types(str(row["InstanceType"]) for row in offerings)
    infos = {row.instance_type: row for row in decode_rows(types, InstanceTypeInfo)}
    on_demand = {n: _price(n, i.v_cpu_info.default_v_cpus, prices, PRICE_LEVEL[region]) for n, i in infos.items()}
    spot = [
        {
            "AvailabilityZone": row["Location"],
            "InstanceType": name,
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": f"{on_demand[name] * _spot_share(name, str(row['Location'])):.6f}",
            "Timestamp": AS_OF,
        }
        for row in offerings
        if "spot" in infos[name := str(row["InstanceType"])].supported_usage_classes
    ]
    _write(folder, "describe-instance-types", "InstanceTypes", types)
    _write(folder, "describe-instance-type-offerings", "InstanceTypeOfferings", offerings)
    _write(folder, "describe-spot-price-history", "SpotPriceHistory", spot)
    _write(folder, "get-products", "PriceList", (product(region, n, p) for n, p in sorted(on_demand.items())))
    _write(folder, "describe-subnets", "Subnets", _subnets(region))
    _write(folder, "describe-capacity-reservations", "CapacityReservations", ())
    quotas = ({"QuotaCode": c, "QuotaName": n, "Value": v, "ServiceCode": "ec2"} for c, (n, v) in QUOTAS.items())
    _write(folder, "service-quotas", "Quotas", quotas)
    unpriced = sorted(set(infos) - set(prices))
    print(f"{region}: {len(infos)} types, {len(offerings)} offerings by zone, moto {version('moto')}")
    print(f"no list price of us-east-1, guessed from vCPUs: {', '.join(unpriced) or 'none'}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--region", default="ap-northeast-2", choices=sorted(PRICE_LEVEL))
    arguments.add_argument(
        "--prices", type=Path, required=True, help="pkg/providers/pricing/zz_generated.pricing_aws.go"
    )
    given = arguments.parse_args()
    build(given.region, parse_prices(given.prices.read_text()))


if __name__ == "__main__":
    main()
