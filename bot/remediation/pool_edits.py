"""A remedy's edits of a NodePool, made in its document. v1 and v1beta1 have these fields at the same places."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.model.diagnosis import Edit, Json
from bot.model.labels import normalised
from bot.model.quantities import Quantity, QuantityError
from bot.remediation.documents import Pointer, at, cut, items, parse_field, places, put, text

_REQUIREMENTS: Final = ("spec", "template", "spec", "requirements")
_LABELS: Final = ("spec", "template", "metadata", "labels")


def pool_edited(document: Json, edits: Sequence[Edit]) -> Json:
    """The NodePool's document with all edits made; None when it does not hold one of the old values."""
    for edit in sorted(edits, key=lambda one: places(one.field), reverse=True):
        field = parse_field(edit.field)
        make = next((make for prefix, make in _EDITORS if field[: len(prefix)] == prefix), None)
        document = make(document, edit, field) if make else None
        if document is None:
            break
    return document


def pool_like(document: Json, changes: Json) -> Json:
    """A new NodePool: that one's spec with these changes over it. Taints are added; who made the old one is left out."""
    if not isinstance(document, dict) or not isinstance(changes, dict):
        return None
    spec = document.get("spec")
    fresh: Json = {
        "apiVersion": document.get("apiVersion"),
        "kind": document.get("kind"),
        "metadata": {},
        "spec": {key: value for key, value in spec.items() if key != "weight"} if isinstance(spec, dict) else {},
    }
    return _over(fresh, changes)


def _over(below: Json, above: Json) -> Json:
    """Maps are joined, lists of taints too; everything else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        whole = {key: _over(below[key], value) if key in below else value for key, value in above.items()}
        return {**below, **whole, **({"taints": _joined(below, above)} if "taints" in above else {})}
    return above


def _joined(below: dict[str, Json], above: dict[str, Json]) -> list[Json]:
    own = below.get("taints")
    return [*(own if isinstance(own, list) else []), *items(above, ("taints",))]


def _requirement(document: Json, edit: Edit, field: Pointer) -> Json:
    """Changes the values or minValues of one requirement, or drops it. The list itself stays, NodePools must have one."""
    index = _requirement_index(document, edit, field)
    if index is None:
        return None
    where = (*_REQUIREMENTS, str(index))
    if field[-1] == "minValues" or isinstance(edit.new, int):
        return (
            put(document, (*where, "minValues"), edit.new) if _is(document, (*where, "minValues"), edit.old) else None
        )
    if edit.new is None:
        return cut(document, where, keep=len(_REQUIREMENTS))
    return put(document, (*where, "values"), edit.new)


def _requirement_index(document: Json, edit: Edit, field: Pointer) -> int | None:
    """At the place that the edit names if the key is there, else where it is the only one of that key."""
    said = [
        normalised(text(one, "key")) == normalised(edit.subject)
        and (not isinstance(edit.old, list) or items(one, ("values",)) == edit.old)
        for one in items(document, _REQUIREMENTS)
    ]
    place = int(field[4]) if len(field) > 4 and field[4].isdecimal() else len(said)
    if place < len(said) and said[place]:
        return place
    return said.index(True) if said.count(True) == 1 else None


def _label(document: Json, edit: Edit, field: Pointer) -> Json:
    where = (*_LABELS, field[4] if len(field) > 4 else edit.subject)
    if not _is(document, where, edit.old):
        return None
    return cut(document, where, keep=len(_LABELS)) if edit.new is None else put(document, where, edit.new)


def _limit(document: Json, edit: Edit, field: Pointer) -> Json:
    """A number stays a number. The old amount may be written in another way than Karpenter prints it."""
    raw = at(document, field)
    if not isinstance(raw, str | int) or not _same_amount(raw, edit.old) or not isinstance(edit.new, str):
        return None
    amount = Quantity.parse(edit.new)
    whole = isinstance(raw, int) and amount == Quantity.of(amount.whole)
    return put(document, field, amount.whole if whole else edit.new)


def _same_amount(raw: str | int, old: Json) -> bool:
    try:
        return Quantity.parse(raw) == Quantity.parse(str(old))
    except QuantityError:
        return False


def _disruption(document: Json, edit: Edit, field: Pointer) -> Json:
    """One field of `spec.disruption`, or several at once as a map."""
    old = edit.old if isinstance(edit.old, dict) else {}
    for key, new in edit.new.items() if isinstance(edit.new, dict) else ():
        if key in old and not _is(document, (*field, key), old[key]):
            return None
        document = put(document, (*field, key), new)
    if isinstance(edit.new, dict):
        return document
    return put(document, field, edit.new) if _is(document, field, edit.old) else None


def _is(document: Json, where: Pointer, old: Json) -> bool:
    """Whether the value there is the one that the edit was made for; empty text stands for absent."""
    return (at(document, where) or None) == (old or None)


_EDITORS: Final[tuple[tuple[Pointer, Callable[[Json, Edit, Pointer], Json]], ...]] = (
    (_REQUIREMENTS, _requirement),
    (_LABELS, _label),
    (("spec", "limits"), _limit),
    (("spec", "disruption"), _disruption),
)
