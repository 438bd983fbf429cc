"""An approved change is applied exactly once, or the ledger says why not; what is not known is found out, never guessed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.approving.proposing import rehearsed
from bot.approving.recording import is_race
from bot.model.proposals import State
from bot.remediation.outcomes import MARK
from bot.sources.errors import ReadFailed
from bot.store import Store, ledger
from tests.approving.stage import PATCH, Clock, approved, events, hands_on, worker
from tests.fakes.kube import Fault
from tests.fakes.writable_kube import WritableKube
from tests.remediation.proposals import PROPOSAL, TARGET


async def test_what_was_approved_is_applied_as_it_was_shown(store: Store, kube: WritableKube, tmp_path: Path) -> None:
    async with hands_on(kube, tmp_path) as hands:
        one = await approved(store, hands)
        assert one.alteration.diff.endswith(
            "-  replicas: 8\n+  replicas: 1\n   template:\n     metadata: {}\n     spec:"
        )
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    assert done.facts["generation"] == 2
    [(_, after)] = kube.patched
    assert after["spec"]["replicas"] == 1
    assert after["metadata"]["annotations"] == {MARK: "p1"}
    assert await events(store) == ["propose", "approve", "claim", "attempt", "apply"]


async def test_many_workers_apply_once(store: Store, kube: WritableKube, tmp_path: Path) -> None:
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        names = [f"worker-{n}" for n in range(6)]
        await asyncio.gather(*(worker(store, hands, clock, name).carry_out("p1") for name in names))
        for name in names:
            clock.pass_(minutes=2)
            await worker(store, hands, clock, name).carry_out("p1")
    assert len(kube.patched) == 1
    assert (await events(store)).count("apply") == 1


async def test_an_answer_that_never_came_is_found_out_from_the_object(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.silent = 1
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        first = await worker(store, hands, clock).carry_out("p1")
        assert first is not None
        assert first.state is State.APPLYING
        done = await worker(store, hands, clock, "b").carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    assert len(kube.patched) == 1
    assert await events(store) == ["propose", "approve", "claim", "attempt", "refused", "waits", "apply"]


async def test_a_write_that_got_lost_is_sent_again_for_the_same_version(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.unkept = 1
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        for name in ("a", "b"):
            done = await worker(store, hands, Clock(), name).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    assert len(kube.patched) == 1


async def test_what_may_still_be_under_way_is_not_called_failed(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    """The write got lost, and then the rights: only when nothing can be under way any more is it a failure."""
    kube.unkept = 1
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, clock).carry_out("p1")
        kube.forbidden = frozenset({"deployments"})
        waiting = await worker(store, hands, clock).carry_out("p1")
        assert waiting is not None
        assert waiting.state is State.APPLYING
        clock.pass_(minutes=4)
        done = await worker(store, hands, clock).carry_out("p1")
    assert done is not None
    assert done.state is State.FAILED
    assert kube.patched == []


async def test_an_object_whose_status_changes_is_still_changed(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.touch("Deployment", "trainer")
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED


async def test_a_status_that_changes_during_the_rehearsal_costs_another_look(
    kube: WritableKube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        read, touched = hands.read, 2

        async def touching(*arguments: Any) -> Any:  # noqa: ANN401
            nonlocal touched
            found = await read(*arguments)
            if touched:
                kube.touch("Deployment", "trainer")
                touched -= 1
            return found

        monkeypatch.setattr(hands, "read", touching)
        found = await rehearsed(hands, TARGET, PATCH)
    assert found is not None
    assert "replicas: 1" in found.diff


@pytest.mark.parametrize("change", [{"replicas": 4}, {"paused": True}])
async def test_an_object_that_somebody_changed_is_left_alone_where_the_change_would_be_another(
    store: Store, kube: WritableKube, tmp_path: Path, change: dict[str, Any]
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.touch("Deployment", "trainer", change)
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is (State.SUPERSEDED if "replicas" in change else State.APPLIED)
    assert len(kube.patched) == ("paused" in change)


async def test_admission_that_would_make_more_of_it_than_was_shown_stops_it(
    store: Store, kube: WritableKube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        rehearse = hands.rehearse

        async def mutated(*arguments: Any) -> Any:  # noqa: ANN401
            after: Any = await rehearse(*arguments)
            after["spec"]["template"]["spec"]["priorityClassName"] = "someone-elses"
            return after

        monkeypatch.setattr(hands, "rehearse", mutated)
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.SUPERSEDED
    assert kube.patched == []


@pytest.mark.parametrize("how", ["gone", "anew"])
async def test_an_object_that_is_gone_is_a_failure(store: Store, kube: WritableKube, tmp_path: Path, how: str) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        if how == "gone":
            kube.objects.clear()
        else:
            kube.find("Deployment", "trainer")["metadata"]["uid"] = "another"
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.FAILED
    assert done.facts["failure"] == {"code": "object-gone", "message": ""}
    assert kube.patched == []


async def test_whether_it_was_changed_before_it_went_is_not_guessed(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.silent = 1
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, Clock()).carry_out("p1")
        kube.find("Deployment", "trainer")["metadata"]["uid"] = "another"
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.facts["failure"] == {"code": "gone-unknown", "message": ""}


async def test_a_refusal_is_told_with_the_server_s_words(store: Store, kube: WritableKube, tmp_path: Path) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.refuse["deployments"] = "spec.replicas: no more than 8"
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.FAILED
    assert "no more than 8" in str(done.facts["failure"])


async def test_nothing_is_applied_while_the_dry_run_cannot_be_reached_and_the_approval_lapses(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.faults["/trainer"] = Fault(status=503, message="etcd is gone")
        waiting = await worker(store, hands, clock).carry_out("p1")
        assert waiting is not None
        assert waiting.state is State.APPLYING
        kube.faults.clear()
        clock.pass_(minutes=11)
        done = await worker(store, hands, clock).carry_out("p1")
    assert done is not None
    assert done.state is State.EXPIRED
    assert kube.patched == []


async def test_a_change_that_nobody_approved_is_nobody_s_to_carry_out(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    await ledger.create(store, PROPOSAL, ledger.Told(event="propose", at=PROPOSAL.created_at))
    async with hands_on(kube, tmp_path) as hands:
        assert await worker(store, hands, Clock()).carry_out("p1") is None
        assert await worker(store, hands, Clock()).carry_out("forged") is None
    assert kube.patched == []


async def test_a_change_that_was_overwritten_by_another_counts_as_applied(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.silent = 1
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, Clock()).carry_out("p1")
        del kube.find("Deployment", "trainer")["metadata"]["annotations"]
        kube.touch("Deployment", "trainer", {"replicas": 8})
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    assert done.facts["overwritten"] is True


@pytest.mark.parametrize(
    ("status", "message", "race"),
    [
        (409, "Operation cannot be fulfilled on deployments.apps", True),
        (422, "the server rejected our request due to an error in our request", True),
        (422, 'NodePool "gpu" is invalid: spec.template: Invalid value', False),
        (
            422,
            "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            False,
        ),
        (403, 'deployments.apps "x" is forbidden', False),
    ],
)
def test_only_a_change_of_the_object_is_looked_at_anew(status: int, message: str, *, race: bool) -> None:
    assert is_race(ReadFailed(status, message)) is race
