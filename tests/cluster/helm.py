"""The chart installed on the bed for the time of one test, as Helm would install and uninstall it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.cluster.api import Api, KubeObject, wait_for
from tests.cluster.bot_access import BotAccess, grant_access
from tests.cluster.workbench import SECONDS
from tests.deploy.tools import Manifest, rendered

_NEEDS_OPERATOR: Final = {"ServiceMonitor", "PrometheusRule"}


@contextmanager
def installed(bot: BotAccess, *arguments: str, namespace: str) -> Iterator[list[Manifest]]:
    """What `helm install` sends (an unknown or doubled field is refused), and afterwards what `helm uninstall` leaves: no pod
    that Karpenter would give a node to, on which the next test's pod would then run."""
    api = bot.bed.admin
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    objects = [o for o in rendered(*arguments, namespace=namespace) if o["kind"] not in _NEEDS_OPERATOR]
    try:
        for manifest in objects:
            api.apply(manifest, manager="helm", fieldValidation="Strict")
        yield objects
    finally:
        for manifest in objects:
            metadata = manifest["metadata"]
            where = (metadata["name"], metadata.get("namespace", ""))
            api.delete(manifest["apiVersion"], manifest["kind"], *where, propagationPolicy="Background")
        wait_for(f"pods of {namespace} to go", lambda: not _made_by_controllers(api, namespace), seconds=SECONDS)
        grant_access(bot.bed)  # the chart's ClusterRole bears the name of the one that the other tests run under


def _made_by_controllers(api: Api, namespace: str) -> list[KubeObject]:
    return [*api.list("apps/v1", "ReplicaSet", namespace), *api.list("v1", "Pod", namespace)]
