"""The mirror beside real servers: the serving bot's own, under its deployed role, and an API server that is ended, cut off
and brought back (a small one of its own, so that nobody else notices)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from bot import app
from bot.catalogues import Catalogues
from bot.model.kubernetes import Node
from bot.sources.ec2 import Ec2
from bot.sources.errors import ClusterUnreachable
from bot.sources.kube_api import open_connection
from bot.sources.pod_search import PodQuestion
from bot.sources.resources import NODES
from bot.sources.watching import Watched
from tests.cluster import components
from tests.cluster.api import Api, KubeObject, wait_for
from tests.cluster.bed import Bed, new_folder
from tests.cluster.bot_access import BotAccess, wait_for_audit
from tests.cluster.build import ensure_assets
from tests.cluster.cases import GPU, INSTANCE_TYPE
from tests.cluster.components import REGION, Layout
from tests.cluster.credentials import make_credentials, write_kubeconfig
from tests.cluster.processes import Running, free_ports, start, stop
from tests.cluster.workbench import Workbench, requirement

pytestmark = pytest.mark.cluster


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (a test looks in from outside)
            await asyncio.sleep(0.02)


async def in_thread(work: Callable[[], object]) -> None:
    await asyncio.to_thread(work)


async def test_a_warm_question_lists_nothing_that_is_watched(
    bench: Workbench, bot: BotAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bot.bed.aws_environment.items():
        monkeypatch.setenv(name, value)
    bench.create_node_pool("gpu", [requirement(INSTANCE_TYPE, "In", "p4d.24xlarge")])
    bench.create_deployment("trainer", {GPU: "16"})
    pod = bench.pending_pod_of("trainer")
    bench.refusal(pod)
    place = app.Place(kubeconfig=str(bot.kubeconfig), region=REGION)
    shared = app.Shared(ec2=Ec2(), catalogues=Catalogues())
    question = PodQuestion(name=pod, namespace=bench.namespace)
    connected = await app.stay_connected(place)
    try:
        await app.prepare(connected.cluster, shared, place)
        await until(lambda: all(state.live for state in connected.mirror.states))
        assert {s.resource.partition(".")[0] for s in connected.mirror.states} == {
            *("nodes", "nodepools", "nodeclaims", "ec2nodeclasses"),
        }
        before = len(bot.requests())
        first = await app.diagnosis_of(connected.cluster, shared, place, question)
        await in_thread(wait_for_audit)
        asked = bot.requests()[before:]

        # what changes in a watched kind is in the next answer
        other = requirement(INSTANCE_TYPE, "In", "p5.48xlarge")
        await in_thread(lambda: bench.create_node_pool("other", [other]))
        await until(lambda: any(s.resource.startswith("nodepools") and s.objects == 2 for s in connected.mirror.states))
        second = await app.diagnosis_of(connected.cluster, shared, place, question)
    finally:
        shared.ec2.close()
        await connected.close()

    assert [cause.id for cause in first.causes] == ["gpu-count-exceeds-instance"]
    assert first.missing == ()
    assert len(asked) < 20
    listed = {entry["objectRef"]["resource"] for entry in asked if entry["verb"] == "list"}
    assert not listed & {"nodes", "nodepools", "nodeclaims", "ec2nodeclasses"}
    assert [pool.name for pool in first.nodepools] == ["gpu"]
    assert {pool.name for pool in second.nodepools} == {"gpu", "other"}


@dataclass(slots=True)
class SmallServer:
    """etcd and an API server alone."""

    layout: Layout
    etcd: Running
    api_server: Running
    admin: Api

    def end(self) -> None:
        stop([self.api_server])

    def begin(self) -> None:
        self.api_server = start(components.apiserver(self.layout), self.layout.folder, detached=False)
        self.wait()

    def wait(self) -> None:
        wait_for("kube-apiserver", lambda: self.admin.request("GET", "/readyz"), seconds=60)

    def create_node(self, name: str) -> None:
        self.admin.create(node(name))


def node(name: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


@pytest.fixture
def server(bed: Bed) -> Iterator[SmallServer]:
    """Where the bed cannot run, neither can this."""
    folder = new_folder()
    ports = dict(zip(components.PORT_NAMES, free_ports(len(components.PORT_NAMES)), strict=True))
    credentials = make_credentials(folder / "credentials")
    layout = Layout(folder=folder, ports=ports, assets=ensure_assets(), credentials=credentials)
    token = credentials.tokens["admin"]
    write_kubeconfig(layout.kubeconfig("admin"), server=layout.server, ca=credentials.ca, token=token)
    etcd = start(components.etcd(layout), folder, detached=False)
    api_server = start(components.apiserver(layout), folder, detached=False)
    small = SmallServer(layout, etcd, api_server, Api(server=layout.server, ca=credentials.ca, token=token))
    try:
        small.wait()
        yield small
    finally:
        small.admin.close()
        stop([small.etcd, small.api_server])
        shutil.rmtree(folder, ignore_errors=True)


async def followed(server: SmallServer, story: Callable[[Watched[Node]], Awaitable[None]]) -> None:
    """Tells a story about a Watched of the server's nodes, with node `a` there."""
    await in_thread(lambda: server.create_node("a"))
    async with await open_connection(kubeconfig=str(server.layout.kubeconfig("admin"))) as connection:
        watched = Watched(connection, NODES, Node)
        task = asyncio.create_task(watched.run())
        try:
            await until(lambda: watched.live)
            await story(watched)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def names(watched: Watched[Node]) -> set[str]:
    return {one.metadata.name for one in watched.items}


async def test_the_watch_outlives_its_api_server_and_a_forgotten_version(server: SmallServer) -> None:
    async def story(watched: Watched[Node]) -> None:
        assert names(watched) == {"a"}
        await in_thread(lambda: server.create_node("b"))
        await until(lambda: names(watched) == {"a", "b"})
        assert watched.state.lists == 1

        # while it is away nothing old is told
        await in_thread(server.end)
        await until(lambda: not watched.live)
        await asyncio.sleep(1.1)
        with pytest.raises(ClusterUnreachable):
            await watched.current()

        await in_thread(server.begin)
        await in_thread(lambda: server.create_node("c"))
        await until(lambda: names(watched) == {"a", "b", "c"})
        assert {one.metadata.name for one in (await watched.current()).items} == {"a", "b", "c"}

        # a version that is long gone: the real server's 410
        lists = watched.state.lists
        await in_thread(server.end)
        watched._version = "1"
        await in_thread(server.begin)
        await in_thread(lambda: server.admin.delete("v1", "Node", "a"))
        await until(lambda: names(watched) == {"b", "c"} and watched.live)
        assert watched.state.lists > lists
        assert watched.state.trouble == ""

    await followed(server, story)
