"""The bot's hands on one cluster: one object read, rehearsed (server-side dry-run), patched; or deleted and created.
Decides nothing.

Every write goes through the official client's connection as field manager `karpenter-bot`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from bot.model.diagnosis import Json
from bot.model.objects import ObjectRef
from bot.remediation.documents import text
from bot.remediation.outcomes import FIELD_MANAGER
from bot.remediation.recreation import recreation_of
from bot.sources.errors import ReadFailed
from bot.sources.kube_api import KubeConnection, Query
from bot.sources.owners import Discovery
from bot.sources.reading import Reader, decode_json
from bot.sources.resources import EVENTS, Resource, is_name

JSON_PATCH: Final = "application/json-patch+json"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Hands:
    """Reads and writes single objects. All methods raise ReadFailed, ClusterUnreachable, CredentialsExpired."""

    def __init__(self, api: KubeConnection) -> None:
        self._api = api
        self._discovery = Discovery()

    async def read(self, target: ObjectRef) -> Json:
        """The object as the server prints it; None where there is none."""
        try:
            return cast("Json", decode_json(await self._api.get(await self._path(target))))
        except ReadFailed as failure:
            if failure.status == 404:
                return None
            raise

    async def rehearse(self, target: ObjectRef, patch: Sequence[Mapping[str, Json]]) -> Json:
        """What the object would become: all of admission, nothing kept."""
        return await self._patched(target, patch, [("dryRun", "All")])

    async def write(self, target: ObjectRef, patch: Sequence[Mapping[str, Json]]) -> Json:
        """Patches the object, once; whatever is uncertain about the answer is the caller's to find out."""
        return await self._patched(target, patch, [])

    async def rehearse_recreation(self, target: ObjectRef, before: Json, manifest: Json) -> None:
        """Both writes, nothing kept. While the old object stands there, its name is all that a good manifest fails on: the
        server looks for it after admission and validation. Raises ReadFailed with what else it finds.
        """
        if before is not None:
            await self._removed(target, before, dry_run=["All"])
        try:
            await self._created(target, manifest, [("dryRun", "All")])
        except ReadFailed as refused:
            if before is None or refused.status != 409 or "already exists" not in refused.message:
                raise

    async def remove(self, target: ObjectRef, before: Json) -> None:
        """Deletes the object, if it still is this version of it."""
        await self._removed(target, before, dry_run=[])

    async def create(self, target: ObjectRef, manifest: Json) -> Json:
        """Creates the object; 409 where its name is taken."""
        return await self._created(target, manifest, [])

    async def may(self, target: ObjectRef, *verbs: str) -> bool:
        """Whether the API server would let the bot do all of this to the object."""
        return all([await self._may(target, verb) for verb in verbs])

    async def _may(self, target: ObjectRef, verb: str) -> bool:
        resource = await self._resource(target)
        asked = {
            "group": resource.group,
            "resource": resource.plural,
            "verb": verb,
            "namespace": target.namespace,
            "name": target.name if verb != "create" else "",
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body = {**review, "spec": {"resourceAttributes": asked}}
        answer: Any = decode_json(await self._api.request("POST", _REVIEWS, body=body))
        return isinstance(answer, dict) and (answer.get("status") or {}).get("allowed") is True

    async def tell(self, event: Mapping[str, Json]) -> None:
        """Writes a Kubernetes Event, for `kubectl describe`."""
        namespace = str(cast("Any", event)["metadata"]["namespace"])
        await self._api.request("POST", EVENTS.path(namespace), body=dict(event))

    async def listed(self, resource: Resource, namespace: str = "", query: Query = ()) -> list[dict[str, Any]]:
        """The objects of a collection."""
        answer: Any = decode_json(await self._api.get(resource.path(namespace), query))
        found = answer.get("items") if isinstance(answer, dict) else None
        return [one for one in found or [] if isinstance(one, dict)]

    async def _removed(self, target: ObjectRef, before: Json, *, dry_run: list[str]) -> None:
        """With options in its body a deletion takes none from its query, a dry-run neither (apiserver handlers/delete.go)."""
        row = recreation_of(before)
        if row is None:
            raise ReadFailed(405, f"a {target.kind} is never deleted")
        only = {"uid": text(before, "metadata", "uid"), "resourceVersion": text(before, "metadata", "resourceVersion")}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only}
        body = {**options, "propagationPolicy": row.propagation, "dryRun": dry_run}
        await self._api.request("DELETE", await self._path(target), body=body)

    async def _created(self, target: ObjectRef, manifest: Json, query: Query) -> Json:
        collection = (await self._path(target)).rpartition("/")[0]
        return _decoded(
            await self._api.request(
                "POST", collection, query=[("fieldManager", FIELD_MANAGER), *query], body=cast("object", manifest)
            )
        )

    async def _patched(self, target: ObjectRef, patch: Sequence[Mapping[str, Json]], query: Query) -> Json:
        answer = await self._api.request(
            "PATCH",
            await self._path(target),
            query=[("fieldManager", FIELD_MANAGER), *query],
            body=[dict(step) for step in patch],
            content_type=JSON_PATCH,
        )
        return _decoded(answer)

    async def _path(self, target: ObjectRef) -> str:
        if not is_name(target.name) or not (not target.namespace or is_name(target.namespace)):
            raise ReadFailed(404, f"no object can be named {target.name!r}")
        return (await self._resource(target)).path(target.namespace, target.name)

    async def _resource(self, target: ObjectRef) -> Resource:
        resource = await self._discovery.resource(Reader(self._api), target.api_version, target.kind)
        if resource is None:
            raise ReadFailed(404, f"the cluster does not serve {target.kind} of {target.api_version}")
        return resource


def _decoded(answer: bytes) -> Json:
    try:
        return cast("Json", decode_json(answer))
    except msgspec.DecodeError as error:
        raise ReadFailed(0, "an answer that is no JSON") from error
