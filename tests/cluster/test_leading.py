"""Two replicas of the serving bot on a real API server, under the chart's own role: one watches, whatever becomes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cluster.bed import Bed
from tests.cluster.bot_access import manifests_of, service_account_token
from tests.cluster.build import REPOSITORY
from tests.cluster.credentials import write_kubeconfig
from tests.fakes.fixtures import running_slack
from tests.postgres import PostgresServer
from tests.serving import Deployment, Replica, deployed

pytestmark = pytest.mark.cluster
NAMESPACE = "karpenter-bot"
LEASE_ROLE = REPOSITORY / "deploy" / "manifests" / "rbac-lease.yaml"


async def the_leader(replicas: list[Replica], *, after: float = 20) -> Replica:
    """The one that leads, once there is one; never two."""
    async with asyncio.timeout(after):
        while True:
            lead = [await replica.measure("leader") for replica in replicas]
            assert sum(one == 1 for one in lead) <= 1
            if 1 in lead:
                return replicas[lead.index(1)]
            await asyncio.sleep(0.2)


def lease_access(bed: Bed) -> Path:
    """A kubeconfig of the bot's service account with the lease's role alone."""
    bed.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    account = {"name": "karpenter-bot", "namespace": NAMESPACE}
    bed.admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    for manifest in manifests_of(LEASE_ROLE):
        bed.admin.apply(manifest)
    token = service_account_token(bed.admin, NAMESPACE, "karpenter-bot")
    path = bed.folder / "lease.kubeconfig"
    write_kubeconfig(path, server=bed.server, ca=bed.ca, token=token)
    return path


async def test_one_watches_and_another_when_it_is_killed_frozen_or_ended(
    bed: Bed, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    kubeconfig = await asyncio.to_thread(lease_access, bed)
    async with running_slack() as slack:
        plan = Deployment(
            folder=tmp_path,
            slack=slack,
            settings={
                "clusters": {"bed": {"kubeconfig": str(kubeconfig)}},
                "store": {"url": postgres_server.new_database()},
            },
            environment={"POD_NAMESPACE": NAMESPACE, "KUBECONFIG": str(kubeconfig)},
            overrides=("leader=3",),
        )
        async with deployed(plan):
            all_ = list(await asyncio.gather(plan.start("one"), plan.start("two")))
            leader = await the_leader(all_)

            leader.freeze()
            (other,) = [replica for replica in all_ if replica is not leader]
            assert await the_leader([other]) is other
            leader.thaw()
            # the figure is as old as its last look; what it does is asked of the lease's clock (tests/test_leading.py)
            async with asyncio.timeout(5):
                while await leader.measure("leader"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await other.measure("leader") == 1

            other.kill()
            assert await the_leader([leader]) is leader

            third = await plan.start("three")
            assert await leader.end() == 0
            assert await the_leader([third], after=2) is third, "a planned end is no wait"
            lease = bed.admin.find("coordination.k8s.io/v1", "Lease", "karpenter-bot-watcher", NAMESPACE)
            assert lease is not None
            assert lease["spec"]["leaseTransitions"] == 3
