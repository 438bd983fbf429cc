"""Alertmanager's subject line, read back: `[FIRING:1] Name group values (other common values)`.

alertmanager: template/default.tmpl, `__subject`, v0.27: the values of the group's labels, then in parentheses those that
all alerts share, each list sorted by label name with `alertname` first, and no names. So the k-th value belongs to a label
that sorts after those before it: the assignment with the most plausible values under that rule is taken.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.alerts.names import (
    DEPLOYMENT_POD,
    EXPORTERS,
    JOB_RUN,
    LABEL,
    NODE_NAME,
    ORDINAL_POD,
    OWNED_POD,
    SUBDOMAIN,
)

STATUS_BRACKET: Final = re.compile(
    r"\[\s*(?P<status>FIRING|RESOLVED)(?::\s*(?P<count>\d+))?[^\]]{0,40}\]", re.IGNORECASE
)
_CAMEL: Final = re.compile(r"(?:[A-Z][a-z0-9]+|[A-Z]{2,}(?=[A-Z][a-z]|\b|\d)|[A-Z])(?:[A-Z][a-z0-9]*)+")
_MOST_TOKENS: Final = 40
_PROSE: Final = frozenset("is was are were has have had been the for from with not on in of to and than more".split())
_IMPOSSIBLE: Final = -100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A subject line taken apart. `status`: firing, resolved or "" where it says none; `rest`: what follows the bracket."""

    status: str = ""
    count: int = 0
    alertname: str = ""
    rest: str = ""
    values: Mapping[str, str]


