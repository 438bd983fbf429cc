"""A Job that takes no change is deleted and created anew, each once, whatever is lost between the two writes."""

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from bot.approving.hands import Hands
from bot.approving.proposing import rehearsed_anew
from bot.model.objects import ObjectRef
from bot.model.proposals import Proposal, State
from bot.remediation.outcomes import MARK
from bot.remediation.recreation import changed, manifest_of
from bot.sources.errors import ReadFailed
from bot.store import Store, ledger
from bot.store.ledger import Told
from tests.approving.stage import Clock, events, hands_on, worker
from tests.fakes.kube import Fault
from tests.fakes.writable_kube import WritableKube
from tests.remediation.proposals import ANNA, NOW, proposal
from tests.remediation.test_recreation import job

JOB: Final = ObjectRef(api_version="batch/v1", kind="Job", namespace="ml", name="x")
STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"op": "test", "path": "/metadata/uid", "value": "u1"},
    {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "y"},
)
WHOLE: Final = ["propose", "approve", "claim", "attempt", "deleted", "attempt", "apply"]


@pytest.fixture(autouse=True)
def with_jobs(kube: WritableKube) -> None:
    """The Job, and another that keeps the kind served while it is gone."""
    other = job()
    other["metadata"] |= {"name": "other", "uid": "u9"}
    kube.objects += [job(active=1, ready=1), other]


async def approved(store: Store, hands: Hands) -> Proposal:
    """The proposal as the desk writes it, and both of its approvals."""
    before = await hands.read(JOB)
    alteration = await rehearsed_anew(hands, JOB, before, manifest_of(changed(before, STEPS)), STEPS)
    assert alteration is not None
    one = proposal(alteration=alteration, facts={"stops": 1})
    await ledger.create(store, one, Told(event="propose", at=NOW, actor=one.requester))
    from dataclasses import replace  # noqa: PLC0415

    to = replace(one, state=State.APPROVED, approvers=(ANNA, ANNA), approved_at=NOW)
    assert await ledger.move(store, one, to, Told(event="approve", at=NOW, actor=ANNA))
    return to


def ours(kube: WritableKube) -> dict[str, Any]:
    """The new object, made once, with the change and our mark."""
    [(path, made)] = kube.created
    assert path == "/apis/batch/v1/namespaces/ml/jobs"
    assert made["metadata"]["annotations"] == {"a": "b", MARK: "p1"}
    assert made["spec"]["template"]["spec"]["containers"] == [{"name": "node", "image": "y"}]
    assert "selector" not in made["spec"]
    return dict(made)


