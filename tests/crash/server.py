"""The API server's part of the crash matrix: a process of its own, which outlives every replica and counts what was kept."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from tests.approving.stage import DEPLOYMENT
from tests.fakes.writable_kube import WritableKube, writable
from tests.remediation.test_recreation import job

SERVED: Final = "seen-by-discovery"
"""An object of each kind that stays, so that the kind is served while another of it is gone."""


def manifest(kind: str, name: str) -> dict[str, Any]:
    """A fresh object to change."""
    one = deepcopy(DEPLOYMENT) if kind == "Deployment" else job()
    labels = one["metadata"].get("annotations", {})
    return {**one, "metadata": {"name": name, "namespace": "ml", "annotations": {**labels, "of": name}}}


def _running_pod() -> dict[str, Any]:
    """What a change is watched for; it does not say since when it runs, so it is none that ran before the change."""
    status = {"phase": "Running"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trainer-x", "namespace": "ml"}, "status": status}


def _serve(folder: Path, pipe: Connection) -> None:
    async def forever() -> None:
        standing = [manifest(kind, SERVED) for kind in ("Deployment", "Job")]
        async with writable([*standing, {**_running_pod(), "spec": {"nodeName": "ip-1"}}]) as kube:
            kube.served = frozenset({"karpenter.sh/v1"})
            kube.__post_init__()
            pipe.send(str(kube.kubeconfig(folder)))
            loop = asyncio.get_running_loop()
            while (asked := await loop.run_in_executor(None, pipe.recv)) is not None:
                pipe.send(_answer(kube, *asked))

    asyncio.run(forever())


def _answer(kube: WritableKube, what: str, kind: str, name: str) -> Any:  # noqa: ANN401
    match what:
        case "new":
            kube.objects.append(manifest(kind, name))
            kube.__post_init__()
            return kube.find(kind, name)
        case "touch":
            if any(o["kind"] == kind and o["metadata"]["name"] == name for o in kube.objects):
                kube.touch(kind, name)
        case "spoil":
            change = {"replicas": 5} if kind == "Deployment" else {"parallelism": 5}
            kube.touch(kind, name, change)
        case "refuse":
            kube.refuse = {} if not name else {name: "no such thing here"}
        case "count":
            return _counted(kube, kind, name)
    return None


def _counted(kube: WritableKube, kind: str, name: str) -> dict[str, Any]:
    """What was kept of each kind of write, and what stands there now."""
    there = [o for o in kube.objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return {
        "patched": sum(path.endswith(f"/{name}") for path, _ in kube.patched),
        "deleted": sum(path.endswith(f"/{name}") for path, _ in kube.deleted),
        "created": sum(one["metadata"]["name"] == name for _, one in kube.created),
        "object": there[0] if len(there) == 1 else None,
    }


class Server:
    """How the matrix speaks with it."""

    def __init__(self, kubeconfig: Path, pipe: Connection) -> None:
        self.kubeconfig, self._pipe = kubeconfig, pipe

    def ask(self, what: str, kind: str, name: str) -> Any:  # noqa: ANN401
        self._pipe.send((what, kind, name))
        return self._pipe.recv()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The server for the length of the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(folder, theirs), daemon=True)
    process.start()
    try:
        yield Server(Path(ours.recv()), ours)
    finally:
        ours.send(None)
        process.join(10)
