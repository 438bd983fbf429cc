"""AWS's answers for calls that moto lacks or answers without real figures, and clients that answer with them.

WRITTEN BY HAND from AWS's documentation of each call (API references of EC2, Pricing, Service Quotas, CloudWatch and STS): no
account was at hand to record them from. Their shapes are checked by botocore's own model; their figures are examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.validate import validate_parameters

from bot.sources.aws import Account, Boto

REGION: Final = "ap-northeast-2"
IAM: Final = {
    "ec2": "ec2",
    "pricing": "pricing",
    "service-quotas": "servicequotas",
    "cloudwatch": "cloudwatch",
    "sts": "sts",
}
"""boto3's name of a service -> IAM's prefix."""

WRITTEN: Final[Mapping[str, Mapping[str, Any]]] = {
    "GetSpotPlacementScores": {
        "SpotPlacementScores": [
            {"Region": REGION, "AvailabilityZoneId": "apne2-az1", "Score": 7},
            {"Region": REGION, "AvailabilityZoneId": "apne2-az3", "Score": 2},
        ]
    },
    "DescribeCapacityBlockOfferings": {
        "CapacityBlockOfferings": [
            {
                "CapacityBlockOfferingId": "cbr-0123456789abcdefg",
                "InstanceType": "p5.48xlarge",
                "AvailabilityZone": "ap-northeast-2a",
                "InstanceCount": 1,
                "UpfrontFee": "755.2800",
                "CurrencyCode": "USD",
                "CapacityBlockDurationHours": 24,
            }
        ]
    },
    "GetMetricData": {
        "MetricDataResults": [
            {"Id": "vcpus", "Label": "P/OnDemand", "Timestamps": [], "Values": [192.0, 96.0]},
            {"Id": "vcpus", "Label": "G/Spot", "Timestamps": [], "Values": []},
        ]
    },
    "ListServiceQuotas": {
        "Quotas": [
            {
                "QuotaCode": "L-417A185B",
                "QuotaName": "Running On-Demand P instances",
                "Value": 192.0,
                "UsageMetric": {
                    "MetricNamespace": "AWS/Usage",
                    "MetricName": "ResourceCount",
                    "MetricDimensions": {
                        "Class": "P/OnDemand",
                        "Resource": "vCPU",
                        "Service": "EC2",
                        "Type": "Resource",
                    },
                },
            }
        ]
    },
    "GetCallerIdentity": {"Account": "111122223333", "Arn": "arn:aws:sts::111122223333:assumed-role/bot/karpenter-bot"},
    "DescribeAvailabilityZones": {
        "AvailabilityZones": [
            {
                "ZoneName": "ap-northeast-2a",
                "ZoneId": "apne2-az1",
                "ZoneType": "availability-zone",
                "State": "available",
            },
        ]
    },
    "DescribeInstanceTypes": {"InstanceTypes": []},
    "DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": []},
    "DescribeSpotPriceHistory": {"SpotPriceHistory": []},
    "DescribeSubnets": {"Subnets": []},
    "DescribeCapacityReservations": {"CapacityReservations": []},
    "GetProducts": {"PriceList": []},
}


P5: Final = "p5.48xlarge"
P5_ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    **WRITTEN,
    "DescribeInstanceTypes": {
        "InstanceTypes": [
            {
                "InstanceType": P5,
                "SupportedUsageClasses": ["on-demand", "spot", "capacity-block"],
                "VCpuInfo": {"DefaultVCpus": 192},
                "MemoryInfo": {"SizeInMiB": 2_097_152},
            },
            {"InstanceType": "p5.4xlarge", "SupportedUsageClasses": ["on-demand", "spot"]},
        ]
    },
    "DescribeInstanceTypeOfferings": {
        "InstanceTypeOfferings": [
            {"InstanceType": P5, "LocationType": "availability-zone", "Location": f"{REGION}a"},
        ]
    },
    "DescribeSpotPriceHistory": {
        "SpotPriceHistory": [
            {
                "InstanceType": P5,
                "AvailabilityZone": f"{REGION}a",
                "SpotPrice": price,
                "ProductDescription": "Linux/UNIX",
                "Timestamp": at,
            }
            for price, at in (("31.50", "2026-01-01T10:00:00Z"), ("28.00", "2025-12-30T10:00:00Z"))
        ]
    },
}
"""The same with a p5 in one zone, and its spot prices of two days."""


@dataclass
class Recorder:
    """Real clients that answer every call from a table, before it leaves botocore, and note what was called.

    `denied`: the one operation that AWS refuses (`*`: all), with `code`. `two_pages`: every listing has a second page.
    """

    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: WRITTEN)
    denied: str = ""
    code: str = "AccessDenied"
    two_pages: bool = False
    boto: Boto = field(default_factory=Boto)
    called: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    def client(self, service: str, region: str, account: Account) -> Any:  # noqa: ANN401
        client = self.boto.client(service, region, account)
        if id(client) not in self.taken:
            self.taken.add(id(client))
            client.meta.events.register("provide-client-params", self._noted(service))
            client.meta.events.register("before-call", self._answered)
        return client

    def close(self) -> None:
        self.boto.close()

    def _noted(self, service: str) -> Callable[..., None]:
        def note(params: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401
            self.called.setdefault(f"{IAM[service]}:{model.name}", []).append(dict(params))

        return note

    def _answered(self, model: Any, params: Mapping[str, Any], **_: object) -> tuple[Any, Mapping[str, Any]]:  # noqa: ANN401
        class Http:
            status_code = 200

        if self.denied in (model.name, "*"):
            Http.status_code = 403
            return Http(), {"Error": {"Code": self.code, "Message": "no"}, "ResponseMetadata": {}}
        more = {"NextToken": "more"} if self.two_pages and "NextToken" not in str(params["body"]) else {}
        listed = "NextToken" in model.output_shape.members
        answer = {**self.answers[model.name], **(more if listed else {})}
        validate_parameters(answer, model.output_shape)  # what is written by hand has at least AWS's shape
        return Http(), {**answer, "ResponseMetadata": {}}
