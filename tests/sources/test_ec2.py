"""AWS against moto's server, and against botocore's Stubber where moto lacks the call: facts, gaps, ages, sharing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import ANY, Stubber
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from bot.model.ec2 import Ec2Facts, OnDemandPrice
from bot.sources.aws import Account, Boto
from bot.sources.cache import TtlCache
from bot.sources.ec2 import Ec2, Ec2Question, pricing_region
from bot.sources.ec2_calls import CALLS
from bot.sources.prices import parse_prices, price_entry

REGION: Final = "ap-northeast-2"
NEEDED: Final = frozenset({"g6e.8xlarge", "p4d.24xlarge"})
QUICK: Final = {"retries": {"total_max_attempts": 1}, "connect_timeout": 3, "read_timeout": 10}
FACTS: Final = frozenset(call.fact for call in CALLS)
Answer = Mapping[str, Any] | Exception | Callable[[], Mapping[str, Any]]


def only(*facts: str) -> frozenset[str]:
    return FACTS - set(facts)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return moto_url


@dataclass
class Stubbed:
    """Clients whose every call is answered from a table: operation -> pages. botocore checks both shapes."""

    answers: dict[str, list[Answer]]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """There is nothing to close."""

    def client(self, service: str, region: str, _account: Account) -> Any:  # noqa: ANN401
        config = Config(region_name=region)
        real = boto3.client(service, config=config, aws_access_key_id="x", aws_secret_access_key="x")
        stubs = self

        class Client:
            def get_paginator(self, operation: str) -> Any:  # noqa: ANN401
                return Paginator(operation)

        class Paginator:
            def __init__(self, operation: str) -> None:
                self.operation = operation

            def paginate(self, **asked: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
                with stubs.lock:
                    stubs.asked.append((self.operation, {**asked, "region": real.meta.region_name}))
                    answers = stubs.answers.get(self.operation, [])
                for answer in answers if isinstance(answers, list) else [answers]:
                    if isinstance(answer, Exception):
                        raise answer
                    page = answer() if callable(answer) else answer
                    with Stubber(real) as stubber:
                        stubber.add_response(self.operation, dict(page), dict.fromkeys(asked, ANY))
                        yield getattr(real, self.operation)(**asked)

        return Client()


@asynccontextmanager
async def asking(clients: Any, cache: TtlCache[Any] | None = None) -> AsyncIterator[Ec2]:  # noqa: ANN401
    ec2 = Ec2(clients, cache)
    try:
        yield ec2
    finally:
        ec2.close()


def denied(operation: str, code: str = "UnauthorizedOperation") -> Exception:
    client = boto3.client("ec2", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    error: Exception = client.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
    return error


async def test_what_moto_knows_is_read_and_what_it_lacks_is_named(moto: str) -> None:
    made = boto3.client("ec2", region_name=REGION)
    vpc = made.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = made.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    question = Ec2Question(region=REGION, instance_types=NEEDED, subnet_ids=frozenset({subnet, "subnet-gone"}))
    async with asking(Boto(QUICK)) as ec2:
        seen = await ec2.observe_ec2(question)
    facts = seen.facts
    assert {t.instance_type for t in facts.instance_types or ()} == NEEDED
    [p4d] = [t for t in facts.instance_types or () if t.instance_type == "p4d.24xlarge"]
    assert p4d.gpu_info is not None
    assert (p4d.gpu_info.gpus[0].count, p4d.network_info.efa_supported) == (8, True)
    assert {(o.instance_type, o.location) for o in facts.offerings or ()} >= {("g6e.8xlarge", "ap-northeast-2a")}
    assert {p.instance_type for p in facts.spot_prices or ()} == NEEDED
    assert [s.subnet_id for s in facts.subnets or ()] == [subnet]
    assert (facts.region, facts.capacity_reservations, facts.on_demand_prices) == (REGION, None, None)
    assert {g.what for g in seen.missing} == {"on-demand prices", "capacity reservations", "vCPU quotas"}
    assert all(g.why.startswith("AWS answers ") for g in seen.missing)


async def test_a_role_is_assumed_when_there_is_one(moto: str) -> None:
    question = Ec2Question(
        region=REGION,
        account=Account("arn:aws:iam::123456789012:role/reader", "shared-id"),
        instance_types=NEEDED,
        leave_out=only("instance_types"),
    )
    boto = Boto(QUICK)
    async with asking(boto) as ec2:
        seen = await ec2.observe_ec2(question)
    assert not seen.missing
    credentials = boto._sessions[question.account].get_credentials()
    assert credentials.method == "assume-role"
    assert credentials.access_key != "testing"


async def test_every_page_is_followed_and_every_shape_is_aws_own() -> None:
    stubs = Stubbed(
        {
            "describe_capacity_reservations": [
                {"CapacityReservations": [{"CapacityReservationId": f"cr-{n}", "State": "active"}]} for n in range(3)
            ],
            "list_service_quotas": [{"Quotas": [{"QuotaCode": "L-DB2E81BA", "QuotaName": "G and VT", "Value": 64.0}]}],
            "get_products": [
                {"PriceList": [price_entry(OnDemandPrice(instance_type=n, price_per_hour=4.0), REGION)]} for n in NEEDED
            ],
        }
    )
    question = Ec2Question(
        region=REGION, leave_out=only("capacity_reservations", "quotas", "on_demand_prices"), instance_types=NEEDED
    )
    async with asking(stubs) as ec2:
        seen = await ec2.observe_ec2(question)
    assert [r.capacity_reservation_id for r in seen.facts.capacity_reservations or ()] == ["cr-0", "cr-1", "cr-2"]
    assert [(q.quota_code, q.value) for q in seen.facts.quotas or ()] == [("L-DB2E81BA", 64.0)]
    assert {p.instance_type for p in seen.facts.on_demand_prices or ()} == NEEDED
    asked = [a for operation, a in stubs.asked if operation == "get_products"]
    assert {a["region"] for a in asked} == {"ap-south-1"}
    filters = [{f["Field"]: f["Value"] for f in a["Filters"]} for a in asked]
    assert {f["instanceType"] for f in filters} == NEEDED
    assert all(f["tenancy"] == "Shared" and f["regionCode"] == REGION for f in filters)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (denied("DescribeSubnets"), "no access to ec2:DescribeSubnets: UnauthorizedOperation"),
        (denied("x", "AccessDenied"), "no access to ec2:DescribeSubnets: AccessDenied"),
        (denied("x", "ExpiredToken"), "AWS does not accept the credentials for ec2:DescribeSubnets: ExpiredToken"),
        (NoCredentialsError(), "no AWS credentials were found for ec2:DescribeSubnets"),
        (
            EndpointConnectionError(endpoint_url="http://x"),
            'AWS does not answer ec2:DescribeSubnets: Could not connect to the endpoint URL: "http://x"',
        ),
    ],
)
async def test_each_failure_costs_one_fact_and_says_which_permission(error: Exception, why: str) -> None:
    stubs = Stubbed({"describe_subnets": [error], "list_service_quotas": [{"Quotas": []}]})
    question = Ec2Question(region=REGION, subnet_ids=frozenset({"subnet-1"}), leave_out=only("subnets", "quotas"))
    async with asking(stubs) as ec2:
        seen = await ec2.observe_ec2(question)
    assert [(g.what, g.why) for g in seen.missing] == [("subnets", why)]
    assert seen.facts == Ec2Facts(region=REGION, quotas=())


async def test_answers_are_shared_kept_and_aged_and_stale_ones_are_named() -> None:
    now = [0.0]
    quotas = {"Quotas": [{"QuotaCode": "L-1", "QuotaName": "n", "Value": 1.0}]}
    stubs = Stubbed({"list_service_quotas": [quotas]})
    question = Ec2Question(region=REGION, leave_out=only("quotas"))
    async with asking(stubs, TtlCache(lambda: now[0])) as ec2:
        together = await asyncio.gather(*(ec2.observe_ec2(question) for _ in range(5)))
        assert len(stubs.asked) == 1
        assert all(one.facts == together[0].facts for one in together)
        now[0] = 3599
        assert (await ec2.observe_ec2(question)).ages == {"quotas": 3599}
        assert len(stubs.asked) == 1
        other = Ec2Question(region=REGION, account=Account("arn:other"), leave_out=only("quotas"))
        assert (await ec2.observe_ec2(other)).ages == {"quotas": 0}
        assert len(stubs.asked) == 2
        now[0] = 7200
        stubs.answers["list_service_quotas"] = [denied("ListServiceQuotas", "RequestLimitExceeded")]
        stale = await ec2.observe_ec2(question)
        assert stale.facts.quotas == together[0].facts.quotas
        [gap] = stale.missing
        assert gap.what == "newer vCPU quotas"
        limited = "AWS limits the rate of servicequotas:ListServiceQuotas just now: RequestLimitExceeded"
        assert gap.why == f"{limited}; used are those of 120 min ago"


async def test_one_who_waits_may_leave_without_hurting_the_others() -> None:
    gate = threading.Event()

    def slow() -> Mapping[str, Any]:
        assert gate.wait(10)
        return {"Quotas": []}

    question = Ec2Question(region=REGION, leave_out=only("quotas"))
    async with asking(Stubbed({"list_service_quotas": [slow]})) as ec2:
        first, second = (asyncio.create_task(ec2.observe_ec2(question)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert (await second).facts.quotas == ()
        assert first.cancelled()


async def test_a_whole_regions_answer_serves_narrow_questions_too() -> None:
    rows = [{"InstanceType": name, "AvailabilityZone": "a", "SpotPrice": "1"} for name in ("a.large", "b.large")]
    stubs = Stubbed({"describe_spot_price_history": [{"SpotPriceHistory": rows}]})
    async with asking(stubs) as ec2:
        await ec2.observe_ec2(Ec2Question(region=REGION, leave_out=only("spot_prices")))
        narrow = Ec2Question(region=REGION, leave_out=only("spot_prices"), instance_types=frozenset({"b.large"}))
        seen = await ec2.observe_ec2(narrow)
    assert [p.instance_type for p in seen.facts.spot_prices or ()] == ["b.large"]
    assert len(stubs.asked) == 1


async def test_regions_without_prices_or_without_a_name() -> None:
    async with asking(Stubbed({})) as ec2:
        for region, why in (
            ("us-gov-west-1", "the Pricing API has no dollar prices for us-gov-west-1"),
            ("cn-north-1", "prices in China are in yuan, which the bot does not tell"),
        ):
            seen = await ec2.observe_ec2(Ec2Question(region=region, leave_out=only("on_demand_prices")))
            assert [g.why for g in seen.missing] == [why]
        nowhere = await ec2.observe_ec2(Ec2Question(region=""))
    assert [str(g) for g in nowhere.missing] == ["EC2: the region is not known"]
    assert [pricing_region(r) for r in ("eu-west-1", "sa-east-1", "ap-east-1")] == [
        "eu-central-1",
        "us-east-1",
        "ap-south-1",
    ]


def test_prices_count_only_linux_shared_or_bare_metal() -> None:
    def entry(name: str, price: str = "1.5", **attributes: str) -> dict[str, Any]:
        plain = json.loads(price_entry(OnDemandPrice(instance_type=name, price_per_hour=1.5), REGION))
        plain["product"]["attributes"] |= attributes
        plain["terms"]["OnDemand"]["t"]["priceDimensions"]["d"]["pricePerUnit"] = {"USD": price}
        return dict(plain)

    listed: list[object] = [
        entry("a.large"),
        entry("b.metal"),
        entry("c.large", operatingSystem="Windows"),
        entry("d.large", tenancy="Dedicated"),
        entry("e.large", capacitystatus="AllocatedCapacityReservation"),
        entry("f.large", preInstalledSw="SQL Std"),
        entry("g.large", regionCode="us-east-1"),
        entry("h.large", price="0.0000000000"),
        entry("i.large", price="free"),
    ]
    found = parse_prices(listed, REGION)
    assert [(p.instance_type, p.price_per_hour) for p in found] == [("a.large", 1.5), ("b.metal", 1.5)]
    assert found == parse_prices([json.dumps(one) for one in listed], REGION)
