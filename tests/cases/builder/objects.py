"""What every manifest has: metadata as the API server fills it in, conditions, lists, and YAML as kubectl prints it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

import yaml

Manifest = dict[str, object]

_FIRST_WRITE: Final = datetime(2024, 1, 1, tzinfo=UTC)


def moment(text: str) -> datetime:
    """`2025-12-28T06:03:04Z` as a time."""
    return datetime.fromisoformat(text)


def later(time: datetime, seconds: float) -> datetime:
    return time + timedelta(seconds=seconds)


def stamp(time: datetime) -> str:
    """A time as metav1.Time prints it: whole seconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(time: datetime) -> str:
    """A time as metav1.MicroTime prints it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def uid(*parts: str) -> str:
    """A uid that stays the same from build to build."""
    return str(uuid5(NAMESPACE_DNS, "/".join(("training-on-eks", *parts))))


def version_at(time: datetime) -> str:
    """A resourceVersion: it grows with time, as etcd's revision does."""
    return str(1_000_000 + int((time - _FIRST_WRITE).total_seconds()) // 3)


def metadata(
    kind: str,
    name: str,
    created: datetime,
    *,
    namespace: str = "",
    more: Mapping[str, object] | None = None,
) -> Manifest:
    """`metadata` with what the API server adds; `more` holds labels, annotations, ownerReferences, finalizers ..."""
    given = {key: value for key, value in (more or {}).items() if value}
    return {
        "creationTimestamp": stamp(created),
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "resourceVersion": version_at(created),
        "uid": uid(kind, namespace, name, stamp(created)),
        **given,
    }


def meta_of(manifest: Mapping[str, object]) -> Manifest:
    meta = manifest["metadata"]
    assert isinstance(meta, dict)
    return meta


def name_of(manifest: Mapping[str, object]) -> str:
    return str(meta_of(manifest)["name"])


def owned_by(owner: Mapping[str, object]) -> list[Manifest]:
    """ownerReferences with that one controller."""
    meta = meta_of(owner)
    return [
        {
            "apiVersion": owner["apiVersion"],
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": owner["kind"],
            "name": meta["name"],
            "uid": meta["uid"],
        }
    ]


def condition(kind: str, status: str, at: datetime, *, reason: str = "", message: str = "") -> Manifest:
    """One status condition as Kubernetes itself writes it."""
    return {
        "lastTransitionTime": stamp(at),
        **({"message": message} if message else {}),
        **({"reason": reason} if reason else {}),
        "status": status,
        "type": kind,
    }


def own_condition(kind: str, status: str, at: datetime, *, reason: str = "", message: str = "") -> Manifest:
    """One status condition as Karpenter writes it: the type is the reason too when all is well."""
    return {
        "lastTransitionTime": stamp(at),
        "message": message,
        "observedGeneration": 1,
        "reason": reason or kind,
        "status": status,
        "type": kind,
    }


def env(**values: str) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in values.items()]


class _Dumper(yaml.SafeDumper):
    """Block text for many lines, no aliases: as kubectl prints."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 (PyYAML's own signature)
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dump(content: object) -> str:
    """YAML with sorted keys."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=True, width=110, allow_unicode=True)


def dump_list(manifests: Iterable[Mapping[str, object]]) -> str:
    """What `kubectl get … -o yaml` prints for several objects."""
    items: Sequence[Mapping[str, object]] = list(manifests)
    return dump({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
