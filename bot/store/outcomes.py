"""What became of proposals: read from the ledger's rows and audit, for the digest and the Home tab."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from bot.model.diagnosis import Json
from bot.store.database import reads
from bot.store.ledger import AUDIT, PROPOSALS

_TOLD: Final = ("apply", "verify", "stall", "reject", "expire", "fail")
_REMEDY: Final = "remedy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One event of a proposal. `cause` is that of the answer that offered it ("" in rows of older versions)."""

    at: datetime
    event: str
    actor: str
    channel: str
    cluster: str
    summary: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A proposal as it stands: when it was made, of whom, where its message is."""

    at: datetime
    state: str
    cluster: str
    summary: str
    requester: str
    approvers: tuple[str, ...]
    channel: str
    ts: str


@reads
def outcomes_in(connection: sa.Connection, channel: str, since: datetime, until: datetime) -> Sequence[Outcome]:
    """What became of the remedies that were proposed in a channel, from `since` until before `until`, oldest first."""
    a, p = AUDIT.c, PROPOSALS.c
    query = (
        sa.select(a.at, a.event, a.actor, p.place, p.cluster, p.facts)
        .join(PROPOSALS, p.id == a.proposal)
        .where(a.at >= since, a.at < until, a.event.in_(_TOLD), p.purpose == _REMEDY)
        .order_by(a.at, a.proposal, a.number)
    )
    rows = connection.execute(query).all()
    found = [_outcome(row) for row in rows]
    return [one for one in found if one.channel == channel]


@reads
def newest(connection: sa.Connection, most: int) -> Sequence[Recent]:
    """The newest proposals of remedies, whatever became of them."""
    p = PROPOSALS.c
    query = sa.select(PROPOSALS).where(p.purpose == _REMEDY).order_by(p.created_at.desc(), p.id).limit(most)
    return [_recent(row) for row in connection.execute(query)]


def _outcome(row: Any) -> Outcome:  # noqa: ANN401 (a row)
    place, facts = _object(row.place), _object(row.facts)
    return Outcome(
        at=row.at,
        event=row.event,
        actor=row.actor,
        channel=str(place.get("channel") or ""),
        cluster=row.cluster,
        summary=str(facts.get("summary") or ""),
        cause=str(facts.get("cause") or ""),
        reason=str(facts.get("reason") or ""),
    )


def _recent(row: Any) -> Recent:  # noqa: ANN401 (a row)
    place, facts = _object(row.place), _object(row.facts)
    return Recent(
        at=row.created_at,
        state=row.state,
        cluster=row.cluster,
        summary=str(facts.get("summary") or ""),
        requester=row.requester,
        approvers=tuple(msgspec.json.decode(row.approvers, type=list[str])),
        channel=str(place.get("channel") or ""),
        ts=str(place.get("ts") or ""),
    )


def _object(written: str) -> dict[str, Json]:
    found = msgspec.json.decode(written)
    return found if isinstance(found, dict) else {}
