"""Whether the deployed role may all that it is meant to: the API server is asked, right by right, and nothing is read."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, Final, Protocol

import yaml

from bot.doctor.clocks import skew
from bot.doctor.findings import Finding, State
from bot.leading import LEASE
from bot.sources.errors import CredentialsExpired, ReadFailed, SourceError

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE: Final = 8


class Api(Protocol):
    """What the doctor needs of a connection."""

    async def request(self, method: str, path: str, *, body: object = None) -> bytes: ...
    async def date(self) -> str:
        """The server's `Date`, "" where it tells none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource, in one namespace or ("") everywhere. `optional`: not every cluster has such things."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    optional: bool = False
    name: str = ""

    @property
    def shown(self) -> str:
        """`list nodepools.karpenter.sh`."""
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


def rights_of(text: str, *, log_namespaces: Iterable[str] = (), optional: bool = False) -> Iterator[Right]:
    """The rights that a manifest's roles grant; what a Role grants is asked for where Karpenter runs."""
    for document in yaml.safe_load_all(text):
        if not document or document["kind"] not in ("ClusterRole", "Role"):
            continue
        namespaced = document["kind"] == "Role"
        everywhere = tuple(log_namespaces) or (document["metadata"].get("namespace", ""),)
        for namespace in everywhere if namespaced else ("",):
            yield from _of_rules(document["rules"], namespace, optional=optional)


def _of_rules(rules: Iterable[Mapping[str, Any]], namespace: str, *, optional: bool) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb, name in product(rule["verbs"], rule.get("resourceNames") or ("",)):
                    yield Right(
                        group=group, resource=resource, verb=verb, namespace=namespace, optional=optional, name=name
                    )


def lease_rights(namespace: str) -> Iterator[Right]:
    """What several replicas need to agree on who watches."""
    group = "coordination.k8s.io"
    yield Right(group=group, resource="leases", verb="create", namespace=namespace)
    for verb in ("get", "update"):
        yield Right(group=group, resource="leases", verb=verb, namespace=namespace, name=LEASE)


async def examine_server(api: Api, cluster: str, now: Callable[[], datetime]) -> list[Finding]:
    """Whether the API server answers, and whether its clock and ours agree: tokens live by it, and so do ages in answers."""
    area = f"cluster {cluster}"
    try:
        dated = await api.date()
    except (SourceError, ReadFailed) as error:
        return [_silent(cluster, error)]
    answers = Finding(area=area, subject="API server", state=State.OK)
    return [answers, *skew(dated, now(), "Kubernetes", area)]


async def examine_rights(api: Api, cluster: str, rights: Iterable[Right], manifest: str) -> list[Finding]:
    """One finding for each right. A cluster that cannot be asked is one finding."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def examine(right: Right) -> Finding:
        async with turns:
            return _finding(right, cluster, await _allowed(api, right), manifest)

    try:
        return list(await asyncio.gather(*map(examine, sorted(set(rights)))))
    except (SourceError, ReadFailed) as error:
        return [_silent(cluster, error)]


def _silent(cluster: str, error: Exception) -> Finding:
    fix = "credentials" if isinstance(error, CredentialsExpired) else "cluster"
    area = f"cluster {cluster}"
    return Finding(area=area, subject="API server", state=State.PROBLEM, found=str(error), fix=fix)


async def _allowed(api: Api, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    asked = {
        "group": right.group,
        "resource": resource,
        "verb": right.verb,
        **({"subresource": subresource} if subresource else {}),
        **({"namespace": right.namespace} if right.namespace else {}),
        **({"name": right.name} if right.name else {}),
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = json.loads(await api.request("POST", REVIEWS, body=body))
    return bool(answer.get("status", {}).get("allowed", False))


def _finding(right: Right, cluster: str, allowed: bool, manifest: str) -> Finding:  # noqa: FBT001 (the finding itself)
    where = f"in {right.namespace}" if right.namespace else "in all namespaces"
    subject = f"{right.shown} {where}"
    if allowed:
        return Finding(area=f"cluster {cluster}", subject=subject, state=State.OK)
    otherwise = "rbac-optional" if right.optional else "rbac"
    fix = {"leases": "lease", "services/proxy": "rbac-metrics"}.get(right.resource, otherwise)
    return Finding(
        area=f"cluster {cluster}",
        subject=subject,
        state=State.OPTIONAL if right.optional else State.PROBLEM,
        found="not allowed",
        fix=fix,
        facts={
            "manifest": manifest,
            "verb": right.verb,
            "resource": right.resource,
            "where": where,
            "namespace": right.namespace,
        },
    )
