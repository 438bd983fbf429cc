"""What every Kubernetes object has, and how plain data becomes typed objects."""

from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec

from bot.model.quantities import Quantity, QuantityError


class Object(msgspec.Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """Base of everything read from the Kubernetes API."""


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Which object a statement is about. `namespace` is empty for cluster-scoped kinds."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class OwnerReference(Object, frozen=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(Object, frozen=True):
    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()


class Condition(Object, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    observed_generation: int = 0


class Identified(Protocol):
    """Anything decoded that says which object it is."""

    @property
    def api_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def metadata(self) -> ObjectMeta: ...


AnyObject = TypeVar("AnyObject", bound=Object)


def ref_of(thing: Identified) -> ObjectRef:
    """Names a decoded object."""
    meta = thing.metadata
    return ObjectRef(api_version=thing.api_version, kind=thing.kind, namespace=meta.namespace, name=meta.name)


class MalformedObjectError(ValueError):
    """A manifest does not have the shape its kind has. The message says which field."""


def decode(data: object, kind: type[AnyObject]) -> AnyObject:
    """Turns plain data (parsed JSON or YAML) into a typed object; `null` counts as absent, as in the API.

    Raises MalformedObjectError naming the field (`$.spec.tolerations[0]`).
    """
    try:
        return msgspec.convert(_without_nulls(data), kind, strict=False, dec_hook=_decode_special)
    except (msgspec.ValidationError, QuantityError) as error:
        raise MalformedObjectError(str(error)) from error


def decoder(kind: type[AnyObject]) -> "msgspec.json.Decoder[AnyObject]":
    """A JSON decoder for big lists: bytes in, typed objects out, no tree of dicts between. Build once, use often."""
    return msgspec.json.Decoder(kind, strict=False, dec_hook=_decode_special)


def _decode_special(kind: type, value: Any) -> Any:  # noqa: ANN401 (msgspec's own signature)
    if kind is Quantity:
        return Quantity.known(value)
    raise NotImplementedError(kind)


_NOTHING: Final = (None,)


def _without_nulls(data: object) -> object:
    if isinstance(data, dict):
        return {str(k): _without_nulls(v) for k, v in data.items() if v not in _NOTHING}
    if isinstance(data, list):
        return [_without_nulls(v) for v in data]
    return data
