"""vCPU quotas: which one a type counts against, what is used of it, and what that proves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.diagnosis.quotas import CODES, covered_by, quotas_of
from bot.model.ec2 import CapacityReservation, QuotaUsage, ServiceQuota, UsageMetric
from bot.model.world import Missing
from tests.market.worlds import recorded, with_ec2

OD, SPOT = "on-demand", "spot"
# (code, name) as Service Quotas lists them
NAMED = (
    ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("L-417A185B", "Running On-Demand P instances"),
    ("L-43DA4232", "Running On-Demand High Memory instances"),
    ("L-2C3B7624", "Running On-Demand Trn instances"),
    ("L-1945791B", "Running On-Demand Inf instances"),
    ("L-F7808C92", "Running On-Demand HPC instances"),
    ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    ("L-C4BD4855", "All P5 Spot Instance Requests"),
    ("L-0000NEW6", "All P6 Spot Instance Requests"),
    ("L-88CF9481", "All F Spot Instance Requests"),
    ("L-34B43A99", "EC2-VPC Elastic IPs"),
)


@pytest.mark.parametrize(
    ("instance_type", "capacity_type", "code"),
    [
        ("m7i.large", OD, "L-1216C47A"),
        ("im4gn.large", OD, "L-1216C47A"),
        ("is4gen.large", SPOT, "L-34B43A08"),
        ("t4g.micro", SPOT, "L-34B43A08"),
        ("g6e.8xlarge", OD, "L-DB2E81BA"),
        ("g4dn.xlarge", SPOT, "L-3819A6DF"),
        ("vt1.3xlarge", SPOT, "L-3819A6DF"),
        ("p4d.24xlarge", SPOT, "L-7212CCBC"),
        ("p5en.48xlarge", SPOT, "L-C4BD4855"),
        ("p5.48xlarge", OD, "L-417A185B"),
        ("p6-b200.48xlarge", SPOT, "L-0000NEW6"),
        ("trn1n.32xlarge", OD, "L-2C3B7624"),
        ("inf2.xlarge", OD, "L-1945791B"),
        ("hpc7a.96xlarge", OD, "L-F7808C92"),
        ("u-6tb1.56xlarge", OD, "L-43DA4232"),
        ("u7i-6tb.112xlarge", OD, "L-43DA4232"),
        ("u7i-6tb.112xlarge", SPOT, None),
        ("p4d.24xlarge", "reserved", None),
        ("mac2.metal", OD, None),
    ],
)
def test_a_type_counts_against_the_quota_that_names_its_class(
    instance_type: str, capacity_type: str, code: str | None
) -> None:
    rows = tuple(ServiceQuota(quota_code=c, quota_name=n, value=64.0) for c, n in NAMED)
    found = quotas_of(with_ec2(recorded(), quotas=rows)).of(instance_type, capacity_type)
    assert (found.code if found else None) == code


def test_the_codes_alone_say_the_same_as_the_names() -> None:
    for code, name in NAMED:
        if code in CODES:
            named = covered_by(ServiceQuota(quota_code=code, quota_name=name))
            assert named == covered_by(ServiceQuota(quota_code=code)), code
    assert covered_by(ServiceQuota(quota_code="L-0263D0A3", quota_name="EC2-VPC Elastic IPs")) is None


def test_used_is_awss_count_where_it_was_read_and_the_clusters_own_nodes_else() -> None:
    world = recorded("nodepool-limit")  # two p4d.24xlarge of 96 vCPUs, and one m7i.2xlarge
    own = quotas_of(world)
    p = own.of("p4d.24xlarge", OD)
    assert p is not None
    assert (p.limit, p.used, p.left, p.whole_account) == (768.0, 192.0, 576.0, False)
    metric = UsageMetric(metric_namespace="AWS/Usage", metric_dimensions={"Class": "P/OnDemand"})
    quotas = tuple(ServiceQuota(quota_code=q.quota_code, quota_name=q.quota_name, value=q.value, usage_metric=metric)
                   for q in world.ec2.quotas or () if q.quota_code == "L-417A185B")  # fmt: skip
    at = datetime(2025, 12, 28, 11, tzinfo=UTC)
    counted = (QuotaUsage(label="P/OnDemand", timestamps=(at,), values=(700.0, 650.0)), QuotaUsage(label="G/Spot"))
    whole = quotas_of(with_ec2(world, quotas=quotas, quota_usage=counted)).of("p4d.24xlarge", OD)
    assert whole is not None
    assert (whole.used, whole.left, whole.whole_account, whole.as_of) == (700.0, 68.0, True, at)


def test_one_more_does_not_fit_only_where_that_is_proven() -> None:
    world = recorded("nodepool-limit")

    def short(value: float) -> bool:
        quotas = (ServiceQuota(quota_code="L-417A185B", value=value),)
        return quotas_of(with_ec2(world, quotas=quotas)).short("p4d.24xlarge", OD) is not None

    assert [short(v) for v in (0.0, 287.0, 288.0)] == [True, True, False]  # 192 used, 96 more
    unread = replace(world, missing=(Missing(what="nodes", why="no permission"),))
    found = quotas_of(unread).of("p4d.24xlarge", OD)
    assert found is not None
    assert (found.used, found.left, found.short_of(96)) == (None, None, False)
    assert found.short_of(769)  # more than the whole limit, whatever is used


def test_free_reserved_capacity_is_counted_and_capacity_blocks_are_not() -> None:
    def held(kind: str) -> CapacityReservation:
        return CapacityReservation(
            capacity_reservation_id="cr-1",
            instance_type="p4d.24xlarge",
            available_instance_count=2,
            state="active",
            reservation_type=kind,
        )

    for kind, used in (("default", 384.0), ("capacity-block", 192.0)):
        found = quotas_of(with_ec2(recorded("nodepool-limit"), capacity_reservations=(held(kind),)))
        quota = found.of("p4d.24xlarge", OD)
        assert quota is not None
        assert quota.used == used, kind
