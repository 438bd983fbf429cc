"""Readers of single values: each takes what YAML or an environment variable holds, and returns one kind of value.

Every reader raises ValueError with the end of a sentence: "must be a whole number, not 1.5".
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import yaml

from bot.model.proposals import ApprovalRule

Value = object
"""What YAML or an environment variable may hold, before it is looked at."""


def text(value: Value) -> str:
    """A text, trimmed; a number counts as one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise ValueError("must be a text")
    return str(value).strip()


def language(value: Value) -> str:
    """A language's code; whether there are playbooks in it is seen when they are read."""
    written = text(value).lower()
    if not re.fullmatch(r"[a-z]{2,3}", written):
        raise ValueError(f"must be a language's code, such as en or ko, not {written!r}")
    return written


def one_of(*allowed: str) -> Callable[[Value], str]:
    """One of these words, in small letters."""

    def read(value: Value) -> str:
        written = text(value)
        if written.lower() not in allowed:
            near = get_close_matches(written.lower(), allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"must be one of {', '.join(allowed)}, not {written!r}{hint}")
        return written.lower()

    return read


def number(least: float, most: float) -> Callable[[Value], float]:
    """A number within these bounds."""

    def read(value: Value) -> float:
        try:
            count = float(text(value))
        except ValueError:
            raise ValueError(f"must be a number, not {value!r}") from None
        if not least <= count <= most:
            raise ValueError(f"must be between {least:g} and {most:g}, not {count:g}")
        return count

    return read


def whole(least: int, most: int) -> Callable[[Value], int]:
    """A whole number within these bounds."""

    def read(value: Value) -> int:
        count = number(least, most)(value)
        if count != int(count):
            raise ValueError(f"must be a whole number, not {count:g}")
        return int(count)

    return read


def flag(value: Value) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be true or false, not {value!r}")


def listen(value: Value) -> tuple[str, int]:
    """`[HOST]:PORT`."""
    host, colon, port = text(value).rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"must be [HOST]:PORT, such as 0.0.0.0:8080, not {value!r}")
    return (host.strip("[]") if colon and host else "0.0.0.0"), int(port)  # noqa: S104 (see SlackConfig)


def texts(value: Value) -> tuple[str, ...]:
    """A list of texts; a text with commas is one."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list):
        raise ValueError("must be a list")  # noqa: TRY004 (all readers raise the same)
    return tuple(map(text, value))


def namespaces(value: Value) -> tuple[str, ...]:
    """Names of namespaces."""
    names = texts(value)
    for name in names:
        if not re.fullmatch(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", name):
            raise ValueError(f"names {name!r}, which cannot be a namespace")
    return names


def channels(value: Value) -> tuple[str, ...]:
    """Ids of Slack channels, as "Copy link" ends in."""
    ids = texts(value)
    for one in ids:
        if not re.fullmatch(r"[CGD][A-Z0-9]{2,20}", one):
            raise ValueError(f"names {one!r}, which is no channel's id (such as C0123ABCD; names change, ids do not)")
    return ids


def channel(value: Value) -> str:
    """A Slack channel's id. Raises ValueError with the end of a sentence."""
    found = text(value)
    if not re.fullmatch(r"[CG][A-Z0-9]{2,20}", found):
        raise ValueError("must be a channel's id, such as C0123456789 (Slack shows it under the channel's details)")
    return found


def folders(value: Value) -> tuple[Path, ...]:
    """Folders that exist."""
    folders = tuple(map(Path, texts(value)))
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"names {str(folder)!r}, which is no folder")
    return folders


def role(value: Value) -> str:
    """An IAM role's ARN."""
    if not re.fullmatch(r"arn:aws[-a-z]*:iam::\d{12}:role/[\w+=,.@/-]+", written := text(value)):
        raise ValueError(f"must be a role's ARN (arn:aws:iam::123456789012:role/name), not {written!r}")
    return written


def region(value: Value) -> str:
    """An AWS region's name."""
    if not re.fullmatch(r"[a-z]{2,4}(?:-[a-z]+)+-\d", written := text(value)):
        raise ValueError(f"must be an AWS region such as ap-northeast-2, not {written!r}")
    return written


def approval_rules(value: Value) -> tuple[ApprovalRule, ...]:
    """Who may approve what: a list, of which the first rule that fits an object decides. In a variable: as YAML."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError("must be YAML") from None
    if not isinstance(value, list):
        raise ValueError("must be a list of rules")  # noqa: TRY004 (all readers raise the same)
    return tuple(_approval_rule(f"[{index}]", rule) for index, rule in enumerate(value))


_FLAGS = ("fourEyes", "confirmTwice")
_PATTERNS = ("clusters", "namespaces", "kinds")


def _approval_rule(where: str, rule: Value) -> ApprovalRule:
    if not isinstance(rule, dict) or not rule.get("approvers"):
        raise ValueError(f"{where} must have approvers: ids of Slack users (U…) and of Slack user groups (S…)")
    known = ("approvers", *_PATTERNS, *_FLAGS)
    for key in rule:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise ValueError(f"{where} names {key!r}, which is unknown{hint}")
    approvers = texts(rule["approvers"])
    for approver in approvers:
        if not re.fullmatch(r"[UWS][A-Z0-9]{2,20}", approver):
            raise ValueError(f"{where} names {approver!r}, which is no id of a Slack user (U…) or user group (S…)")
    clusters, namespaces, kinds = (texts(rule.get(name) or []) for name in _PATTERNS)
    four_eyes, confirm_twice = (flag(rule.get(name, False)) for name in _FLAGS)
    return ApprovalRule(
        users=tuple(a for a in approvers if a[0] != "S"),
        groups=tuple(a for a in approvers if a[0] == "S"),
        clusters=clusters,
        namespaces=namespaces,
        kinds=kinds,
        four_eyes=four_eyes,
        confirm_twice=confirm_twice,
    )


def store_url(value: Value) -> str:
    """A database's URL."""
    if not re.fullmatch(r"sqlite:///[^?]+|postgres(?:ql)?://[^/]+/[^/]+", written := text(value)):
        raise ValueError("must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return written
