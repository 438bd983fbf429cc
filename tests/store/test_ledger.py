"""The ledger on both databases: rows move once, from the state that was seen; the audit only grows, and shows tampering."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from bot.model.proposals import Attempt, Place, Proposal, Purpose, State
from bot.remediation.approvals import UNDER_WAY, WAITING
from bot.store import Store, StoreUnavailable, ledger
from bot.store.ledger import AUDIT, Lease, Offer, Told
from tests.remediation.proposals import ANNA, NOW, proposal


async def created(store: Store, **changes: object) -> Proposal:
    """A proposal in the store."""
    one = proposal(**changes)
    await ledger.create(store, one, Told(event="propose", at=NOW, actor=one.requester, detail={"diff": "+ a"}))
    return one


def told(event: str, actor: str = ANNA) -> Told:
    return Told(event=event, at=NOW, actor=actor)


async def test_a_proposal_comes_back_as_it_was_written(store: Store) -> None:
    one = await created(
        store,
        place=Place(channel="C1", thread_ts="1.0", ts="2.0"),
        approvers=(ANNA,),
        approved_at=NOW,
        attempt=Attempt(number=2, resource_version="7", managed_at="x"),
        facts={"cautions": ["restarts-pods"], "opens": {"offerings": 3}},
    )
    assert await ledger.find(store, one.id) == one
    assert await ledger.find(store, "forged") is None


async def test_of_many_clicks_one_moves_the_row_and_each_move_has_one_entry(store: Store) -> None:
    one = await created(store)
    approved = replace(one, state=State.APPROVED, approvers=(ANNA,), approved_at=NOW)
    rejected = replace(one, state=State.REJECTED)
    moves = [ledger.move(store, one, to, told(to.state)) for to in (approved, rejected) * 4]
    assert sum(await asyncio.gather(*moves)) == 1
    entries = await ledger.history(store, one.id)
    assert [entry.number for entry in entries] == [1, 2]
    kept = await ledger.find(store, one.id)
    assert kept is not None
    assert entries[-1].state == kept.state


async def test_a_click_that_is_faster_than_slack_s_answer_does_not_lose_the_message(store: Store) -> None:
    one = await created(store)
    await ledger.amend(store, one.id, place=Place(channel="C1", ts="2.0"))
    assert await ledger.move(store, one, replace(one, state=State.REJECTED), told("reject"))
    kept = await ledger.find(store, one.id)
    assert kept is not None
    assert kept.place == Place(channel="C1", ts="2.0")


async def test_a_lease_is_one_worker_s_until_it_runs_out(store: Store) -> None:
    one = await created(store, state=State.APPROVED)
    first, second = (Lease(by=name, until=NOW + timedelta(seconds=30)) for name in ("a", "b"))
    taken = await asyncio.gather(*(ledger.lease(store, one.id, UNDER_WAY, each, NOW) for each in (first, second)))
    [winner] = [lease.by for lease, got in zip((first, second), taken, strict=True) if got]
    assert await ledger.due(store, UNDER_WAY, NOW) == []
    applying = replace(one, state=State.APPLYING)
    assert not await ledger.move(store, one, applying, told("claim"), by="a" if winner == "b" else "b")
    assert await ledger.move(store, one, applying, told("claim"), by=winner)
    later = NOW + timedelta(seconds=31)
    assert await ledger.due(store, UNDER_WAY, later) == [one.id]
    other = Lease(by="c", until=later + timedelta(seconds=30))
    assert await ledger.lease(store, one.id, UNDER_WAY, other, later)
    await ledger.release(store, one.id, winner)
    assert await ledger.due(store, UNDER_WAY, later) == [], "only the holder gives a lease back"
    await ledger.release(store, one.id, "c")
    assert await ledger.due(store, UNDER_WAY, later) == [one.id]


async def test_of_one_object_one_change_is_written_at_a_time(store: Store) -> None:
    first, second = [await created(store, id=name, state=State.APPROVED) for name in ("p1", "p2")]
    moves = [ledger.move(store, p, replace(p, state=State.APPLYING), told("claim", "")) for p in (first, second)]
    assert sum(await asyncio.gather(*moves)) == 1
    elsewhere = await created(store, id="p3", state=State.APPROVED, cluster="other")
    assert await ledger.move(store, elsewhere, replace(elsewhere, state=State.APPLYING), told("claim", ""))


async def test_an_undo_that_was_applied_marks_what_it_undid(store: Store) -> None:
    parent = await created(store, state=State.VERIFIED)
    undo = await created(store, id="p2", purpose=Purpose.UNDO, parent=parent.id, state=State.APPLYING)
    assert await ledger.open_undo(store, parent.id, WAITING | UNDER_WAY | {State.APPLYING}) == "p2"
    done = replace(undo, state=State.APPLIED)
    assert await ledger.move(store, undo, done, told("apply"), parent=State.UNDONE)
    kept = await ledger.find(store, parent.id)
    assert kept is not None
    assert kept.state is State.UNDONE
    assert [entry.event for entry in await ledger.history(store, parent.id)] == ["propose", "apply"]


async def test_what_waits_too_long_is_overdue(store: Store) -> None:
    one = await created(store)
    assert await ledger.overdue(store, WAITING, NOW) == []
    assert await ledger.overdue(store, WAITING, one.expires_at) == [one.id]


async def test_the_database_itself_keeps_the_audit(store: Store) -> None:
    one = await created(store)
    for change in (sa.update(AUDIT).values(actor="U0EVIL"), sa.delete(AUDIT)):
        with pytest.raises((StoreUnavailable, sa.exc.IntegrityError)):
            await store.write(partial(sa.Connection.execute, statement=change))
    assert [entry.actor for entry in await ledger.history(store, one.id)] == [one.requester]


async def test_an_entry_that_was_changed_or_lost_shows(store: Store) -> None:
    one = await created(store)
    for event in ("no", "approve", "apply"):
        await ledger.note(store, one, told(event))
    entries = await ledger.history(store, one.id)
    assert ledger.chained(entries)
    assert not ledger.chained(entries[1:])
    assert not ledger.chained([*entries[:1], *entries[2:]])
    assert not ledger.chained([replace(entries[0], actor="U0EVIL"), *entries[1:]])
    assert not ledger.chained([replace(entries[0], detail={"diff": "+ b"}), *entries[1:]])
    assert await ledger.audit(store, last=2) == entries[2:]
    assert await ledger.audit(store, since=NOW) == entries
    assert await ledger.audit(store, since=NOW + timedelta(seconds=1)) == []


async def test_notes_that_come_together_are_numbered_one_after_the_other(store: Store) -> None:
    one = await created(store)
    await asyncio.gather(*(ledger.note(store, one, told("no", f"U{n}")) for n in range(12)))
    assert ledger.chained(await ledger.history(store, one.id))
    await ledger.note(store, proposal(id="forged"), told("no"))
    assert await ledger.history(store, "forged") == []


async def test_offers_are_found_by_their_token_alone(store: Store) -> None:
    offer = Offer(token="t1", cluster="c", namespace="n", pod="p", remedy="r")
    await ledger.keep_offers(store, [offer], NOW)
    assert await ledger.find_offer(store, "t1") == offer
    assert await ledger.find_offer(store, "t2") is None
    later = NOW + ledger.KEPT_OFFERS + timedelta(seconds=1)
    await ledger.keep_offers(store, [replace(offer, token="t2")], later)
    assert await ledger.find_offer(store, "t1") is None
    assert await ledger.find_offer(store, "t2") is not None
