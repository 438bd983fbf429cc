"""What became of a write is read off the object; and what people are shown is what the server would do."""

from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.model.diagnosis import Json
from bot.model.proposals import Attempt
from bot.remediation.outcomes import (
    FIELD_MANAGER,
    MARK,
    Outcome,
    digest_of,
    guarded,
    managed_at,
    outcome_of,
    repository_patch,
    still_as_left,
    yaml_diff,
)
from tests.remediation.proposals import TARGET
from tests.remediation.scenes import applied

TIME = "2026-03-02T03:00:00Z"


def deployment(version: str = "5", mark: str = "", written: str = "", **metadata: object) -> dict[str, Any]:
    """A Deployment, of which the bot may have written something."""
    meta: dict[str, Any] = {"name": "trainer", "uid": "u1", "resourceVersion": version, "generation": 2, **metadata}
    if mark:
        meta["annotations"] = {MARK: mark}
    if written:
        meta["managedFields"] = [{"manager": FIELD_MANAGER, "time": written}, {"manager": "kubectl", "time": TIME}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}}


ATTEMPT = Attempt(number=1, resource_version="5")


@pytest.mark.parametrize(
    ("document", "attempt", "outcome"),
    [
        (None, ATTEMPT, Outcome.GONE),
        ({"metadata": {"uid": "another", "annotations": {MARK: "p1"}}}, ATTEMPT, Outcome.GONE),
        (deployment("6", mark="p1"), ATTEMPT, Outcome.APPLIED),
        (deployment("9", mark="p1"), None, Outcome.APPLIED),
        (deployment("5"), None, Outcome.NOT_APPLIED),
        (deployment("5"), ATTEMPT, Outcome.PENDING),
        (deployment("5", mark="p0"), ATTEMPT, Outcome.PENDING),
        (deployment("5"), Attempt(number=1, resource_version="5", answered=True), Outcome.NOT_APPLIED),
        (deployment("6"), ATTEMPT, Outcome.NOT_APPLIED),
        (deployment("7", written=TIME), ATTEMPT, Outcome.OVERWRITTEN),
        (deployment("7", written=TIME), Attempt(number=1, resource_version="5", managed_at=TIME), Outcome.NOT_APPLIED),
    ],
)
def test_the_object_says_what_became_of_the_write(document: Json, attempt: Attempt | None, outcome: Outcome) -> None:
    assert outcome_of(document, "u1", "p1", attempt) is outcome


def test_the_newest_entry_of_our_own_counts() -> None:
    assert managed_at(cast("Json", deployment(written=TIME))) == TIME
    assert managed_at(cast("Json", deployment())) == ""


@pytest.mark.parametrize("annotations", [None, {}, {"a": "b"}])
@pytest.mark.parametrize(
    "patch",
    [
        ({"op": "replace", "path": "/spec/replicas", "value": 2},),
        ({"op": "add", "path": "/metadata/annotations", "value": {"x/y": "true"}},),
    ],
)
def test_what_is_sent_makes_the_change_and_the_mark_for_this_version_only(
    annotations: dict[str, str] | None, patch: tuple[dict[str, Json], ...]
) -> None:
    if annotations and patch[0]["path"] == "/metadata/annotations":
        pytest.skip("a patch that makes the map was worked out for an object without one")
    before = deployment()
    if annotations is not None:
        before["metadata"]["annotations"] = annotations
    sent = guarded(patch, cast("Json", before), "p1")
    after = applied(cast("Json", sent), before)
    if annotations is None or patch[0]["op"] == "replace":
        assert after["metadata"]["annotations"][MARK] == "p1"
    assert sent[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "5"}


def test_undo_only_of_what_we_left() -> None:
    left = cast("Json", deployment(mark="p1"))
    assert still_as_left(left, "u1", "p1", 2)
    assert still_as_left(left, "u1", "p1", 0)
    assert not still_as_left(left, "u1", "p1", 1), "somebody changed the spec since"
    assert not still_as_left(left, "u1", "p2", 2), "another change of ours came after"
    assert not still_as_left(cast("Json", deployment()), "u1", "p1", 2)


def test_the_diff_is_yaml_without_what_the_server_keeps_for_itself() -> None:
    before, after = deployment(), deployment("6", mark="p1", written=TIME)
    after["spec"]["replicas"] = 2
    diff = yaml_diff(cast("Json", before), cast("Json", after))
    assert "-  replicas: 1\n+  replicas: 2" in diff
    assert "managedFields" not in diff
    assert MARK not in diff
    assert yaml_diff(cast("Json", before), cast("Json", deployment("9", mark="p3"))) == ""


def test_the_same_change_has_the_same_digest_whatever_else_the_object_says() -> None:
    one, other = deployment(), deployment("7", labels={"a": "b"})
    changed_one, changed_other = deployment("6"), deployment("8", labels={"a": "b"})
    changed_one["spec"] = changed_other["spec"] = {"replicas": 2}
    digest = digest_of(cast("Json", one), cast("Json", changed_one))
    assert digest == digest_of(cast("Json", other), cast("Json", changed_other))
    more = deployment("6")
    more["spec"] = {"replicas": 2, "paused": True}
    assert digest != digest_of(cast("Json", one), cast("Json", more))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_digests_are_equal_only_for_equal_changes(before: Json, one: Json, other: Json) -> None:
    first, second = digest_of({"spec": before}, {"spec": one}), digest_of({"spec": before}, {"spec": other})
    assert (first == second) == (one == other and _typed(one) == _typed(other)) or _nulls(before, one, other)


def _typed(value: Json) -> str:
    return yaml.safe_dump(value, sort_keys=True)


def _nulls(*values: Json) -> bool:
    """Absent and null are the same to Kubernetes, and true equals 1 to Python: no such pair is claimed to differ."""
    return any(word in str(value) for value in values for word in ("None", "True", "False"))


def test_the_patch_for_a_repository_is_a_kustomization_s() -> None:
    text = repository_patch(
        TARGET,
        (
            {"op": "test", "path": "/metadata/uid", "value": "u1"},
            {"op": "replace", "path": "/spec/replicas", "value": 2},
        ),
    )
    [entry] = yaml.safe_load(text)["patches"]
    assert entry["target"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "name": "trainer",
        "namespace": "ml",
    }
    assert yaml.safe_load(entry["patch"]) == [{"op": "replace", "path": "/spec/replicas", "value": 2}]
