"""A collection that is kept up to date, against an API server that cuts, forgets, refuses and dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Namespace, Node, Pod
from bot.model.objects import ObjectMeta
from bot.sources import watching
from bot.sources.changes import Change, Changes
from bot.sources.errors import CredentialsExpired, ReadFailed
from bot.sources.kube_api import KubeConnection, open_connection
from bot.sources.mirror import Mirror
from bot.sources.resources import KARPENTER, NODE_CLAIMS, NODES, PODS
from bot.sources.watching import Watched
from tests.fakes.kube import FakeKube, Fault, serving
from tests.sources.manifests import NODE, Manifest, pod, thing


@dataclass(slots=True)
class Clock:
    """Seconds that only a test lets pass."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True, kw_only=True)
class Scene:
    fake: FakeKube
    connection: KubeConnection
    nodes: Watched[Node]
    clock: Clock = field(default_factory=Clock)

    async def names(self) -> list[str]:
        return sorted(node.metadata.name for node in (await self.nodes.current()).items)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110 (a test looks in from outside)
                await asyncio.sleep(0.005)

    async def until_live(self) -> None:
        await self.until(lambda: self.nodes.live)

    def lists(self) -> int:
        return len([r for r in self.fake.requests if r.path.endswith("/nodes") and "watch" not in r.query])

    def watches(self) -> int:
        return len([r for r in self.fake.requests if r.path.endswith("/nodes") and "watch" in r.query])


def node(name: str, **labels: str) -> Manifest:
    return thing("v1", "Node", name, labels=labels)


