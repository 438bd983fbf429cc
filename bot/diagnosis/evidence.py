"""What shows a cause: each constraint's own field, what EC2 said, and the EC2 row that a resource was measured against."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bot.model.diagnosis import Constraint, Fact
from bot.model.labels import EFA
from bot.model.world import Refused

EC2_FIELD: Final = {
    EFA: "NetworkInfo.EfaInfo.MaximumEfaInterfaces",
    "nvidia.com/gpu": "GpuInfo.Gpus[].Count",
    "amd.com/gpu": "GpuInfo.Gpus[].Count",
    "habana.ai/gaudi": "GpuInfo.Gpus[].Count",
    "aws.amazon.com/neuron": "NeuronInfo.NeuronDevices[].Count",
    "cpu": "VCpuInfo.DefaultVCpus",
    "memory": "MemoryInfo.SizeInMiB",
}
"""The EC2 field that an amount comes from."""


def evidence_of(constraints: Sequence[Constraint], facts: Mapping[str, Fact]) -> Iterable[str]:
    """One line for each constraint, then the EC2 row that a resource was measured against."""
    for constraint in constraints:
        yield f"{named(constraint)}: {constraint.value}"
    meant, wanted = facts.get("meant"), facts.get("wanted")
    if isinstance(meant, tuple) and isinstance(wanted, tuple):
        pairs = ((has, is_) for has, is_ in zip(wanted, meant, strict=True) if is_)
        yield from (f"EC2: {has} is {is_} in this account" for has, is_ in pairs)
    attempts = facts.get("attempts")
    yield from (f"EC2 CreateFleet: {one}" for one in (attempts if isinstance(attempts, tuple) else ()))
    resource, instance_type = facts.get("resource"), facts.get("instance_type")
    if isinstance(resource, str) and instance_type and "offered" in facts:
        where = EC2_FIELD.get(resource, "DescribeInstanceTypes")
        yield f"EC2 {instance_type} {where}: {facts['offered']}"


def attempt(mark: Refused) -> str:
    """One refusal of EC2's, in its own words and time."""
    when = f" at {mark.since.isoformat()}" if mark.since else ""
    return f"{mark.instance_type} {mark.capacity_type} in {mark.zone}{when}: {mark.reason or 'refused'}"


def named(constraint: Constraint) -> str:
    """Object and field in one: `Pod default/x spec.nodeSelector[...]`."""
    return f"{constraint.object} {constraint.field}"
