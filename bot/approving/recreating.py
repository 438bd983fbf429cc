"""Carries out a change that needs a new object: the old one is deleted, then the new one created, each exactly once.

What is to be done next is read off what stands under the name (`bot.remediation.recreation`), so a crash between the two
writes is found out and finished. Once the old object goes by our hand, neither expiry nor anybody's change stops the new one.
"""

from typing import Final

from bot.approving.hands import Hands
from bot.approving.recording import Record, is_definite
from bot.model.diagnosis import Json
from bot.model.proposals import Attempt, Proposal, Write
from bot.remediation.approvals import Event, is_expired
from bot.remediation.documents import text
from bot.remediation.outcomes import digest_of, is_settled
from bot.remediation.recreation import Next, following, manifest_of, marked, standing, why_kept
from bot.sources.errors import ReadFailed

_LOOK_AGAIN: Final = frozenset({409, 429})
"""The object is another by now, or the name is taken; or the server is busy."""


async def recreated(record: Record, hands: Hands, one: Proposal) -> Proposal:
    """Looks, and writes once if that is what is to be done. The row, `applying` still when it must be looked at again.

    Raises ReadFailed, SourceError, StoreUnavailable.
    """
    document = await hands.read(one.alteration.target)
    now = record.clock()
    todo = following(standing(document, one.alteration, one.id), one.alteration, one.attempt, now)
    match todo:
        case Next.DONE:
            return await record.applied(one, document)
        case Next.WAIT:
            return one
        case Next.FOUND_OUT:
            return await record.deleted(one)
        case Next.DELETE:
            return await _deleted(record, hands, one, document)
        case Next.CREATE:
            return await _created(record, hands, one)
        case Next.NOT_OURS | Next.TAKEN | Next.UNKNOWN:
            return await record.failed(one, todo, "")


async def _deleted(record: Record, hands: Hands, one: Proposal, document: Json) -> Proposal:
    """Deletes just what was approved: this object, unchanged since, and only while the new one would be taken."""
    alteration, now = one.alteration, record.clock()
    settled = _is_over(one.attempt, document) or is_settled(one.attempt, now)
    ended = Event.EXPIRE if is_expired(one, now) else Event.SUPERSEDE
    same = digest_of(manifest_of(document), alteration.creates) == alteration.digest
    if ended is Event.EXPIRE or not same or why_kept(document) is not None:
        return await record.moved(one, ended) if settled else one
    try:
        await hands.rehearse_recreation(alteration.target, document, alteration.creates)
        one = await record.attempting(one, document, Write.DELETE)
        await hands.remove(alteration.target, document)
    except ReadFailed as refused:
        await record.note(one, "refused", {"status": refused.status, "message": refused.message})
        if not is_definite(refused):
            raise
        if refused.status in (404, *_LOOK_AGAIN) or not settled:
            return one
        return await record.failed(one, "refused", refused.message)
    return await record.deleted(one)


def _is_over(attempt: Attempt | None, document: Json) -> bool:
    """Whether a deletion that was sent cannot come to pass any more: it was for a version that is no longer."""
    return attempt is None or attempt.resource_version != text(document, "metadata", "resourceVersion")


async def _created(record: Record, hands: Hands, one: Proposal) -> Proposal:
    """Creates the new object. A name that is taken is looked at anew: it may be ours already."""
    alteration = one.alteration
    one = await record.attempting(one, None, Write.CREATE)
    try:
        made = await hands.create(alteration.target, marked(alteration.creates, one.id))
    except ReadFailed as refused:
        await record.note(one, "refused", {"status": refused.status, "message": refused.message})
        if not is_definite(refused):
            raise
        if refused.status in _LOOK_AGAIN:
            return one
        return await record.failed(one, "half-done", refused.message)
    return await record.applied(one, made)