@asynccontextmanager
async def followed(
    folder: Path, *objects: Manifest, faults: dict[str, Fault] | None = None, live: bool = True
) -> AsyncIterator[Scene]:
    """A Watched of nodes that runs, and listed what is there unless told not to wait for that."""
    clock = Clock()
    async with (
        serving(objects or (node("a"), node("b")), faults=faults) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(folder))) as connection,
    ):
        nodes = Watched(connection, NODES, Node, clock=clock)
        scene = Scene(fake=fake, connection=connection, nodes=nodes, clock=clock)
        task = asyncio.create_task(nodes.run())
        try:
            if live:
                await scene.until_live()
            yield scene
        finally:
            fake.history.end()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_happens_is_seen_without_another_list(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        assert await scene.names() == ["a", "b"]
        scene.fake.put(node("c"))
        scene.fake.put(node("a", team="ml"))
        scene.fake.remove(node("b"))
        scene.fake.put(pod("not-a-node"))
        await scene.until(lambda: len(scene.nodes.items) == 2 and scene.nodes.state.events == 3)
        assert await scene.names() == ["a", "c"]
        assert {n.metadata.name: n.metadata.labels for n in scene.nodes.items}["a"] == {"team": "ml"}
        assert (scene.lists(), scene.watches()) == (1, 1)
        assert (await scene.nodes.current()).gaps == ()


async def test_a_watch_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.history.record("BOOKMARK", {"kind": "Node", "apiVersion": "v1"})
        bookmark = scene.fake.history.version
        await scene.until(lambda: scene.nodes.state.events == 1)
        for abruptly in (False, True):
            before = scene.watches()
            scene.fake.history.end(abruptly=abruptly)
            await scene.until(lambda before=before: scene.watches() > before)  # type: ignore[misc]
            await scene.until_live()
        scene.fake.put(node("c"))
        await scene.until(lambda: len(scene.nodes.items) == 3)
        assert scene.lists() == 1
        asked = [r.query["resourceVersion"] for r in scene.fake.requests if "watch" in r.query]
        assert asked == ["1", str(bookmark), str(bookmark)]


@pytest.mark.parametrize("how", ["event", "status"])
async def test_a_version_that_the_server_forgot_costs_one_list(tmp_path: Path, how: str) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.objects = [node("a"), node("c")]  # what happened meanwhile, and nobody can tell any more
        if how == "event":
            scene.fake.history.forget()
        else:
            scene.fake.faults["/nodes?watch"] = Fault(status=410, message="too old resource version", times=1)
        scene.fake.history.end(abruptly=True)
        await scene.until(lambda: scene.nodes.state.lists == 2)
        await scene.until_live()
        assert await scene.names() == ["a", "c"]
        assert scene.lists() == 2


async def test_while_the_watch_is_down_questions_read_the_list(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.faults["/nodes?watch"] = Fault(status=503, message="no watches today")
        scene.fake.history.end(abruptly=True)
        await scene.until(lambda: not scene.nodes.live)
        scene.fake.put(node("c"))
        scene.clock.now += 10
        seen = await asyncio.gather(*(scene.nodes.current() for _ in range(5)))
        assert [len(one.items) for one in seen] == [3] * 5
        assert all(one.gaps == () for one in seen)
        assert scene.lists() == 2  # five questions at once share one list
        await scene.until(lambda: scene.nodes.state.trouble == "503 no watches today")


async def test_when_the_list_fails_too_the_age_of_what_is_known_is_said(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        for end in ("/nodes?watch", "/nodes"):
            scene.fake.faults[end] = Fault(status=500, message="etcd is away")
        scene.fake.history.end(abruptly=True)
        await scene.until(lambda: not scene.nodes.live)
        scene.clock.now += 600
        seen = await scene.nodes.current()
        assert len(seen.items) == 2
        assert [str(gap) for gap in seen.gaps] == ["nodes: as of 10 min ago: since then, 500 etcd is away"]
        # and what may not be seen any more is not shown from memory
        scene.fake.faults["/nodes"] = Fault(status=403, message="forbidden")
        with pytest.raises(ReadFailed, match="403"):
            await scene.nodes.current()
        scene.fake.token = "another"
        with pytest.raises(CredentialsExpired):
            await scene.nodes.current()


async def test_a_watch_that_fell_silent_is_not_believed(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.objects.append(node("c"))  # nobody tells of it, as over a connection that died without goodbye
        scene.clock.now += watching.SILENCE - 1
        assert await scene.names() == ["a", "b"]
        scene.clock.now += 2
        assert await scene.names() == ["a", "b", "c"]


async def test_silence_ends_the_watch_and_another_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SILENCE", 0.05)
    async with followed(tmp_path) as scene:
        await scene.until(lambda: scene.watches() > 2)
        assert "no answer within 0 s" in scene.nodes.state.trouble or scene.nodes.live


async def test_a_token_that_ran_out_is_renewed(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.token = "renewed"
        scene.fake.kubeconfig(tmp_path)
        scene.fake.history.end(abruptly=True)
        await scene.until(lambda: not scene.nodes.live)
        await scene.until_live()
        scene.fake.put(node("c"))
        await scene.until(lambda: len(scene.nodes.items) == 3)
        assert scene.lists() == 1


async def test_without_the_right_to_watch_every_question_reads_a_list(tmp_path: Path) -> None:
    forbidden = Fault(status=403, message="cannot watch nodes")
    async with followed(tmp_path, faults={"/nodes?watch": forbidden}, live=False) as scene:
        await scene.until(lambda: "403" in scene.nodes.state.trouble)
        for name in ("c", "d"):
            scene.fake.put(node(name))
            scene.clock.now += 5
            assert name in await scene.names()
        assert (scene.lists(), scene.watches()) == (3, 1)  # and no watch is tried at each of them


async def test_a_malformed_object_is_left_out_and_named_until_it_is_well(tmp_path: Path) -> None:
    broken = node("c") | {"spec": {"taints": "none"}}
    async with followed(tmp_path) as scene:
        scene.fake.put(broken)
        await scene.until(lambda: scene.nodes.state.events == 1)
        seen = await scene.nodes.current()
        assert [n.metadata.name for n in seen.items] == ["a", "b"]
        assert ["malformed" in str(gap) and gap.what == "nodes c" for gap in seen.gaps] == [True]
        scene.fake.put(node("c"))
        await scene.until(lambda: len(scene.nodes.items) == 3)
        assert (await scene.nodes.current()).gaps == ()


async def test_nonsense_instead_of_events_is_survived(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.faults["/nodes?watch"] = Fault(body=b"<html>log in</html>\n", times=2)
        scene.fake.history.end()
        await scene.until(lambda: scene.watches() > 3)
        await scene.until_live()
        assert await scene.names() == ["a", "b"]


async def test_many_nodes_come_in_pages(tmp_path: Path) -> None:
    nodes = [node(f"n{index:04d}") for index in range(1_200)]
    async with followed(tmp_path, *nodes) as scene:
        assert len(await scene.names()) == 1_200
        assert scene.lists() == 3


async def test_an_object_that_did_not_change_stays_the_same_one(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        scene.fake.put(node("a"))
        await scene.until(lambda: scene.nodes.state.events == 1)
        held = {n.metadata.name: n for n in scene.nodes.items}
        await scene.nodes.list()
        assert {n.metadata.name: n for n in scene.nodes.items}["a"] is held["a"]


async def test_a_listener_is_told_what_is_there_and_what_becomes_of_it(tmp_path: Path) -> None:
    async with followed(tmp_path) as scene:
        with scene.nodes.changes() as changes:
            first = [await anext(changes), await anext(changes)]
            assert all(c.before is None for c in first)
            assert [c.after.metadata.name for c in first if c.after] == ["a", "b"]
            scene.fake.put(node("a", team="ml"))
            change = await anext(changes)
            assert change.before is first[0].after
            assert change.after is not None
            assert change.after.metadata.labels == {"team": "ml"}
            # what happens while the watch is away is told too
            scene.fake.faults["/nodes?watch"] = Fault(status=503, message="down", times=2)
            scene.fake.history.end(abruptly=True)
            await scene.until(lambda: not scene.nodes.live)
            scene.fake.objects = []
            scene.fake.history.forget()
            gone = [await asyncio.wait_for(anext(changes), 5) for _ in range(2)]
            assert [c.after for c in gone] == [None, None]
            assert change.after in [c.before for c in gone]


async def test_a_slow_listener_gets_one_step_for_many() -> None:
    changes = Changes[Namespace]()
    steps = [Namespace(metadata=ObjectMeta(name="a", generation=number)) for number in range(100)]
    for before, after in zip((None, *steps), steps, strict=False):
        changes.put("a", Change(before, after))
        changes.put("b", Change(None, after))
        changes.put("b", Change(after, None))
    assert await anext(changes) == Change(None, steps[-1])
    with pytest.raises(TimeoutError):  # b came and went
        await asyncio.wait_for(anext(changes), 0.01)


async def test_the_mirror_watches_what_is_read_and_follows_what_is_asked(tmp_path: Path) -> None:
    claim = thing(f"{KARPENTER}/v1", "NodeClaim", "gpu-1")
    wanted = [("fieldSelector", "metadata.name=trainer")]
    async with (
        serving([NODE, claim, pod("trainer"), pod("other")]) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(tmp_path))) as connection,
    ):
        mirror = Mirror(connection)
        assert len((await mirror.all_of(NODE_CLAIMS, NodeClaim)).items) == 1
        async with mirror.following(PODS, Pod, namespace="train", query=wanted) as changes:
            assert (await anext(changes)).after.metadata.name == "trainer"  # type: ignore[union-attr]
            fake.put(pod("other", phase="Running"))
            fake.put(pod("trainer", phase="Running"))
            change = await asyncio.wait_for(anext(changes), 5)
            assert (change.before.status.phase, change.after.status.phase) == ("Pending", "Running")  # type: ignore[union-attr]
        while not all(state.live for state in mirror.states):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        for _ in range(3):
            await mirror.all_of(NODE_CLAIMS, NodeClaim)
        assert len([p for p in fake.paths if p.endswith("/nodeclaims")]) == 2  # a list and a watch
        assert not any(path.endswith("/nodes") for path in fake.paths)
        await mirror.close()
        fake.history.end()
