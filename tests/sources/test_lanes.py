"""One dead cluster holds up nobody: it is left alone after a while, tried again, and the others never notice."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto import mock_aws

from bot.sources.aws import Account, Boto
from bot.sources.eks import EksCluster, token_for
from bot.sources.errors import ClusterUnreachable, NotPermitted
from bot.sources.lanes import FAILURES, REST, Lane


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def ask(lane: Lane, error: Exception | None = None) -> None:
    async with lane.turn():
        if error:
            raise error


async def silent(lane: Lane, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ClusterUnreachable):
            await ask(lane, ClusterUnreachable("no answer"))


async def test_a_cluster_that_is_silent_is_left_alone_and_tried_again() -> None:
    time = Time()
    lane = Lane("prod", 4, time)
    await silent(lane, FAILURES)
    assert lane.rests()
    with pytest.raises(ClusterUnreachable, match="left alone, to be asked again in 15 s"):
        await ask(lane)
    time.now += REST
    await ask(lane)
    assert not lane.rests()
    await silent(lane, FAILURES - 1)
    assert not lane.rests(), "an answer in between begins the count anew"


async def test_after_its_rest_one_question_goes_ahead_and_the_rest_grows() -> None:
    time = Time()
    lane = Lane("prod", 4, time)
    await silent(lane, FAILURES)
    time.now += REST
    gate = asyncio.Event()

    async def trying() -> None:
        async with lane.turn():
            await gate.wait()
            raise ClusterUnreachable("still silent")

    first = asyncio.create_task(trying())
    await asyncio.sleep(0)
    with pytest.raises(ClusterUnreachable, match="left alone"):
        await ask(lane)
    gate.set()
    with pytest.raises(ClusterUnreachable, match="still silent"):
        await first
    time.now += REST
    assert lane.rests(), "twice as long"
    time.now += REST
    assert not lane.rests()


async def test_a_refusal_is_an_answer_and_a_cancelled_trial_blocks_nobody() -> None:
    time = Time()
    lane = Lane("prod", 1, time)
    for _ in range(FAILURES * 2):
        with pytest.raises(NotPermitted):
            await ask(lane, NotPermitted("no"))
    assert not lane.rests()
    await silent(lane, FAILURES)
    time.now += REST

    async def for_ever() -> None:
        async with lane.turn():
            await asyncio.Event().wait()

    trial = asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    await ask(lane)


async def test_lanes_do_not_share_turns() -> None:
    dead, well = Lane("dead", 1, Time()), Lane("well", 1, Time())

    async def hang() -> None:
        async with dead.turn():
            await asyncio.Event().wait()

    hanging = [asyncio.create_task(hang()) for _ in range(20)]
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await ask(well)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def test_a_token_is_a_presigned_question_to_sts_with_the_clusters_name_signed(credentials: None) -> None:
    token = token_for(Boto().client("sts", "ap-northeast-2", Account()), "prod", "ap-northeast-2")
    encoded = token.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = parse_qs(url.query)
    assert url.hostname == "sts.ap-northeast-2.amazonaws.com"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Expires"] == ["60"]
    assert "/ap-northeast-2/sts/aws4_request" in query["X-Amz-Credential"][0]
    assert "=" not in token


async def test_an_eks_cluster_is_found_by_its_name_and_its_token_renewed(credentials: None) -> None:
    made = boto3.client("eks", region_name="ap-northeast-2").create_cluster(
        name="prod",
        roleArn="arn:aws:iam::123456789012:role/eks",
        resourcesVpcConfig={"subnetIds": [], "securityGroupIds": []},
    )["cluster"]
    time = Time()
    role = Account(role_arn="arn:aws:iam::123456789012:role/reader")
    cluster = EksCluster(name="prod", region="ap-northeast-2", account=role, clock=time)
    configuration = SimpleNamespace(host="", api_key={}, ca_cert_data=None, refresh_api_key_hook=None)
    await cluster.configure(configuration)
    assert configuration.host == made["endpoint"]
    first = configuration.api_key["BearerToken"]
    assert first.startswith("Bearer k8s-aws-v1.")
    assert configuration.refresh_api_key_hook is not None
    await configuration.refresh_api_key_hook(configuration)
    assert configuration.api_key["BearerToken"] == first
    cluster._token = "old"
    time.now += 601
    await configuration.refresh_api_key_hook(configuration)
    assert configuration.api_key["BearerToken"].startswith("Bearer k8s-aws-v1.")


async def test_a_cluster_that_eks_does_not_know_is_named(credentials: None) -> None:
    cluster = EksCluster(name="typo", region="ap-northeast-2")
    with pytest.raises(ClusterUnreachable, match="EKS cluster typo: eks:DescribeCluster"):
        await cluster.configure(SimpleNamespace())
