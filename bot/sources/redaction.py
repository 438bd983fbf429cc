"""Manifests without what nobody should hand around: environment values, credentials, noise. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final

from bot.sources.controller import OPTIONS

DROPPED: Final = "(dropped)"
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_NOISE: Final = frozenset({"managedFields", "selfLink"})
_NEVER: Final = frozenset({"userData"})
"""EC2NodeClass.spec.userData: a script, in which anything may stand."""
_SENSITIVE_NAME: Final = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|\bauth\b|authorization"
    r"|webhook|dsn|connection[-_.]?string",
    re.IGNORECASE,
)
_HARMLESS_NAME: Final = re.compile(r"(name|ref|ttl|expiration|audience|path|type|kind|arn|role)s?$", re.IGNORECASE)
"""`secretName`, `tokenPath`, `role-arn` ...: they say where a credential is, not what it is."""
_SENSITIVE_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abeoprs]-[\w-]{10,}|\bxapp-[\w-]{10,}"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"
    r"|://[^/\s:@]+:[^/\s@]+@"
    r"|hooks\.slack\.com/\S+"
)
_FLAG: Final = re.compile(r"--?([\w.-]+)(?:[= ](.*))?", re.DOTALL)
_LABELS: Final = frozenset({"labels", "matchLabels", "nodeSelector"})


def redact(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that can be shown to others; everything that a diagnosis rests on is still there.

    Dropped are: all environment values but Karpenter's own options, annotations and other texts whose name or content looks
    like a credential, such command-line flags, user data, kubectl's last-applied copy and managedFields.
    """
    return {key: _redacted(key, value) for key, value in manifest.items() if key not in _NOISE}


def _redacted(name: str, value: Any) -> Any:  # noqa: ANN401 (JSON of any shape)
    if isinstance(value, Mapping):
        return _redacted_mapping(name, value)
    if isinstance(value, list):
        if name == "env":
            return [_redacted_env(one) for one in value]
        if name in ("args", "command"):
            return _redacted_words(value)
        return [_redacted(name, one) for one in value]
    if isinstance(value, str) and (name in _NEVER or _SENSITIVE_VALUE.search(value)):
        return DROPPED
    return value


def _redacted_mapping(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: inner for key, inner in value.items() if key not in _NOISE and key != _LAST_APPLIED}
    if name in _LABELS:
        # a selector without its value would be another selector
        return dict(kept)
    if name == "annotations":
        return {key: inner for key, inner in kept.items() if not _is_sensitive(key, inner)}
    if name == "env":
        return dict.fromkeys(kept, DROPPED)
    return {
        key: DROPPED if isinstance(inner, str) and _is_sensitive(key, inner) else _redacted(key, inner)
        for key, inner in kept.items()
    }


def _is_sensitive(name: str, value: object) -> bool:
    named = _SENSITIVE_NAME.search(name) and not _HARMLESS_NAME.search(name)
    return bool(named or (isinstance(value, str) and _SENSITIVE_VALUE.search(value)))


def _redacted_env(entry: Any) -> Any:  # noqa: ANN401
    """`{name, value}` without the value; where a value comes from (`valueFrom`) is not the value."""
    if not isinstance(entry, Mapping) or "value" not in entry:
        return entry
    if entry.get("name") in OPTIONS and not _SENSITIVE_VALUE.search(str(entry["value"])):
        return dict(entry)
    return {key: value for key, value in entry.items() if key != "value"}


def _redacted_words(words: list[Any]) -> list[Any]:
    """A command line: `--password=x`, `--password x`, and whatever looks like a credential by itself."""
    result: list[Any] = []
    secret_follows = False
    for word in words:
        text = word if isinstance(word, str) else ""
        flag = _FLAG.fullmatch(text)
        sensitive = bool(flag) and _is_sensitive(flag[1], "") if flag else False
        if secret_follows and not text.startswith("-"):
            result.append(DROPPED)
        elif flag and sensitive and flag[2] is not None:
            result.append(f"{text[: flag.end(1)]}={DROPPED}")
        else:
            result.append(DROPPED if _SENSITIVE_VALUE.search(text) else word)
        secret_follows = bool(flag and sensitive and flag[2] is None)
    return result


def redact_line(line: str) -> str:
    """A log line without what looks like a credential."""
    return _SENSITIVE_VALUE.sub(DROPPED, line)
