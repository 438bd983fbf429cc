"""What the doctor says of a cluster, of AWS, of Slack and of the store, well and ill."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from string import Formatter
from types import SimpleNamespace
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli import main
from bot.doctor import Finding, State
from bot.doctor.aws import DRY, examine_aws
from bot.doctor.findings import FIXES
from bot.doctor.kubernetes import REVIEWS, Right, examine_rights, examine_server, lease_rights, rights_of
from bot.doctor.slack import examine_slack
from bot.packaged import shipped_roles
from bot.sources.aws import Account
from bot.sources.ec2_calls import ACTIONS
from bot.sources.errors import ClusterUnreachable
from tests.fakes.fixtures import running_slack

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def problems(findings: list[Finding]) -> list[str]:
    return [f.subject for f in findings if f.state is State.PROBLEM]


class Reviewer:
    """An API server that allows what it is told to, and keeps what it was asked."""

    def __init__(self, allow: Callable[[Mapping[str, str]], bool], date: str = "") -> None:
        self.asked: list[Mapping[str, str]] = []
        self._allow, self._date = allow, date

    async def date(self) -> str:
        return self._date

    async def request(self, method: str, path: str, *, body: object = None) -> bytes:
        assert (method, path) == ("POST", REVIEWS)
        assert isinstance(body, dict)
        asked = body["spec"]["resourceAttributes"]
        self.asked.append(asked)
        return json.dumps({"status": {"allowed": self._allow(asked)}}).encode()


async def test_every_right_of_the_deployed_role_is_asked_for_and_only_the_missing_one_is_a_problem() -> None:
    api = Reviewer(lambda asked: asked["resource"] != "nodeclaims")
    rights = list(rights_of(shipped_roles()["rbac-read.yaml"], log_namespaces=("karpenter", "kube-system")))
    found = await examine_rights(api, "prod", rights, "rbac-read.yaml")
    assert len(api.asked) == len(set(rights)) > 20
    assert {a["namespace"] for a in api.asked if a.get("subresource") == "log"} == {"karpenter", "kube-system"}
    assert {f.subject.split()[1] for f in found if f.state is State.PROBLEM} == {"nodeclaims.karpenter.sh"}
    (wrong, *_) = [f for f in found if f.state is State.PROBLEM]
    assert "rbac-read.yaml" in wrong.advice("en")


async def test_a_lease_is_asked_for_by_its_name() -> None:
    api = Reviewer(lambda _: False)
    found = await examine_rights(api, "prod", lease_rights("ops"), "")
    assert {(a["verb"], a.get("name", "")) for a in api.asked} == {
        ("create", ""),
        ("get", "karpenter-bot-watcher"),
        ("update", "karpenter-bot-watcher"),
    }
    assert "in ops, apply deploy/manifests/rbac-lease.yaml" in found[-1].advice("en")


async def test_the_metrics_of_karpenters_own_service_are_asked_for_by_name_and_optional() -> None:
    api = Reviewer(lambda _: False)
    rights = rights_of(shipped_roles()["rbac-read-metrics.yaml"], log_namespaces=("karpenter",), optional=True)
    [found] = await examine_rights(api, "prod", rights, "rbac-read-metrics.yaml")
    [asked] = api.asked
    assert (asked["resource"], asked["subresource"], asked["name"], asked["namespace"]) == (
        "services", "proxy", "karpenter:http-metrics", "karpenter",
    )  # fmt: skip
    assert found.state is State.OPTIONAL
    assert "rbac.metrics=true" in found.advice("en")


async def test_a_cluster_that_is_not_there_is_one_finding() -> None:
    class Gone:
        async def request(self, method: str, path: str, *, body: object = None) -> bytes:  # noqa: ARG002
            raise ClusterUnreachable("cannot reach the API server nowhere:443")

        async def date(self) -> str:
            return (await self.request("GET", "/version")).decode()

    (found,) = await examine_server(Gone(), "prod", lambda: NOW)
    assert (found.state, found.fix) == (State.PROBLEM, "cluster")
    (found,) = await examine_rights(Gone(), "prod", [Right(group="", resource="pods", verb="list")], "")
    assert (found.state, found.fix) == (State.PROBLEM, "cluster")


class Aws:
    """AWS clients that answer each operation with a code, DryRunOperation unless told otherwise."""

    def __init__(self, codes: Mapping[str, str], date: datetime = NOW) -> None:
        self.codes, self.date, self.asked = codes, date, dict[str, Mapping[str, Any]]()

    def client(self, service: str, region: str, account: Account) -> Any:  # noqa: ANN401, ARG002
        return SimpleNamespace(get_caller_identity=self._who) if service == "sts" else _Client(self)

    def close(self) -> None:
        """There is nothing to close."""

    def _who(self) -> Mapping[str, Any]:
        if "get_caller_identity" in self.codes:
            raise AwsError(self.codes["get_caller_identity"])
        return {
            "Arn": "arn:aws:iam::1:role/bot",
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.date)}},
        }


class AwsError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        headers = {"date": format_datetime(NOW)}
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPHeaders": headers}}


class _Client:
    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def __getattr__(self, operation: str) -> Callable[..., None]:
        def call(**asked: Any) -> None:  # noqa: ANN401
            self._aws.asked[operation] = asked
            raise AwsError(self._aws.codes.get(operation, DRY))

        return call


def test_ec2_is_asked_by_dry_run_and_what_iam_refuses_is_named() -> None:
    aws = Aws({"describe_spot_price_history": "UnauthorizedOperation", "get_products": DRY})
    found = examine_aws(aws, "ap-northeast-2", Account(), lambda: NOW, "AWS")
    assert problems(found) == ["ec2:DescribeSpotPriceHistory"]
    assert "Allow ec2:DescribeSpotPriceHistory" in found[[f.subject for f in found].index(problems(found)[0])].advice(
        "en"
    )
    dry = {operation for operation, asked in aws.asked.items() if asked.get("DryRun")}
    assert all(operation in dry for operation in aws.asked if operation.startswith("describe_"))
    assert {f.subject for f in found if ":" in f.subject} == set(ACTIONS) - {"sts:AssumeRole", "sts:GetCallerIdentity"}


@pytest.mark.parametrize(("late", "state"), [(0, State.OK), (60, State.OPTIONAL), (400, State.PROBLEM)])
async def test_a_clock_that_is_off_is_told_before_signatures_fail(late: int, state: State) -> None:
    def ours() -> datetime:
        return NOW + timedelta(seconds=late)

    found = examine_aws(Aws({}), "eu-west-1", Account(), ours, "AWS")
    found += await examine_server(Reviewer(lambda _: True, format_datetime(NOW)), "prod", ours)
    clocks = [f for f in found if f.subject == "clock"]
    assert [f.state for f in clocks] == [state, state]
    assert [bool(f.advice("en")) for f in clocks] == [state is not State.OK] * 2


def test_credentials_that_only_a_wrong_clock_makes_bad_are_told_with_the_clock() -> None:
    aws = Aws({"get_caller_identity": "SignatureDoesNotMatch"})
    found = examine_aws(aws, "eu-west-1", Account(), lambda: NOW + timedelta(seconds=900), "AWS")
    assert problems(found) == ["credentials", "clock"]
    assert "900 s off AWS" in found[1].advice("en")


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "Throttling", "InternalError", "503", "OptInRequired"])
def test_whatever_aws_says_there_is_something_to_do(code: str) -> None:
    answers = dict.fromkeys(("describe_instance_types", "describe_subnets", "list_service_quotas"), code)
    found = [
        f for f in examine_aws(Aws(answers), "eu-west-1", Account(), lambda: NOW, "AWS") if f.state is not State.OK
    ]
    assert len(found) == 3
    assert all(f.advice(language) for f in found for language in FIXES)


def test_without_credentials_or_region_nothing_else_is_asked() -> None:
    aws = Aws({"get_caller_identity": "InvalidClientTokenId"})
    assert problems(examine_aws(aws, "eu-west-1", Account(), lambda: NOW, "AWS")) == ["credentials"]
    assert problems(examine_aws(aws, "", Account(), lambda: NOW, "AWS")) == ["region"]
    assert not aws.asked


async def test_slack_says_whether_it_takes_the_tokens_and_which_scopes_there_are() -> None:
    async with running_slack() as slack:
        client = AsyncWebClient(base_url=slack.api_url)
        secrets = SimpleNamespace(
            mode="socket",
            bot_token=slack.workspace.bot_token,
            app_token=slack.app.app_token,
            signing_secret="",
        )
        wanted = {"chat:write": True, "reminders:write": True, "emoji:read": False}
        found = await examine_slack(client, secrets, wanted, lambda: datetime.now(UTC))  # noqa: TID251 (Slack's is real)
        states = {f.subject: f.state for f in found}
        assert states["bot token"] is states["app token"] is states["scope chat:write"] is State.OK
        assert (states["scope reminders:write"], states["scope emoji:read"]) == (State.PROBLEM, State.OPTIONAL)
        wrong = SimpleNamespace(mode="http", bot_token="xoxb-wrong", app_token="", signing_secret="")
        found = await examine_slack(client, wrong, wanted, lambda: NOW)
        assert problems(found) == ["bot token", "signing secret"]
        assert found[0].found == "invalid_auth"


def test_every_fix_is_told_in_every_language_with_the_same_facts() -> None:
    assert set(FIXES["en"]) == set(FIXES["ko"])
    for fix, text in FIXES["en"].items():
        assert _fields(text) == _fields(FIXES["ko"][fix]), fix


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_the_command_says_what_to_mend_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KARPENTER_BOT_STORE_URL", f"sqlite:///{tmp_path}/store.sqlite3")
    for name in ("KUBERNETES_SERVICE_HOST", "AWS_REGION", "AWS_DEFAULT_REGION", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor", "-o", "json"]) == 1
    told = json.loads(capfdbinary.readouterr().out)
    assert not told["healthy"]
    wrong = {f["area"]: f["fix"] for f in told["findings"] if f["state"] == "problem"}
    assert wrong.keys() == {"cluster default", "AWS of default", "Slack"}
    assert all(wrong.values())
    assert main(["doctor", "--lang", "ko", "--no-slack"]) == 1
    assert "리전을 지정한다" in capfdbinary.readouterr().out.decode()
