"""What Slack sends, as text that can be written down and sent on. Pure."""

from typing import Any, TypeVar

T = TypeVar("T")


def well_formed(value: T) -> T:
    """The JSON with U+FFFD for what it can spell and no database takes: halves of characters ("\\ud800") and NUL."""
    changed: Any = value
    if isinstance(value, str):
        whole = value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        changed = whole.replace("\0", "\ufffd")
    elif isinstance(value, dict):
        changed = {well_formed(key): well_formed(inner) for key, inner in value.items()}
    elif isinstance(value, list):
        changed = [well_formed(inner) for inner in value]
    return changed  # type: ignore[no-any-return]
