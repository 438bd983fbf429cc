"""Approve-to-apply on a real API server and a real Karpenter: remedies proposed, approved, applied, until the pod runs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from bot import app, packaged
from bot.approving.hands import Hands
from bot.approving.proposing import Terms, rehearsed
from bot.approving.service import Service, WordedClusters
from bot.config import ClusterConfig, Config
from bot.model.diagnosis import Json, Verdict
from bot.model.objects import ObjectRef
from bot.model.proposals import ApprovalRule, Person, Proposal, State
from bot.remediation.outcomes import FIELD_MANAGER, MARK
from bot.server import Desk
from bot.slack.services import Asker, Copy, Failed
from bot.sources.errors import ReadFailed
from bot.store import open_store
from tests.cluster.bed import Bed
from tests.cluster.bot_access import BotAccess, service_account_token
from tests.cluster.build import REPOSITORY
from tests.cluster.cases import CASES, Case
from tests.cluster.credentials import write_kubeconfig
from tests.cluster.workbench import Workbench, requirement

pytestmark = pytest.mark.cluster

ANNA: Final = "U0ANNA"
CLUSTER: Final = "bed"
PATCHED: Final = tuple(case for case in CASES if not case.relief)
PLAYBOOKS: Final = packaged.load_playbooks()


@pytest.fixture(scope="module")
def accounts(bed: Bed, bot: BotAccess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kubeconfigs of accounts of this module's own: with the read role alone, with the write role, with the recreate role."""
    import yaml  # noqa: PLC0415

    assert bot.kubeconfig.exists()  # the read role is there
    for role in ("write", "recreate"):
        for manifest in yaml.safe_load_all((REPOSITORY / f"deploy/manifests/rbac-{role}.yaml").read_text("utf-8")):
            if manifest["kind"] == "ClusterRole":
                bed.admin.apply(manifest)
    folder, found = tmp_path_factory.mktemp("accounts"), {}
    for account, *roles in (("reader", "read"), ("writer", "read", "write"), ("maker", "read", "write", "recreate")):
        namespace = "karpenter-bot"
        bed.admin.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
        for role in roles:
            bed.admin.apply(
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": f"{account}-{role}"},
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": f"karpenter-bot-{role}",
                    },
                    "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
                }
            )
        bed.admin.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{account}-log", "namespace": "kube-system"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": "karpenter-bot-karpenter-log",
                },
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            }
        )
        found[account] = folder / account
        token = service_account_token(bed.admin, namespace, account)
        write_kubeconfig(found[account], server=bed.server, ca=bed.ca, token=token)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Approving:
    """The service with the bed behind it, and Anna, who may approve everything."""

    desk: Desk
    service: Service

    async def proposed(self, namespace: str, pod: str, remedy: str = "") -> Proposal | Copy | Failed:
        """The best remedy of the pod's answer, or the first of this id, proposed."""
        diagnosis = await self.desk.diagnosis(CLUSTER, namespace, pod)
        for _ in range(10):  # EC2's first answers take longer than a question does on a busy machine
            if diagnosis.verdict is not Verdict.UNKNOWN:
                break
            await asyncio.sleep(3)
            diagnosis = await self.desk.diagnosis(CLUSTER, namespace, pod)
        offers = await self.service.offers(CLUSTER, diagnosis)
        assert offers, (diagnosis.verdict, diagnosis.causes, diagnosis.remedies, diagnosis.missing)
        wanted = [offer for offer in offers if remedy in ("", diagnosis.remedies[offer.number].id)]
        return await self.service.propose(wanted[0].token, Asker(user=ANNA, channel="C1"), "en")

    async def approved(self, one: Proposal) -> Proposal:
        """Approved by Anna, and carried out until it has come to an end."""
        found = await self.service.approve(one.id, ANNA)
        assert isinstance(found, Proposal), found
        self.service.go_on(one.id)
        return await self.in_state(one.id, State.VERIFIED, State.STALLED, State.FAILED, State.SUPERSEDED)

    async def in_state(self, proposal: str, *states: State) -> Proposal:
        """The proposal once it is in one of the states."""
        ends = time.monotonic() + 90
        while True:
            found = await self.service.find(proposal)
            assert found is not None
            if found.state in states:
                return found
            assert time.monotonic() < ends, f"still {found.state}: {found.facts}"
            await asyncio.sleep(0.2)


@asynccontextmanager
async def approving(kubeconfig: Path, folder: Path) -> AsyncIterator[Approving]:
    """The service on this account."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
    config = Config(clusters=(ClusterConfig(name=CLUSTER, kubeconfig=str(kubeconfig), region=region),))
    desk = Desk(config, PLAYBOOKS)

    async def people(user: str, _groups: Sequence[str]) -> Person:
        return Person(user=user)

    async def changed(_one: Proposal) -> None:
        pass

    async with open_store(f"sqlite:///{folder / 'store.sqlite3'}") as store:
        clusters = WordedClusters(desk.diagnosis, desk.connection, desk.price, PLAYBOOKS)
        terms = Terms(rules=(ApprovalRule(users=(ANNA,)),), verify_minutes=2)
        service = Service(store, clusters, terms, app.wall_clock, look_seconds=0.3)
        service.begin(people, changed)
        try:
            yield Approving(desk=desk, service=service)
        finally:
            await service.end()
            await desk.close()


@pytest.fixture
def aws(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bed's EC2."""
    for name, value in bed.aws_environment.items():
        monkeypatch.setenv(name, value)


