"""EC2's real descriptions, from the `moto` package, for tests of instance types; and those that it no longer carries."""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from bot.model.ec2 import InstanceTypeInfo, decode_rows

Json = dict[str, object]
_NO_LONGER_CARRIED = Path(__file__).parents[1] / "data" / "ec2" / "g4ad.json"


def _moto(path: str) -> bytes:
    return gzip.decompress(files("moto").joinpath("ec2", "resources", path).read_bytes())


@cache
def raw_descriptions() -> Mapping[str, Json]:
    """Rows of DescribeInstanceTypes as the AWS CLI prints them, by type."""
    carried = msgspec.json.decode(_moto("instance_types.json.gz"), type=dict[str, Json])
    more = msgspec.json.decode(_NO_LONGER_CARRIED.read_bytes(), type=dict[str, list[Json]])
    return carried | {str(row["InstanceType"]): row for row in more["InstanceTypes"]}


@cache
def described() -> Mapping[str, InstanceTypeInfo]:
    """The same rows, read."""
    rows = decode_rows(list(raw_descriptions().values()), InstanceTypeInfo)
    return {row.instance_type: row for row in rows}
