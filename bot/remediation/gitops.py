"""Objects that are kept in a repository: Argo CD, Flux, Helm and EKS put back what is changed in place.

Each tool leaves marks; the table says which, and what they name. Sources: Argo CD docs user-guide/resource_tracking.md
(v3.3), Flux kustomize-controller and helm-controller (v1), Helm 3 pkg/action/validate.go, EKS Auto Mode's own NodePools.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.model.diagnosis import Json
from bot.remediation.documents import items, text

TRACKING_ID: Final = "argocd.argoproj.io/tracking-id"
INSTANCE: Final = "app.kubernetes.io/instance"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
HELM_RELEASE: Final = "meta.helm.sh/release-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedBy:
    """Who writes the object. `name` is empty where the marks do not tell it."""

    tool: str
    kind: str
    name: str = ""
    namespace: str = ""

    @property
    def what(self) -> str:
        """The kind of manager, without a name."""
        return f"{self.tool} {self.kind}"

    def __str__(self) -> str:
        named = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.tool} {self.kind} {named}".rstrip()


def _label(document: Json, key: str) -> str:
    return text(document, "metadata", "labels", key)


def _annotation(document: Json, key: str) -> str:
    return text(document, "metadata", "annotations", key)


def _writers(document: Json) -> Iterator[str]:
    """The field managers that `metadata.managedFields` names."""
    for entry in items(document, ("metadata", "managedFields")):
        yield text(entry, "manager").lower()


def _argo_tracked(document: Json) -> ManagedBy | None:
    """`<application>:<group>/<kind>:<namespace>/<name>`; one copied from another object does not name this one."""
    application, _, rest = _annotation(document, TRACKING_ID).partition(":")
    kind, _, place = rest.partition(":")
    own = kind.rpartition("/")[2] == text(document, "kind") and place.rpartition("/")[2] == text(
        document, "metadata", "name"
    )
    # an Application outside of Argo CD's own namespace is written `<namespace>_<name>`
    namespace, _, name = application.rpartition("_")
    return (
        ManagedBy(tool="Argo CD", kind="Application", name=name, namespace=namespace) if application and own else None
    )


def _argo_labelled(document: Json) -> ManagedBy | None:
    """Charts set the label too, so it counts only where Argo CD wrote the object, or nobody knows who did."""
    writers = list(_writers(document))
    name = _label(document, INSTANCE)
    by_argo = any(writer.startswith("argocd") for writer in writers)
    if by_argo or (name and not writers):
        return ManagedBy(tool="Argo CD", kind="Application", name=name)
    return None


def _flux(kind: str, domain: str, writer: str) -> Callable[[Json], ManagedBy | None]:
    def found(document: Json) -> ManagedBy | None:
        name = _label(document, f"{domain}/name")
        if not name and writer not in _writers(document):
            return None
        return ManagedBy(tool="Flux", kind=kind, name=name, namespace=_label(document, f"{domain}/namespace"))

    return found


def _helm(document: Json) -> ManagedBy | None:
    name = _annotation(document, HELM_RELEASE)
    if not name and "helm" not in _writers(document):
        return None
    namespace = _annotation(document, "meta.helm.sh/release-namespace")
    return ManagedBy(tool="Helm", kind="release", name=name, namespace=namespace)


def _eks(document: Json) -> ManagedBy | None:
    """The NodePools that come with EKS Auto Mode; EKS writes them in lower case, its charts in capitals."""
    own = _label(document, MANAGED_BY).lower() == "eks"
    return ManagedBy(tool="EKS", kind="Auto Mode") if own else None


MARKS: Final[Mapping[str, Callable[[Json], ManagedBy | None]]] = {
    "Argo CD annotation": _argo_tracked,
    "Flux HelmRelease": _flux("HelmRelease", "helm.toolkit.fluxcd.io", "helm-controller"),
    "Flux Kustomization": _flux("Kustomization", "kustomize.toolkit.fluxcd.io", "kustomize-controller"),
    "Helm": _helm,
    "EKS": _eks,
    "Argo CD label": _argo_labelled,
}
"""In this order: Flux installs Helm charts, and charts set the label that Argo CD also uses."""


def managed_by(manifest: Json) -> ManagedBy | None:
    """The tool that would undo a change made in place, with its Application, Kustomization or release; None when none."""
    return next((found for marks in MARKS.values() if (found := marks(manifest)) is not None), None)