async def test_deleted_once_created_once_and_the_whole_old_object_kept(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    old = deepcopy(kube.find("Job", "x"))
    async with hands_on(kube, tmp_path) as hands:
        one = await approved(store, hands)
        assert (kube.deleted, kube.created) == ([], []), "a rehearsal changes nothing"
        assert "-      - image: x\n" in one.alteration.diff.replace("name: node\n", "")
        done = await worker(store, hands, Clock()).carry_out("p1")
        again = await worker(store, hands, Clock(), "b").carry_out("p1")
    assert done is not None
    assert (done.state, again) == (State.APPLIED, None)
    assert done.facts["uid"] == ours(kube)["metadata"]["uid"]
    assert len(kube.deleted) == 1
    assert await events(store) == WHOLE
    kept = await ledger.find(store, "p1")
    assert kept is not None
    assert kept.alteration.before == old


@pytest.mark.parametrize("lost", ["silent", "unkept"])
@pytest.mark.parametrize("which", ["delete", "create"])
async def test_an_answer_that_never_came_is_found_out(
    store: Store, kube: WritableKube, tmp_path: Path, lost: str, which: str
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        if which == "delete":
            setattr(
                kube, lost, 2
            )  # aiohttp sends what is idempotent once more by itself, and a deletion of one version is
            await worker(store, hands, Clock()).carry_out("p1")
        else:
            kube.linger = True
            waits = await worker(store, hands, Clock()).carry_out("p1")
            assert waits is not None
            assert waits.attempt is not None
            assert (waits.state, waits.attempt.accepted) == (State.APPLYING, True)
            kube.let_go()
            setattr(kube, lost, 1)
            await worker(store, hands, Clock()).carry_out("p1")
        await worker(store, hands, Clock(), "b").carry_out("p1")
    done = await ledger.find(store, "p1")
    assert done is not None
    assert done.state is State.APPLIED
    assert len(kube.deleted) == 1
    ours(kube)


@pytest.mark.parametrize("answered", [True, False])
async def test_once_the_old_object_goes_by_our_hand_nothing_stops_the_new_one(
    store: Store, kube: WritableKube, tmp_path: Path, *, answered: bool
) -> None:
    """Its pods take an hour to end: the approval has lapsed long since, and half a change would be none."""
    kube.linger = True
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.silent = 0 if answered else 1
        await worker(store, hands, clock).carry_out("p1")
        going = await worker(store, hands, clock).carry_out("p1")
        assert going is not None
        assert going.attempt is not None
        assert going.attempt.accepted
        clock.pass_(hours=1)
        kube.let_go()
        done = await worker(store, hands, clock, "b").carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    ours(kube)


async def test_what_may_have_been_made_and_deleted_since_is_told_and_not_made_again(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.linger = True
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, clock).carry_out("p1")
        kube.let_go()
        kube.silent = 1
        await worker(store, hands, clock).carry_out("p1")
        kube.objects.remove(kube.find("Job", "x"))  # somebody deletes what we have just made
        clock.pass_(minutes=11)
        done = await worker(store, hands, clock, "b").carry_out("p1")
    assert done is not None
    assert (done.state, done.facts["failure"]) == (State.FAILED, {"code": "recreate-unknown", "message": ""})
    assert done.half_done
    assert len(kube.created) == 1


async def test_a_name_that_somebody_takes_meanwhile_is_left_to_them(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.linger = True
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, Clock()).carry_out("p1")
        kube.let_go()
        theirs = job()
        theirs["metadata"]["uid"] = "u5"
        kube.objects.append(theirs)
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert (done.state, done.facts["failure"]) == (State.FAILED, {"code": "made-anew", "message": ""})
    assert kube.created == []


@pytest.mark.parametrize("how", ["changed", "finished", "gone"])
async def test_an_object_that_is_not_what_was_approved_is_not_deleted(
    store: Store, kube: WritableKube, tmp_path: Path, how: str
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        if how == "changed":
            kube.touch("Job", "x", {"parallelism": 4})
        elif how == "finished":
            kube.find("Job", "x")["status"] = {"succeeded": 1}
        else:
            kube.objects.remove(kube.find("Job", "x"))
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is (State.FAILED if how == "gone" else State.SUPERSEDED)
    assert (kube.deleted, kube.created) == ([], [])


async def test_its_status_may_change_meanwhile(store: Store, kube: WritableKube, tmp_path: Path) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.touch("Job", "x")
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED


@pytest.mark.parametrize("who", ["delete jobs", "create jobs"])
async def test_without_both_rights_nothing_is_deleted(
    store: Store, kube: WritableKube, tmp_path: Path, who: str
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.forbidden = frozenset({who})
        assert not await hands.may(JOB, "delete", "create")
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.FAILED
    assert "forbidden" in str(done.facts["failure"])
    assert (kube.deleted, kube.created) == ([], [])


async def test_a_manifest_that_the_server_would_not_take_is_found_out_before_anything_is_deleted(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        kube.refuse["jobs"] = "spec.template: no such image here"
        with pytest.raises(ReadFailed, match="no such image here"):
            await hands.rehearse_recreation(JOB, await hands.read(JOB), manifest_of(await hands.read(JOB)))
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.FAILED
    assert not done.half_done
    assert kube.deleted == []


async def test_a_refusal_after_the_deletion_is_told_and_leaves_the_old_object_to_be_put_back(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.linger = True
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, Clock()).carry_out("p1")
        kube.let_go()
        kube.refuse["jobs"] = "exceeded quota"
        done = await worker(store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.half_done
    assert "exceeded quota" in str(done.facts["failure"])
    assert done.alteration.before is not None


async def test_while_the_server_is_down_after_the_deletion_it_is_tried_again(
    store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    kube.linger = True
    clock = Clock()
    async with hands_on(kube, tmp_path) as hands:
        await approved(store, hands)
        await worker(store, hands, clock).carry_out("p1")
        kube.let_go()
        kube.faults["/jobs"] = Fault(status=503, message="etcd is gone")
        for _ in range(3):
            clock.pass_(minutes=5)
            waiting = await worker(store, hands, clock).carry_out("p1")
            assert waiting is not None
            assert waiting.state is State.APPLYING
        kube.faults.clear()
        done = await worker(store, hands, clock).carry_out("p1")
    assert done is not None
    assert done.state is State.APPLIED
    ours(kube)
