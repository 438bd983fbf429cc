"""Karpenter's metrics page -> the offerings that it holds for unavailable.

Home (aws/karpenter-provider-aws v1.14): pkg/controllers/metrics/{metrics,controller}.go, InstanceTypeOfferingAvailable: 1
where any NodePool could launch it, else 0, by instance_type, capacity_type and zone; renewed every minute, by the leader
alone. It says that Karpenter would not launch it, never why. (Until v1.7: pkg/providers/instancetype/metrics.go.)
"""

import re
from collections.abc import Iterable
from typing import Final

METRIC: Final = "karpenter_cloudprovider_instance_type_offering_available"
_SAMPLE: Final = re.compile(rf"^{METRIC}\{{([^}}]*)\}} 0(?:\.0)?(?: \d+)?$", re.MULTILINE)
_LABEL: Final = re.compile(r'([a-z_]+)="([^"\\]*)"')


def unavailable_offerings(page: str) -> frozenset[tuple[str, str, str]]:
    """(instance type, zone, capacity type) of every sample that is 0, in Prometheus' text format. Never raises."""
    found = (dict(_LABEL.findall(labels)) for labels in _SAMPLE.findall(page))
    keys = ("instance_type", "zone", "capacity_type")
    return frozenset((one[keys[0]], one[keys[1]], one[keys[2]]) for one in found if all(key in one for key in keys))


def metrics_page(offerings: Iterable[tuple[str, str, str]]) -> str:
    """The inverse: a page that calls just these unavailable."""
    samples = (
        f'{METRIC}{{capacity_type="{capacity_type}",instance_type="{instance_type}",zone="{zone}"}} 0\n'
        for instance_type, zone, capacity_type in sorted(offerings)
    )
    return "".join((f"# TYPE {METRIC} gauge\n", *samples))