def waiting_pod(bench: Workbench, case: Case) -> str:
    """The case made, once Karpenter has refused its pod; returns the pod's name."""
    for manifest in (*case.pools, *case.objects):
        bench.create_object(manifest)
    bench.create_deployment("trainer", case.pod.resources, nodeSelector=dict(case.pod.selector), **case.pod.spec)
    pod = bench.pending_pod_of("trainer")
    if not case.logged:
        bench.refusal(pod)
    return pod


SECOND: Final = (("selector-excluded-by-the-pool", "add-requirement-value"),)
"""What of the seed's remedies is the best of no case: the NodePool's own requirements widened."""


@pytest.mark.parametrize(
    ("case", "remedy"),
    [
        *(pytest.param(case, "", id=case.name) for case in PATCHED),
        *(pytest.param(case, r, id=f"{n}-{r}") for n, r in SECOND for case in CASES if case.name == n),
    ],
)
async def test_a_remedy_is_approved_applied_and_watched_until_the_pod_runs(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path, case: Case, remedy: str
) -> None:
    pod = await asyncio.to_thread(waiting_pod, bench, case)
    async with approving(accounts["writer"], tmp_path) as it:
        one = await it.proposed(bench.namespace, pod, remedy)
        assert isinstance(one, Proposal), one
        target = one.alteration.target
        before = bench.api.get(target.api_version, target.kind, target.name, target.namespace)
        assert MARK not in before["metadata"].get("annotations", {}), "the rehearsal left nothing behind"
        done = await it.approved(one)
        assert done.state is State.VERIFIED, (done.state, done.facts)
        sight: Any = done.facts["sight"]
        node = bench.node_of("trainer")
        assert (sight["node"], sight["instance_type"]) == (
            node["metadata"]["name"],
            node["metadata"]["labels"]["node.kubernetes.io/instance-type"],
        )
        after = bench.api.get(target.api_version, target.kind, target.name, target.namespace)
        assert after["metadata"]["annotations"][MARK] == one.id
        assert FIELD_MANAGER in {entry["manager"] for entry in after["metadata"]["managedFields"]}
        named = f"involvedObject.uid={one.alteration.uid}"
        told = bench.api.list("v1", "Event", target.namespace or "default", fieldSelector=named)
        assert [event["reason"] for event in told if event["reason"].startswith("Change")] == ["ChangeApplied"]
        undone = await it.service.undo(one.id, ANNA)
        assert isinstance(undone, Proposal), undone
        it.service.go_on(undone.id)
        await it.in_state(one.id, State.UNDONE)
        back = bench.api.get(target.api_version, target.kind, target.name, target.namespace)
        assert back["spec"] == before["spec"]


async def test_without_the_write_role_the_patch_is_to_copy(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    pod = await asyncio.to_thread(waiting_pod, bench, CASES[0])
    async with approving(accounts["reader"], tmp_path) as it:
        found = await it.proposed(bench.namespace, pod)
    assert isinstance(found, Copy)
    assert found.code == "approvals.no-write-role"
    assert found.command.startswith("kubectl patch")


async def test_what_the_api_server_says_no_to(bench: Workbench, accounts: dict[str, Path], tmp_path: Path) -> None:
    """The refusals that the bot tells apart: a change of the object, CEL and validation, missing rights."""
    bench.create_node_pool("gpu", [requirement("kubernetes.io/arch", "In", "amd64")])
    pool = ObjectRef(api_version="karpenter.sh/v1", kind="NodePool", name="gpu")
    where = "/spec/template/spec/requirements/0"
    restricted: dict[str, Json] = {"op": "replace", "path": f"{where}/key", "value": "karpenter.sh/nodepool"}
    fine: dict[str, Json] = {"op": "replace", "path": f"{where}/values", "value": ["arm64"]}
    async with approving(accounts["writer"], tmp_path) as it:
        hands: Hands = await it.service.desk.clusters.hands(CLUSTER)
        with pytest.raises(ReadFailed, match="is invalid") as refused:
            await rehearsed(hands, pool, (restricted,))
        assert refused.value.status == 422
        stale: list[dict[str, Json]] = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}, fine]
        with pytest.raises(ReadFailed) as changed:
            await hands.write(pool, stale)
        assert changed.value.status in (409, 422)
        assert "is invalid" not in changed.value.message
        found = await rehearsed(hands, pool, (fine,))
        assert found is not None
        assert "arm64" in found.diff
        kept: Any = await hands.read(pool)
        assert "arm64" not in str(kept["spec"])
    async with approving(accounts["reader"], tmp_path) as it:
        hands = await it.service.desk.clusters.hands(CLUSTER)
        with pytest.raises(ReadFailed, match="forbidden") as forbidden:
            await hands.write(
                ObjectRef(api_version="apps/v1", kind="Deployment", namespace="default", name="x"), [fine]
            )
        assert forbidden.value.status == 403
