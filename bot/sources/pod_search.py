"""Which pods a person means by a name: a pod's own, a part of it, or that of the workload that owns it. No I/O."""

import difflib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from bot.model.kubernetes import Pod
from bot.model.objects import ObjectMeta
from bot.model.world import World
from bot.sources.errors import PodNotFound, SeveralPods

SHOWN: Final = 25
"""How many candidates are kept, however many fit."""
_NEAREST: Final = 5
_LIKELY: Final = 200
"""How many names are compared in full: the ones that share the most letter pairs with the question."""
_KIND_WORDS: Final = frozenset(
    {"pod", "pods", "po", "deployment", "deploy", "job", "jobs", "jobset", "trainjob", "pytorchjob", "mpijob"}
    | {"statefulset", "sts", "replicaset", "rs", "cronjob", "leaderworkerset", "lws", "raycluster", "rayjob"}
)
_OWNER_LABELS: Final = (
    "batch.kubernetes.io/job-name",
    "job-name",
    "jobset.sigs.k8s.io/jobset-name",
    "training.kubeflow.org/job-name",
    "leaderworkerset.sigs.k8s.io/name",
    "ray.io/cluster",
)
"""Labels that carry the name of a pod's owner, or of the owner's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodQuestion:
    """Which pod is asked about. `namespace` is empty when the person named none."""

    name: str
    namespace: str = ""

    @classmethod
    def parse(cls, text: str, namespace: str = "") -> "PodQuestion":
        """Reads `pod`, `namespace/pod`, `kind/name`, `namespace/kind/name`; a namespace in the text wins."""
        *before, name = text.strip().strip("/").split("/")
        if before and before[-1].lower() in _KIND_WORDS:
            before.pop()
        return cls(name=name, namespace=before[0] if before else namespace)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Fit(IntEnum):
    """How well a pod fits a name, the best first."""

    EXACT = 0
    OWNER = 1
    START = 2
    PART = 3


def fit(meta: ObjectMeta, text: str) -> Fit | None:
    """How a pod's metadata fits a name; None when it does not."""
    if meta.name == text:
        return Fit.EXACT
    owners = set(_owner_names(meta))
    if text in owners:
        return Fit.OWNER
    if meta.name.startswith(text) or any(owner.startswith(text) for owner in owners):
        return Fit.START
    return Fit.PART if text in meta.name else None


def _owner_names(meta: ObjectMeta) -> Iterator[str]:
    for owner in meta.owner_references:
        yield owner.name
        if owner.kind == "ReplicaSet":
            # a Deployment's ReplicaSet is `<deployment>-<hash>`
            yield owner.name.rpartition("-")[0]
    for label in _OWNER_LABELS:
        if label in meta.labels:
            yield meta.labels[label]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The pods that fit best, as `namespace/name`, at most SHOWN of them; `total` is how many fit that well."""

    names: tuple[str, ...] = ()
    total: int = 0


@dataclass(slots=True)
class Search:
    """Pods go by in any number, a few are kept: the best fits, and the names most like the question."""

    question: PodQuestion
    _best: Fit = Fit.PART
    _names: list[str] = field(default_factory=list)
    _total: int = 0
    _alike: list[tuple[int, str, str]] = field(default_factory=list)

    def see(self, metas: Iterable[ObjectMeta]) -> None:
        """Takes note of some pods."""
        for meta in metas:
            name = f"{meta.namespace}/{meta.name}"
            how = fit(meta, self.question.name)
            if how is None:
                for known in {meta.name, *_owner_names(meta)}:
                    self._remember_alike(known, name)
                continue
            if how < self._best:
                self._best, self._names, self._total = how, [], 0
            if how is self._best:
                self._total += 1
                if len(self._names) < SHOWN:
                    self._names.append(name)

    def _remember_alike(self, known: str, pod: str) -> None:
        item = (len(_pairs(known) & _pairs(self.question.name)), known, pod)
        if len(self._alike) < _LIKELY:
            heapq.heappush(self._alike, item)
        elif item > self._alike[0]:
            heapq.heapreplace(self._alike, item)

    @property
    def candidates(self) -> Candidates:
        return Candidates(names=tuple(sorted(self._names)), total=self._total)

    def chosen(self) -> str | None:
        """The one pod that fits, as `namespace/name`; None when none does. Raises SeveralPods."""
        if self._total > 1:
            found = self.candidates
            raise SeveralPods(str(self.question), found.names, found.total)
        return self._names[0] if self._names else None

    def not_found(self) -> PodNotFound:
        """What to raise once all pods, not only the pending ones, went by: those that fit are named apart."""
        return PodNotFound(str(self.question), self._nearest(), fits=tuple(sorted(self._names)[:_NEAREST]))

    def _nearest(self) -> tuple[str, ...]:
        """Pods whose name, or owner's name, is like the question's: what someone who mistyped may mean."""
        pods = {known: pod for _, known, pod in sorted(self._alike, reverse=True)}
        alike = difflib.get_close_matches(self.question.name, pods, n=_NEAREST, cutoff=0.6)
        return tuple(dict.fromkeys(pods[known] for known in alike))


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


def find_pod(world: World, question: PodQuestion) -> Pod:
    """The pod of a World that is meant: the exact name, else the one pending pod that fits.

    Raises SeveralPods, PodNotFound.
    """
    pods = [p for p in world.pods if question.namespace in ("", p.metadata.namespace)]
    exact = [p for p in pods if p.metadata.name == question.name]
    search = Search(question)
    search.see(p.metadata for p in exact or filter(is_pending, pods))
    name = search.chosen()
    if name is None:
        search.see(p.metadata for p in world.pods)
        raise search.not_found()
    return next(p for p in pods if f"{p.metadata.namespace}/{p.metadata.name}" == name)


def is_pending(pod: Pod) -> bool:
    """Whether the pod still waits; a manifest without a status was never started."""
    return pod.status.phase in ("", "Pending")
