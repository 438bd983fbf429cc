"""The laws of documents and their differences, and edits of node affinity of any shape."""

from copy import deepcopy
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from jsonpointer import resolve_pointer

from bot.diagnosis.pods import first_variant, relax
from bot.model.diagnosis import Json
from bot.model.kubernetes import Pod
from bot.remediation.documents import at, cut, operations, parse_field, pointer_text, put
from tests.remediation.manifests import CHAINS, Manifest, template
from tests.remediation.remedies import edit, remedy, selector
from tests.remediation.scenes import applied, patch_of, scene

keys = st.text("ab/~0.1é", min_size=1, max_size=4)
scalars = st.booleans() | st.integers(2, 5) | st.text("xy~/", max_size=2)  # no 0 and 1, which Python takes for booleans
documents: st.SearchStrategy[Manifest] = st.dictionaries(
    keys,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3)),
    max_size=4,
)


@given(documents, documents)
def test_a_difference_leads_from_one_document_to_the_other(old: Manifest, new: Manifest) -> None:
    patch = operations(old, new)
    assert applied(cast("Json", patch), old) == new
    assert applied(cast("Json", operations(new, old)), new) == old
    assert bool(patch) == (old != new)


@given(documents, documents)
def test_every_value_that_goes_is_tested_just_before(old: Manifest, new: Manifest) -> None:
    patch = operations(old, new)
    for before, step in zip([None, *patch], patch, strict=False):
        if step["op"] in ("remove", "replace"):
            assert before is not None
            assert (before["op"], before["path"]) == ("test", step["path"])


@given(st.dictionaries(keys, scalars, min_size=1), st.data())
def test_a_pointer_names_its_key_whatever_is_in_it(document: Manifest, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    assert resolve_pointer({"spec": document}, pointer_text(("spec", key))) == document[key]


@given(documents, st.lists(keys, min_size=1, max_size=3), scalars)
def test_what_is_put_is_there_and_cutting_it_leaves_no_empty_parent(
    document: Manifest, path: list[str], value: Json
) -> None:
    pointer = ("new-here", *path)
    before = deepcopy(document)
    written = put(document, pointer, value)
    assert at(written, pointer) == value
    assert cut(written, pointer) == document
    assert document == before


def test_a_field_is_read_as_people_write_it() -> None:
    field = "spec.containers[0].resources.requests[nvidia.com/gpu]"
    assert parse_field(field) == ("spec", "containers", "0", "resources", "requests", "nvidia.com/gpu")
    assert parse_field("spec.nodeSelector[a.b/c]") == ("spec", "nodeSelector", "a.b/c")


expressions = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["topology.kubernetes.io/zone", "karpenter.sh/capacity-type", "a/b"]),
        "operator": st.sampled_from(["In", "NotIn"]),
        "values": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True),
    }
)
fields = st.lists(st.just({"key": "metadata.name", "operator": "In", "values": ["n"]}), max_size=1)
terms = st.lists(st.tuples(st.lists(expressions, min_size=1, max_size=3), fields), min_size=1, max_size=3)
_TERMS = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")


@given(terms, st.sampled_from(sorted(CHAINS)), st.data())
def test_dropping_any_expression_leaves_a_selector_that_says_just_the_rest(
    drawn: list[tuple[list[Manifest], list[Manifest]]], kind: str, data: st.DataObject
) -> None:
    written = _with_terms([{"matchExpressions": e, **({"matchFields": f} if f else {})} for e, f in drawn])
    build, labels = CHAINS[kind]
    chain = build(written)
    world, pod = scene(chain, written, labels)
    ask = data.draw(st.sampled_from(_asks(pod)))
    number, position = (int(token) for token in parse_field(ask) if token.isdecimal())
    expression = drawn[number][0][position]
    found = patch_of(world, pod, remedy(edit(ask, expression["key"], expression["values"], None)))
    after = applied(found.patch, chain[-1])
    assert applied(found.undo, after) == chain[-1]
    left = [{"matchExpressions": list(e), **({"matchFields": f} if f else {})} for e, f in drawn]
    left[number]["matchExpressions"].pop(position)
    if not left[number]["matchExpressions"]:
        del left[number]["matchExpressions"]
    expected = _with_terms(left) if all(left) else cast("Manifest", cut(written, _TERMS[:-1], keep=1))
    assert after == build(expected)[-1]


def _with_terms(terms: list[Manifest]) -> Manifest:
    return cast("Manifest", put(template(), _TERMS, cast("Json", terms)))


def _asks(pod: Pod) -> list[str]:
    """The fields of the required affinity as the diagnosis names them, of all OR-terms."""
    variant = first_variant(pod)
    asks = [ask.field for ask in variant.required_asks()]
    while len(variant.terms) > 1:
        following = relax(variant, tolerate_preferences=False)
        assert following is not None
        variant = following
        asks += [ask.field for ask in variant.required_asks()]
    return asks


@given(
    st.dictionaries(st.text("ab/~.-", min_size=1, max_size=8), st.sampled_from(["v", "w"]), min_size=1, max_size=4),
    st.sampled_from(sorted(CHAINS)),
    st.data(),
)
def test_any_selector_key_can_be_dropped_and_comes_back(pins: dict[str, str], kind: str, data: st.DataObject) -> None:
    written = cast("Manifest", put(template(), ("spec", "nodeSelector"), dict(pins)))
    build, labels = CHAINS[kind]
    chain = build(written)
    world, pod = scene(chain, written, labels)
    key = data.draw(st.sampled_from(sorted(pins)))
    found = patch_of(world, pod, remedy(selector(key, pins[key], None)))
    after = applied(found.patch, chain[-1])
    assert after == build(cast("Manifest", cut(written, ("spec", "nodeSelector", key), keep=1)))[-1]
    assert applied(found.undo, after) == chain[-1]


@given(st.integers(0, 8), st.integers(0, 8), st.sampled_from([int, str]), st.sampled_from(["nvidia.com/gpu", "cpu"]))
def test_a_reduced_total_is_taken_from_the_container_that_asks_most(
    other: int, new: int, written_as: type[int] | type[str], resource: str
) -> None:
    """Two containers ask; the larger gives way, requests and limits stay equal where they were."""
    written = template()
    written["spec"]["containers"] = [
        {"name": name, "image": "x", "resources": {part: {resource: written_as(n)} for part in ("requests", "limits")}}
        for name, n in (("node", 12), ("helper", other))
    ]
    chain = CHAINS["Deployment"][0](written)
    world, pod = scene(chain, written)
    field = f"spec.containers[1].resources.requests[{resource}]"
    found = patch_of(world, pod, remedy(edit(field, resource, str(12 + other), str(new))))
    if new < other:
        assert found.patch is None
        return
    after = applied(found.patch, chain[-1])
    left = [c["resources"] for c in after["spec"]["template"]["spec"]["containers"]]
    assert [r["requests"] == r["limits"] for r in left] == [True, True]
    assert sum(int(r["requests"][resource]) for r in left) == new
    assert all(isinstance(r["limits"][resource], written_as) for r in left)
