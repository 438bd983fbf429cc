"""Where the API server keeps which kind: group, version, plural, and the URL paths made of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]|\.(?!\.)){0,252}", re.ASCII)
_API_VERSION: Final = re.compile(r"(?:([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)/)?(v[a-z0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One collection of the API. `group` is empty for the core group."""

    group: str = ""
    version: str = "v1"
    plural: str
    namespaced: bool = True

    @property
    def full_name(self) -> str:
        """As RBAC and kubectl name it: `nodepools.karpenter.sh`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, or of one object. Names must be valid (`is_name`)."""
        parts = [api_path(self.api_version)]
        if namespace and self.namespaced:
            parts.append(f"namespaces/{namespace}")
        parts.extend(part for part in (self.plural, name, subresource) if part)
        return "/".join(parts)


def api_path(api_version: str) -> str:
    """`/api/v1` or `/apis/<group>/<version>`."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def none_of(field: str, values: Iterable[str]) -> str:
    """A field selector that leaves these values out. Field selectors know no "in", so a list of several kinds or reasons
    is asked for by leaving out the frequent other ones, and the rest is sorted out here: one call instead of many.
    """
    return ",".join(f"{field}!={value}" for value in values)


def is_name(text: str) -> bool:
    """Whether an object could have this name. Anything else must not get into a URL path."""
    return _NAME.fullmatch(text) is not None


def group_of(api_version: str) -> tuple[str, str] | None:
    """Group and version of an `apiVersion`; None when it is none."""
    match = _API_VERSION.fullmatch(api_version)
    return (match[1] or "", match[2]) if match else None


PODS: Final = Resource(plural="pods")
PENDING: Final = (("fieldSelector", "status.phase=Pending"),)
"""The query for pods that wait, or whose containers do not run yet."""
SERVICES: Final = Resource(plural="services")
EVENTS: Final = Resource(plural="events")
NODES: Final = Resource(plural="nodes", namespaced=False)
NAMESPACES: Final = Resource(plural="namespaces", namespaced=False)
CLAIMS: Final = Resource(plural="persistentvolumeclaims")
VOLUMES: Final = Resource(plural="persistentvolumes", namespaced=False)
BUDGETS: Final = Resource(group="policy", plural="poddisruptionbudgets")
DAEMON_SETS: Final = Resource(group="apps", plural="daemonsets")
STORAGE_CLASSES: Final = Resource(group="storage.k8s.io", plural="storageclasses", namespaced=False)

KARPENTER: Final = "karpenter.sh"
NODE_CLAIMS: Final = Resource(group=KARPENTER, plural="nodeclaims", namespaced=False)
"""In the version of every Karpenter since 1.0 (see VERSIONS for the older one)."""
KARPENTER_AWS: Final = "karpenter.k8s.aws"
AUTO_MODE: Final = "eks.amazonaws.com"
"""The API group of EKS Auto Mode's own NodeClass; its NodePools and NodeClaims are `karpenter.sh`'s."""
VERSIONS: Final = ("v1", "v1beta1")
"""Of Karpenter's kinds, the newest first: v1beta1 from v0.32 on, v1 from v1.0 on (karpenter pkg/apis)."""
