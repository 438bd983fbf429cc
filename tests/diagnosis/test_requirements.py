"""The algebra of requirements: its laws, and where Karpenter's own rule differs from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.diagnosis.requirements import Requirement, Requirements, integer

VALUES = ("a", "b", "c", "0", "1", "5", "10", "-3", "007", "1.5", "", "9" * 25)
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte")
_values = st.lists(st.sampled_from(VALUES), max_size=4)
_numbers = st.sampled_from(("0", "1", "4", "10", "9223372036854775807", "x", "")).map(lambda n: [n])


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    """Any operator, with values as a hostile manifest might have them; many are meetings of two."""
    made = [_one(draw), _one(draw)]
    return made[0] & made[1] if draw(st.booleans()) else made[0]


def _one(draw: st.DrawFn) -> Requirement:
    operator = draw(st.sampled_from(OPERATORS))
    values = draw(_numbers if operator[0] in "GL" else _values)
    return Requirement.of("k", operator, values, draw(st.sampled_from((None, 1, 3))))


@given(requirements(), requirements())
def test_meeting_is_commutative(a: Requirement, b: Requirement) -> None:
    assert a & b == b & a


@given(requirements(), requirements(), requirements())
def test_meeting_is_associative(a: Requirement, b: Requirement, c: Requirement) -> None:
    assert (a & b) & c == a & (b & c)


@given(requirements())
def test_meeting_is_idempotent(a: Requirement) -> None:
    assert a & a == a


@given(requirements(), requirements(), st.sampled_from(VALUES))
def test_a_value_is_in_the_meeting_when_it_is_in_both(a: Requirement, b: Requirement, value: str) -> None:
    assert (value in a & b) == (value in a and value in b)


@given(requirements())
def test_empty_means_no_value_at_all(a: Requirement) -> None:
    found = [value for value in (*VALUES, *a.values, *map(str, range(-5, 15)), "~") if value in a]
    assert not (a.is_empty and found)
    if not a.complement:
        assert a.is_empty != bool(found)


@given(requirements(), requirements())
def test_everything_meets_exists(a: Requirement, b: Requirement) -> None:
    everything = Requirement.of("k", "Exists")
    assert a & everything == a
    nothing = Requirement.of("k", "DoesNotExist")
    assert (a & nothing).is_empty
    assert a.intersects(b) == b.intersects(a)
    assert a.conflicts_with(b) == b.conflicts_with(a)


@given(requirements(), requirements())
def test_karpenter_calls_two_absences_no_conflict(a: Requirement, b: Requirement) -> None:
    """requirements.go, Intersects: NotIn and DoesNotExist can both be met by a node without the label."""
    absent = {"NotIn", "DoesNotExist"}
    expected = not a.intersects(b) and not {a.operator, b.operator} <= absent
    assert a.conflicts_with(b) == expected


@given(st.lists(requirements(), max_size=5))
def test_requirements_meet_whatever_the_order(given_ones: list[Requirement]) -> None:
    together = Requirements(given_ones)
    assert dict(together) == dict(Requirements(reversed(given_ones)))
    assert dict(together & Requirements(given_ones)) == dict(together)


def test_old_label_names_are_new_ones() -> None:
    old = Requirements((Requirement.of("failure-domain.beta.kubernetes.io/zone", "In", ("z",)),))
    assert list(old) == ["topology.kubernetes.io/zone"]


def test_undefined_is_told_apart_from_clashing() -> None:
    node = Requirements.from_labels({"team": "ml"})
    pod = Requirements.from_labels({"team": "web", "tier": "gold"})
    assert [c.key for c in node.clashes(pod)] == ["team"]
    assert [c.key for c in node.undefined(pod)] == ["tier"]
    assert not node.undefined(pod, allowed=frozenset({"tier"}))
    assert not node.undefined(Requirements((Requirement.of("tier", "NotIn", ("gold",)),)))


@given(st.text(alphabet="+-0123456789 ٣x.", max_size=21))
def test_integers_are_gos(text: str) -> None:
    """strconv.Atoi: optional sign, ASCII digits, 64 bits."""
    body = text[1:] if text[:1] in ("+", "-") else text
    plain = body.isascii() and body.isdecimal()
    expected = int(text) if plain and -(2**63) <= int(text) < 2**63 and len(body) <= 19 else None
    assert integer(text) == expected