def read_subject(line: str) -> Subject | None:
    """The parts of a subject line; None where the line has no `[FIRING...]` or `[RESOLVED]`."""
    bracket = STATUS_BRACKET.search(line)
    if bracket is None:
        return None
    rest = line[bracket.end() :].split(" | http", 1)[0].strip(" |-:")
    common = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)?\s*$", rest) if "(" in rest else None
    group = rest[: common.start()].split() if common else rest.split()
    shared = common[1].split() if common else []
    name = alert_identifier(" ".join(group)) or alert_identifier(" ".join(shared))
    if _PROSE.intersection(group):  # a sentence: its words have no positions
        group = []
    tokens = [[token for token in part if token != name][:_MOST_TOKENS] for part in (group, shared)]
    values: dict[str, str] = {}
    for part in tokens:
        values |= _assigned(part, name, frozenset(values))
    return Subject(
        status=bracket["status"].lower(), count=int(bracket["count"] or 0), alertname=name, rest=rest, values=values
    )


def alert_identifier(text: str) -> str:
    """The word that is written like the name of a Prometheus alert (`KubePodNotReady`), the first of them; else ""."""
    for word in re.findall(r"[A-Za-z][\w.-]*", text):
        if _CAMEL.fullmatch(word) and not word.isupper() and word not in _NOT_ALERTS:
            return str(word)
    return ""


_NOT_ALERTS: Final = frozenset(
    "NodePool NodeClaim NodeClass EC2NodeClass CloudWatch PagerDuty OpsGenie GitHub DaemonSet StatefulSet ReplicaSet CronJob"
    " JobSet TrainJob MemoryPressure DiskPressure PIDPressure NetworkUnavailable CrashLoopBackOff ImagePullBackOff"
    " ErrImagePull FailedScheduling ContainerCreating JavaScript TypeScript DevOps MySQL PostgreSQL GraphQL ContainerInsights"
    " ReplicationController AlertManager ConfigMap PodGroup ServiceAccount ArgoCD JobFailed".split()
)


def _assigned(tokens: list[str], alertname: str, taken: frozenset[str]) -> dict[str, str]:
    """The best increasing assignment of tokens to labels, by dynamic programming over (token, label)."""
    scorers = [(label, score) for label, score in _SCORES if label not in taken]
    best: list[list[tuple[float, tuple[tuple[str, str], ...]]]] = [[(0.0, ())] * (len(scorers) + 1)]
    for token in tokens:
        row = [best[-1][0]]
        for index, (label, score) in enumerate(scorers):
            skip = max(row[index], best[-1][index + 1], key=lambda one: one[0])
            worth = score(token, alertname.lower())
            before = best[-1][index]
            take = (before[0] + worth, (*before[1], (label, token)))
            row.append(take if worth > 0 and take[0] > skip[0] else skip)
        best.append(row)
    return dict(best[-1][-1][1])


Score = Callable[[str, str], float]


def _words(words: str, worth: float) -> Score:
    known = frozenset(words.split())
    return lambda token, _: worth if token.lower() in known else _IMPOSSIBLE


def _form(pattern: str, worth: float) -> Score:
    form = re.compile(pattern)
    return lambda token, _: worth if form.fullmatch(token) else _IMPOSSIBLE


_LIKE_CLUSTER: Final = re.compile(
    r"(?:^|[-_.])(?:prod|prd|production|stage|staging|stg|dev|development|live|test|qa|uat|sandbox|core|eks|k8s|kube|cluster"
    r"|infra|shared|main|dr|(?:us|eu|ap|sa|ca|me|af|il|use|usw|euw|euc|eun|apne|apse|aps|cac|sae)\d?(?:-\w+)?\d*)(?:$|[-_.])"
    r"|^[a-z]+-?\d{1,3}$|^arn:aws:eks:",
    re.IGNORECASE,
)


def _cluster(token: str, _alertname: str) -> float:
    if "/" in token and not token.startswith("arn:"):
        return _IMPOSSIBLE
    if _LIKE_CLUSTER.search(token) and not NODE_NAME.fullmatch(token) and not _podlike(token):
        return 2.5
    return 0.6 if LABEL.fullmatch(token) and not EXPORTERS.fullmatch(token) else _IMPOSSIBLE


def _namespace(token: str, _alertname: str) -> float:
    if not LABEL.fullmatch(token) or NODE_NAME.fullmatch(token) or _podlike(token):
        return _IMPOSSIBLE
    return 2.0 if not EXPORTERS.fullmatch(token) else 0.4


def _podlike(token: str) -> bool:
    return bool(DEPLOYMENT_POD.fullmatch(token) or JOB_RUN.fullmatch(token))


def _pod(token: str, alertname: str) -> float:
    if DEPLOYMENT_POD.fullmatch(token):
        return 5.0
    if not SUBDOMAIN.fullmatch(token) or NODE_NAME.fullmatch(token):
        return _IMPOSSIBLE
    if OWNED_POD.fullmatch(token):
        return 3.5
    about_pods = "pod" in alertname or "container" in alertname
    if ORDINAL_POD.fullmatch(token):
        return 2.7 if about_pods else 0.5
    return 1.2 if about_pods and "-" in token else _IMPOSSIBLE


def _node(token: str, alertname: str) -> float:
    if NODE_NAME.fullmatch(token):
        return 5.0
    about_nodes = "node" in alertname and "nodepool" not in alertname and "nodeclaim" not in alertname
    return 2.2 if about_nodes and SUBDOMAIN.fullmatch(token) and not EXPORTERS.fullmatch(token) else _IMPOSSIBLE


def _named(word: str, worth: float) -> Score:
    """A label that is only looked for when the alert's name speaks of it."""

    def score(token: str, alertname: str) -> float:
        return worth if word in alertname and SUBDOMAIN.fullmatch(token) and not _exporter(token) else _IMPOSSIBLE

    return score


def _exporter(token: str) -> bool:
    return bool(EXPORTERS.fullmatch(token))


def _job_name(token: str, alertname: str) -> float:
    if "job" not in alertname or not SUBDOMAIN.fullmatch(token):
        return _IMPOSSIBLE
    return 5.0 if JOB_RUN.fullmatch(token) else 1.7 if "-" in token and not _exporter(token) else _IMPOSSIBLE


def _container(token: str, alertname: str) -> float:
    if _exporter(token):
        return 3.0
    about = any(word in alertname for word in ("container", "crashloop", "throttl", "oom"))
    return 0.9 if about and LABEL.fullmatch(token) else 0.3 if LABEL.fullmatch(token) else _IMPOSSIBLE


def _service(token: str, _alertname: str) -> float:
    return 3.0 if _exporter(token) else 0.2 if LABEL.fullmatch(token) else _IMPOSSIBLE


_ENVIRONMENT: Final = _words("prod production prd stage staging stg dev development test qa uat live sandbox", 3.0)
# sorted as Alertmanager sorts them
_SCORES: Final[tuple[tuple[str, Score], ...]] = (
    ("cluster", _cluster),
    ("condition", _words("ready memorypressure diskpressure pidpressure networkunavailable", 5.0)),
    ("container", _container),
    ("daemonset", _named("daemonset", 2.5)),
    ("deployment", _named("deployment", 2.5)),
    ("endpoint", _words("http https metrics http-metrics https-metrics http-metric web", 4.0)),
    ("env", _ENVIRONMENT),
    ("instance", _form(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[\w.-]+)(?::\d+)|\d{1,3}(?:\.\d{1,3}){3}", 5.0)),
    ("job", lambda token, _: 3.0 if _exporter(token) else _IMPOSSIBLE),
    ("job_name", _job_name),
    ("namespace", _namespace),
    ("node", _node),
    ("nodeclaim", _named("nodeclaim", 2.5)),
    ("nodepool", lambda token, name: max(_named("nodepool", 2.5)(token, name), _named("karpenter", 1.0)(token, name))),
    ("phase", _words("pending unknown failed running", 4.0)),
    ("pod", _pod),
    ("prometheus", _form(r"[\w.-]+/[\w.-]+", 5.0)),
    ("reason", _form(r"(?:[A-Z][a-z]+){2,}", 4.0)),
    ("region", _form(r"[a-z]{2}(?:-[a-z]+)+-\d", 5.0)),
    ("resource", _words("cpu memory pods nodes ephemeral-storage nvidia.com/gpu requests.cpu requests.memory", 4.0)),
    ("service", _service),
    ("severity", _words("critical warning info none page error high medium low p1 p2 p3 p4 p5 sev1 sev2 sev3", 5.0)),
    ("statefulset", _named("statefulset", 2.5)),
    ("status", _words("true false unknown", 5.0)),
    ("uid", _form(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", 5.0)),
)
