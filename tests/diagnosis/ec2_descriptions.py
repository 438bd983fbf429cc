"""EC2's real descriptions, from the `moto` package, for tests of instance types."""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from bot.model.ec2 import InstanceTypeInfo, decode_rows

Json = dict[str, object]


def _moto(path: str) -> bytes:
    return gzip.decompress(files("moto").joinpath("ec2", "resources", path).read_bytes())


@cache
def raw_descriptions() -> Mapping[str, Json]:
    """Rows of DescribeInstanceTypes as the AWS CLI prints them, by type."""
    return msgspec.json.decode(_moto("instance_types.json.gz"), type=dict[str, Json])


@cache
def described() -> Mapping[str, InstanceTypeInfo]:
    """The same rows, read."""
    rows = decode_rows(list(raw_descriptions().values()), InstanceTypeInfo)
    return {row.instance_type: row for row in rows}
