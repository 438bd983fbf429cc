"""Takes out of Karpenter's messages what Go's random map order put in, so that two runs can be compared.

Nothing else is changed: a message that Karpenter can only write one way comes back as it is. README.md lists what is
left that can still differ between runs, because the order decides which of several facts is reported at all.
"""

from __future__ import annotations

import re

import msgspec

from tests.oracle.verdicts import NewNodeClaim, NodePoolError, PodError, SkippedNodePool, Verdict

# karpenter: provisioning/scheduling/nodeclaim.go, NewNodeClaim: a counter that runs through the whole process.
_PLACEHOLDER = re.compile(r"hostname-placeholder-\d+")
# karpenter: scheduling/requirements.go, labelHint: the first match in a walk over the well-known labels.
_HINT = re.compile(r' \(typo of "[^"]*"\?\)')
# The API server names the resource, controller-runtime's fake client names the kind.
_RESOURCES = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "StorageClass.storage.k8s.io": "storageclasses.storage.k8s.io",
}
_NOT_FOUND = re.compile(
    r"\b(PersistentVolumeClaim|PersistentVolume|StorageClass\.storage\.k8s\.io) \"(?=[^\"]*\" not found)"
)
# karpenter: cloudprovider/types.go, SatisfiesMinValues: the keys of a map.
_MIN_VALUES = re.compile(r"(?<=\(label\(s\)=\[)[^\]]*(?=\]\))")
# karpenter: apis/v1/nodeclaim_validation.go, ValidateRequirement and validateWellKnownValues: the members of a set.
_SET = re.compile(r"(?<=unsupported operator )(\S* not in \[)([^\]]*)|(valid values from: \[)([^\]]*)")
# karpenter: scheduling/requirements.go, Intersects: one part per key, in the order of a walk over the keys.
_KEYS = re.compile(r"(?P<head>(?:[a-z ]+ requirements, )?)(?P<parts>key \S+, .*)", re.DOTALL)
_NEXT_KEY = re.compile(r"; (?=key \S+, )")


def normalise_message(message: str) -> str:
    """One cause (not a combined error) in a canonical form: hints and counters blanked, what is unordered sorted."""
    message = _NOT_FOUND.sub(lambda found: f'{_RESOURCES[found[1]]} "', message)
    message = _PLACEHOLDER.sub("hostname-placeholder", message)
    message = _HINT.sub(' (typo of "..."?)', message)
    message = _MIN_VALUES.sub(lambda found: " ".join(sorted(found[0].split())), message)
    message = _SET.sub(_sort_set, message)
    if keys := _KEYS.fullmatch(message):
        return keys["head"] + "; ".join(sorted(_NEXT_KEY.split(keys["parts"])))
    return message


def _sort_set(found: re.Match[str]) -> str:
    before, members = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    return str(before) + " ".join(sorted(str(members).split()))


def normalise(verdict: Verdict) -> Verdict:
    """A verdict to compare with another: messages normalised, lists sorted where order means nothing.

    The id, the elapsed time, the events (whose texts repeat the errors) and a new node's requests are left out.
    """
    ignored_causes = {
        pod: tuple(sorted(map(normalise_message, causes))) for pod, causes in sorted(verdict.ignored_causes.items())
    }
    return msgspec.structs.replace(
        verdict,
        id="",
        elapsed_ns=0,
        events=(),
        ignored={pod: "; ".join(causes) for pod, causes in ignored_causes.items()},
        ignored_causes=ignored_causes,
        pod_errors={pod: _normalise_error(error) for pod, error in sorted(verdict.pod_errors.items())},
        new_node_claims=tuple(
            sorted(map(_normalise_claim, verdict.new_node_claims), key=lambda it: (it.node_pool, it.pods))
        ),
        node_pools_skipped=tuple(
            SkippedNodePool(node_pool=it.node_pool, reason=normalise_message(it.reason))
            for it in verdict.node_pools_skipped
        ),
        not_provisionable=tuple(sorted(verdict.not_provisionable)),
    )


def _normalise_claim(claim: NewNodeClaim) -> NewNodeClaim:
    """Without requests: the least daemon overhead depends on the order of a map (nodeclaim.go, addDaemonRequests)."""
    return msgspec.structs.replace(claim, requests={})


def _normalise_error(error: PodError) -> PodError:
    causes = tuple(map(normalise_message, error.causes))
    node_pools = []
    for part in error.node_pools:
        mine = tuple(map(normalise_message, part.causes))
        node_pools.append(NodePoolError(node_pool=part.node_pool, error="; ".join(mine), causes=mine))
    return PodError(error="; ".join(causes), causes=causes, node_pools=tuple(node_pools), deferred=error.deferred)
