"""A request's id: eight characters that stand in every log line about it, in its spans, and below its answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

_REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")


def current() -> str:
    """The id of the request that is being worked on; empty outside of any."""
    return _REQUEST.get()


@contextmanager
def request(known: str = "") -> Iterator[str]:
    """A request for the length of the block, under a new id or a known one (of a question that is taken over)."""
    token = _REQUEST.set(known or uuid4().hex[:8])
    try:
        yield _REQUEST.get()
    finally:
        _REQUEST.reset(token)
