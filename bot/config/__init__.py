"""Environment and an optional YAML file -> a frozen Config; whatever is wrong is named, all of it at once.

The environment wins over the file. Secrets come from the environment, or from files that it names: SLACK_BOT_TOKEN,
SLACK_APP_TOKEN, SLACK_SIGNING_SECRET, each also as `..._FILE`. Everything else is a row of `SETTINGS`: `slack.mode` in
the file is KARPENTER_BOT_SLACK_MODE in the environment.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import yaml

from bot.config.values import (
    Value,
    approval_rules,
    channel,
    channels,
    flag,
    folders,
    language,
    listen,
    namespaces,
    number,
    one_of,
    region,
    role,
    store_url,
    text,
    whole,
)
from bot.model.proposals import ApprovalRule

PREFIX: Final = "KARPENTER_BOT_"
FILE: Final = "KARPENTER_BOT_CONFIG"
_NO_SETTINGS: Final = frozenset({FILE, "KARPENTER_BOT_DEBUG"})
"""Variables with our prefix that set nothing here: where the file is, and the command line's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfig:
    """How to reach Slack and be reached. `mode` is `socket` or `http`; health is on the same port in both."""

    mode: str = "socket"
    bot_token: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    host: str = "0.0.0.0"  # noqa: S104 (kubelet's probes come from outside the pod)
    port: int = 8080
    answer_seconds: float = 25.0
    answers_at_once: int = 4
    drain_seconds: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where the serving bot remembers: `sqlite:///FILE` (one replica) or `postgresql://USER:PASSWORD@HOST/DATABASE`."""

    url: str = field(default="sqlite:///karpenter-bot.sqlite3", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsConfig:
    """Who may approve changes, and for how long. Without rules nobody may, and answers offer patches to copy."""

    rules: tuple[ApprovalRule, ...] = ()
    expire_minutes: int = 30
    verify_minutes: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsConfig:
    """Alert threads. `channel` (an id) is where Alertmanager's webhook and watch mode post; `token` lets webhooks in.

    `watch_minutes`: pods that wait longer are reported without an alert; 0 reports none.
    """

    token: str = field(default="", repr=False)
    channel: str = ""
    watch_minutes: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One cluster. Without any way to it: as kubectl would find it, else the pod's own service account.

    `eks`: its name there, reached with AWS's own credentials. `channels`: Slack's ids of those that mean this cluster.
    """

    name: str = ""
    context: str = ""
    kubeconfig: str = ""
    in_cluster: bool = False
    eks: str = ""
    region: str = ""
    assume_role: str = ""
    external_id: str = ""
    channels: tuple[str, ...] = ()

    @property
    def shown_name(self) -> str:
        """The cluster's name in metrics and health."""
        return self.name or self.context or self.eks or "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be set. `clusters` has at least one; the first is the one that is asked when none is named."""

    slack: SlackConfig = field(default_factory=SlackConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    approvals: ApprovalsConfig = field(default_factory=ApprovalsConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    language: str = "en"
    log_level: str = "INFO"
    log_format: str = "text"
    karpenter_namespaces: tuple[str, ...] = ()
    team_label: str = "team"
    """The label of pods that names the team they belong to; a pod without it belongs to its namespace."""
    playbooks: tuple[Path, ...] = ()
    clusters: tuple[ClusterConfig, ...] = (ClusterConfig(),)

    def cluster_of(self, name: str, channel: str) -> ClusterConfig | None:
        """The cluster that is named, else the one whose channel this is, else the first."""
        if name:
            return self.cluster(name)
        return next((c for c in self.clusters if channel and channel in c.channels), self.clusters[0])

    def cluster(self, name: str) -> ClusterConfig | None:
        """The cluster of this name or context; the first for no name."""
        if not name:
            return self.clusters[0]
        return next((c for c in self.clusters if c.name == name), None) or next(
            (c for c in self.clusters if c.context == name), None
        )


class ConfigError(Exception):
    """What is wrong, one line each: the key, what is wrong with it, what would be right."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


_CLUSTER: Final[Mapping[str, Callable[[Value], Value]]] = {
    "context": text,
    "kubeconfig": text,
    "inCluster": flag,
    "eks": text,
    "channels": channels,
    "region": region,
    "assumeRole": role,
    "externalId": text,
}
_WAYS: Final = {"inCluster": ("inCluster",), "eks": ("eks",), "a context": ("context", "kubeconfig")}
"""The ways to a cluster, of which one is enough."""
SECTIONS: Final = {"slack": SlackConfig, "store": StoreConfig, "approvals": ApprovalsConfig, "alerts": AlertsConfig}
"""The settings with a dot in their name, by what stands before it; each section is a frozen dataclass."""
SETTINGS: Final[Mapping[str, Callable[[Value], Value]]] = {
    "language": language,
    "logLevel": one_of("debug", "info", "warning", "error"),
    "logFormat": one_of("text", "json"),
    "karpenterNamespaces": namespaces,
    "teamLabel": text,
    "playbooks": folders,
    "slack.mode": one_of("socket", "http"),
    "slack.listen": listen,
    "slack.answerSeconds": number(1, 600),
    "slack.answersAtOnce": whole(1, 100),
    "slack.drainSeconds": number(0, 600),
    "store.url": store_url,
    "approvals.rules": approval_rules,
    "approvals.expireMinutes": whole(1, 1_440),
    "approvals.verifyMinutes": whole(1, 240),
    "alerts.channel": channel,
    "alerts.watchMinutes": number(0, 100_000),
    # the only cluster, where there is no list of `clusters`
    **{name: read for name, read in _CLUSTER.items() if name not in ("inCluster", "channels")},
}
_SECRETS: Final = {
    "SLACK_BOT_TOKEN": (re.compile(r"xoxb-\S+"), "a bot token (xoxb-...)"),
    "SLACK_APP_TOKEN": (re.compile(r"xapp-\S+"), "an app-level token (xapp-...)"),
    "ALERTS_TOKEN": (re.compile(r"\S{16,}"), "a token of at least 16 characters"),
    "SLACK_SIGNING_SECRET": (re.compile(r"(?!xox|xapp)\S+"), "the app's signing secret"),
}
# A Service named karpenter-bot puts such variables into every pod of its namespace (kubernetes: pkg/kubelet/envvars).
_SERVICE_LINK: Final = re.compile(r".*(?:_SERVICE_(?:HOST|PORT\w*)|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)")


def variable(setting: str) -> str:
    """The environment variable of a setting: `slack.answerSeconds` is KARPENTER_BOT_SLACK_ANSWER_SECONDS."""
    return PREFIX + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", setting).replace(".", "_").upper()


def load_config(environment: Mapping[str, str], *, file: str = "", serving: bool = False) -> Config:
    """Reads the environment and the file (else the one that KARPENTER_BOT_CONFIG names). Raises ConfigError.

    `serving`: Slack's secrets must be there.
    """
    problems: list[str] = []
    file = file or environment.get(FILE, "")
    written = _read_file(Path(file), problems) if file else {}
    values = {name: (f"{file}: {name}", value) for name, value in _settings(written, file, problems)}
    values |= {name: (where, value) for name, where, value in _variables(environment, problems)}
    read = {name: _read(where, SETTINGS[name], value, problems) for name, (where, value) in values.items()}
    read = {name: value for name, value in read.items() if value is not None}
    clusters = _clusters(written.get("clusters"), file, problems)
    alone = {name: read.pop(name) for name in tuple(read) if name in _CLUSTER}
    if clusters and alone:
        problems.append(f"{', '.join(sorted(alone))}: set this below the cluster it is for, since there are `clusters`")
    secrets = {name: _secret(name, environment, problems) for name in _SECRETS}
    if serving:
        problems += _lacking(secrets, str(read.get("slack.mode", "socket")), problems)
    if problems:
        raise ConfigError(problems)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "")
    known = (replace(one, region=one.region or region) for one in clusters or (_cluster("", alone),))
    return _config(read, secrets, tuple(known))


def _config(read: Mapping[str, Value], secrets: Mapping[str, str], clusters: tuple[ClusterConfig, ...]) -> Config:
    """The frozen Config; every value has passed its reader."""
    given: dict[str, Value] = {_snake(name): value for name, value in read.items() if "." not in name}
    sections = {section: _section(section, read) for section in SECTIONS}
    slack = sections["slack"]
    if isinstance(listen := slack.pop("listen", None), tuple):
        slack["host"], slack["port"] = listen
    if "log_level" in given:
        given["log_level"] = str(given["log_level"]).upper()
    for name, secret in secrets.items():
        section, _, key = name.lower().partition("_")
        sections[section][key] = secret
    given |= {section: SECTIONS[section](**values) for section, values in sections.items()}
    return Config(clusters=clusters, **given)  # type: ignore[arg-type]


def _section(section: str, read: Mapping[str, Value]) -> dict[str, Value]:
    names = {name: name.removeprefix(f"{section}.") for name in read if name.startswith(f"{section}.")}
    return {_snake(inner): read[name] for name, inner in names.items()}


def _cluster(name: str, values: Mapping[str, Value]) -> ClusterConfig:
    return ClusterConfig(name=name, **{_snake(key): value for key, value in values.items()})  # type: ignore[arg-type]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _read_file(file: Path, problems: list[str]) -> Mapping[str, Value]:
    try:
        written = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problems.append(f"{file}{line}: no YAML: {getattr(error, 'problem', None) or 'unreadable'}")
        return {}
    if written is None:
        return {}
    if not isinstance(written, dict):
        problems.append(f"{file}: must hold keys and values")
        return {}
    return {str(key): value for key, value in written.items()}


def _settings(written: Mapping[str, Value], file: str, problems: list[str]) -> Iterator[tuple[str, Value]]:
    """The file's settings by their dotted names; unknown ones become problems."""
    known = {name.partition(".")[0] for name in SETTINGS} | {"clusters"}
    for key, value in written.items():
        if key in SECTIONS and isinstance(value, dict):
            yield from _of_section(key, value, file, problems)
        elif key in SETTINGS:
            yield key, value
        elif key not in known:
            problems.append(f"{file}: {_unknown(key, known)}")
        elif key in SECTIONS and value is not None:
            problems.append(f"{file}: {key}: must hold keys and values")


def _of_section(
    section: str, written: Mapping[Value, Value], file: str, problems: list[str]
) -> Iterator[tuple[str, Value]]:
    known = {name.partition(".")[2] for name in SETTINGS if name.startswith(f"{section}.")}
    for inner, value in written.items():
        if f"{section}.{inner}" in SETTINGS:
            yield f"{section}.{inner}", value
        elif "token" in str(inner).lower() or "secret" in str(inner).lower():
            problems.append(f"{file}: {section}.{inner}: secrets belong into {', '.join(_SECRETS)}, or ..._FILE")
        else:
            problems.append(f"{file}: {section}.{_unknown(str(inner), known)}")


def _variables(environment: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """The environment's settings: name, variable, value; an empty variable is none."""
    known = {variable(name): name for name in SETTINGS}
    for name, value in sorted(environment.items()):
        if name in known and value.strip():
            yield known[name], name, value
        elif name.startswith(PREFIX) and name not in {*known, *_NO_SETTINGS} and not _SERVICE_LINK.fullmatch(name):
            problems.append(_unknown(name, {*known, FILE}))


def _unknown(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.7)
    return f"{name}: unknown; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")


def _read(where: str, read: Callable[[Value], Value], value: Value, problems: list[str]) -> Value:
    try:
        return read(value)
    except ValueError as error:
        problems.append(f"{where} {error}")
        return None


def _clusters(written: Value, file: str, problems: list[str]) -> tuple[ClusterConfig, ...]:
    if written is None:
        return ()
    if not isinstance(written, dict) or not written:
        problems.append(f"{file}: clusters: must hold names with their settings below")
        return ()
    found: list[ClusterConfig] = []
    for name, keys in written.items():
        where = f"{file}: clusters.{name}"
        values: dict[str, Value] = {}
        if not re.fullmatch(r"[0-9A-Za-z_](?:[-.:/@0-9A-Za-z_]{0,251}[0-9A-Za-z_])?", str(name)):
            problems.append(f"{where}: a cluster's name must be one that people can type")
        if keys is not None and not isinstance(keys, dict):
            problems.append(f"{where}: must hold keys and values")
            continue
        for key, value in (keys or {}).items():
            if key in _CLUSTER:
                values[key] = _read(f"{where}.{key}", _CLUSTER[key], value, problems)
            else:
                problems.append(f"{where}.{_unknown(str(key), _CLUSTER)}")
        ways = [way for way, keys in _WAYS.items() if any(map(values.get, keys))]
        if len(ways) > 1:
            problems.append(f"{where}: either {' or '.join(ways)}, not both")
        if values.get("eks") and not values.get("region"):
            problems.append(f"{where}: eks needs the region that the cluster is in")
        found.append(_cluster(str(name), {key: value for key, value in values.items() if value is not None}))
    return tuple(found)


def _secret(name: str, environment: Mapping[str, str], problems: list[str]) -> str:
    """A secret from its variable or the file that `..._FILE` names; its value is in no message."""
    value, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "").strip()
    if value and file:
        problems.append(f"{name}: set it or {name}_FILE, not both")
    if file and not value:
        try:
            value = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}_FILE: {file} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
            return ""
    form, kind = _SECRETS[name]
    if value and not form.fullmatch(value):
        problems.append(f"{name}: this is not {kind}")
        return ""
    return value


def _lacking(secrets: Mapping[str, str], mode: str, problems: Sequence[str]) -> list[str]:
    """What serving needs and has not, besides what was complained about already."""
    over_http = ("SLACK_SIGNING_SECRET", "over HTTP, where anybody could pose as Slack without it")
    over_socket = ("SLACK_APP_TOKEN", "for Socket Mode (or set slack.mode to http)")
    needed = (("SLACK_BOT_TOKEN", "to answer in Slack"), over_http if mode == "http" else over_socket)
    complained = " ".join(problems)
    return [f"{name}: needed {why}" for name, why in needed if not secrets[name] and name not in complained]
