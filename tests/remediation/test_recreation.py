"""Delete and create anew: which objects, what is created, and what the next step is whatever has died meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

import jsonpatch
import pytest

from bot.model.diagnosis import Json
from bot.model.proposals import Alteration, Attempt, Write
from bot.remediation.outcomes import MARK
from bot.remediation.patches import kubectl_command
from bot.remediation.recreation import (
    DOUBT,
    Next,
    Standing,
    changed,
    cleaning,
    following,
    manifest_of,
    marked,
    standing,
    why_kept,
)
from tests.remediation.manifests import CHAINS, GPU, NODE_JOB, job_set_spec, owner, pod_of, template
from tests.remediation.proposals import NOW, TARGET
from tests.remediation.remedies import gpus, remedy, selector
from tests.remediation.scenes import patch_of, scene

OURS: Final = {"controller-uid": "u1", "batch.kubernetes.io/controller-uid": "u1", "job-name": "x"}


def job(**status: object) -> dict[str, Any]:
    """A Job as the API server prints it."""
    labels = {"app": "llama", **OURS}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "node", "image": "x"}]}}
    meta: dict[str, Any] = {
        "name": "x",
        "namespace": "ml",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-03-02T03:00:00Z",
        "managedFields": [{}],
        "annotations": {MARK: "before", "a": "b"},
    }
    spec = {"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}}, "template": pods}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec, "status": status}


def kept(document: dict[str, Any]) -> str:
    """The code of why it is left."""
    refusal = why_kept(cast("Json", document))
    return refusal.code if refusal else ""


def test_what_is_created_is_what_its_author_would_write() -> None:
    made = manifest_of(cast("Json", job(active=1)))
    assert made == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "x", "namespace": "ml", "annotations": {"a": "b"}},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "llama"}},
                "spec": {"containers": [{"name": "node", "image": "x"}]},
            }
        },
    }
    assert manifest_of(made) == made
    assert marked(made, "p1")["metadata"]["annotations"] == {"a": "b", MARK: "p1"}  # type: ignore[index, call-overload]


def test_a_selector_of_the_author_s_own_stays() -> None:
    own = job()
    own["spec"]["manualSelector"] = True
    made = cast("dict[str, Any]", manifest_of(cast("Json", own)))
    assert made["spec"]["selector"] == own["spec"]["selector"]
    assert cleaning(cast("Json", own)) == []


def test_the_steps_for_kubectl_take_out_the_same() -> None:
    document = job()
    after = jsonpatch.apply_patch(document, cleaning(cast("Json", document)))
    assert after["spec"] == cast("dict[str, Any]", manifest_of(cast("Json", document)))["spec"]


def test_only_what_can_come_back_as_it_was_is_deleted() -> None:
    bare = pod_of(template(), None, {})
    assert [kept(one) for one in (job(), job(active=2, ready=2), bare)] == ["", "", ""]
    owned, guarded, going = job(), job(), job()
    owned["metadata"]["ownerReferences"] = [{"kind": "JobSet"}]
    guarded["metadata"]["finalizers"] = ["example.com/guard"]
    going["metadata"]["deletionTimestamp"] = "2026-03-02T03:00:00Z"
    bound = {**bare, "spec": {**bare["spec"], "nodeName": "ip-1"}}
    assert [kept(one) for one in (owned, guarded, going, bound, job(succeeded=1))] == [
        "kept-owned",
        "kept-finalizers",
        "kept-going",
        "kept-bound",
        "kept-finished",
    ]
    assert kept(owner("jobset.x-k8s.io/v1alpha2", "JobSet", {})) == "kept-kind"


def test_a_remedy_says_whether_the_bot_recreates_the_object_and_gives_the_command_where_not() -> None:
    build, labels = CHAINS["Job"]
    world, pod = scene(build(template()), template(), labels)
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert (patch.applicable, patch.recreate, patch.kept) == (False, True, "")
    assert patch_of(world, pod, remedy(selector("node.kubernetes.io/instance-type", "p4d.24xlarge", None))).recreate
    top = owner("jobset.x-k8s.io/v1alpha2", "JobSet", job_set_spec(template()))
    world, pod = scene([top], template(), NODE_JOB)
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert (patch.recreate, patch.kept, patch.kept_facts) == (False, "kept-kind", {"kind": "JobSet"})
    command = kubectl_command(patch)
    assert "--dry-run=client -o json" in command
    assert command.endswith("| kubectl replace --force --cascade=foreground -f -")
    world, pod = scene(CHAINS["Deployment"][0](template()), template())
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert (patch.applicable, patch.recreate, patch.kept, patch.anew) == (True, False, "", None)


def test_a_bare_pod_s_patch_fits_the_pod_as_the_server_prints_it() -> None:
    world, pod = scene([], template())
    patch = patch_of(world, pod, remedy(gpus("8")))
    assert patch.recreate
    raw = pod_of(template(), None, {})
    after = cast("dict[str, Any]", changed(cast("Json", raw), cast("Any", patch.patch)))
    assert after["spec"]["containers"][1]["resources"]["limits"][GPU] == "8"
    assert (
        changed(cast("Json", {**raw, "metadata": {**raw["metadata"], "uid": "another"}}), cast("Any", patch.patch))
        is None
    )


ALTERATION: Final = Alteration(
    target=TARGET, uid="u1", patch=(), undo=(), diff="", digest="", before=cast("Json", job()), creates={}
)
BACK: Final = replace(ALTERATION, uid="", before=None)
SENT: Final = Attempt(number=1, resource_version="7", at=NOW, write=Write.DELETE)
ACCEPTED: Final = replace(SENT, accepted=True)
MADE: Final = replace(SENT, write=Write.CREATE)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (None, Standing.NOTHING),
        ({"metadata": {"uid": "u1"}}, Standing.OLD),
        ({"metadata": {"uid": "u1", "deletionTimestamp": "now"}}, Standing.GOING),
        ({"metadata": {"uid": "u2"}}, Standing.OTHER),
        ({"metadata": {"uid": "u2", "annotations": {MARK: "p0"}}}, Standing.OTHER),
        ({"metadata": {"uid": "u2", "annotations": {MARK: "p1"}}}, Standing.OURS),
    ],
)
def test_what_stands_under_the_name(document: Json, found: Standing) -> None:
    assert standing(document, ALTERATION, "p1") is found


@pytest.mark.parametrize(
    ("now", "attempt", "late", "todo"),
    [
        (Standing.OLD, None, False, Next.DELETE),
        (Standing.OLD, SENT, False, Next.DELETE),
        (Standing.GOING, None, False, Next.NOT_OURS),
        (Standing.GOING, SENT, False, Next.FOUND_OUT),
        (Standing.GOING, SENT, True, Next.WAIT),
        (Standing.GOING, ACCEPTED, True, Next.WAIT),
        (Standing.NOTHING, None, False, Next.NOT_OURS),
        (Standing.NOTHING, SENT, False, Next.CREATE),
        (Standing.NOTHING, SENT, True, Next.UNKNOWN),
        (Standing.NOTHING, ACCEPTED, True, Next.CREATE),
        (Standing.NOTHING, MADE, False, Next.CREATE),
        (Standing.NOTHING, MADE, True, Next.UNKNOWN),
        (Standing.OURS, MADE, True, Next.DONE),
        (Standing.OTHER, None, False, Next.NOT_OURS),
        (Standing.OTHER, ACCEPTED, False, Next.TAKEN),
        (Standing.OTHER, MADE, False, Next.TAKEN),
    ],
)
def test_the_next_step(now: Standing, attempt: Attempt | None, late: bool, todo: Next) -> None:  # noqa: FBT001
    moment = NOW + (DOUBT + timedelta(seconds=1) if late else timedelta(seconds=5))
    assert following(now, ALTERATION, attempt, moment) is todo


def test_an_object_that_is_put_back_only_needs_its_name() -> None:
    assert following(Standing.NOTHING, BACK, None, NOW) is Next.CREATE
    assert following(Standing.OTHER, BACK, None, NOW) is Next.TAKEN
