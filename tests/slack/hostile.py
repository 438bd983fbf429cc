"""Diagnoses with anything at all in every field: what a cluster could hold, and what an attacker would put there."""

from datetime import UTC, datetime
from typing import Final, TypeVar

from hypothesis import strategies as st

from bot.model.diagnosis import (
    Cause,
    Change,
    Cheapest,
    Constraint,
    Diagnosis,
    Edit,
    Editor,
    Fact,
    Kind,
    Opens,
    Patch,
    PoolVerdict,
    Remedy,
    Statement,
    Verdict,
)
from bot.model.objects import ObjectRef
from bot.model.world import Missing
from bot.playbooks import CAUSES, REMEDIES
from tests.playbooks.samples import page_of

T = TypeVar("T")

ATTACKS: Final = (
    "<!channel>",
    "<!subteam^S1|@oncall>",
    "<@U123> @here @channel @everyone",
    "<https://evil.example|karpenter.sh>",
    "https://evil.example/?a=b&c=d",
    "&lt;!here&gt;",
    "`*_~`",
    "```",
    "*bold* {{ 7 * 7 }} {% raw %}",
    "\x1b]8;;https://evil.example\x07karpenter.sh\x1b]8;;\x07\x1b[2J",
    "a\nb\r\n> quoted\u2028c",
    "\u202eevil\u2066",
    "\ue000`forged`\ue001<https://evil.example>\ue002",
    "\ud800 lone",
    "&" * 9_000,
    "`" * 5_000,
    "\U0001f600" * 4_000,
    "노드" * 3_000,
    "",
    " ",
)
TEXTS: Final = st.one_of(st.sampled_from(ATTACKS), st.text(alphabet=st.characters(), max_size=60))
NAMES: Final = st.tuples() | st.lists(TEXTS, min_size=1, max_size=7).map(tuple) | st.just(ATTACKS * 3)
REFS: Final = st.builds(ObjectRef, kind=TEXTS, namespace=TEXTS, name=TEXTS)
TIMES: Final = st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0)
)
PRICES: Final = st.none() | st.floats(min_value=0, max_value=1e9)
CONSTRAINTS: Final = st.builds(
    Constraint,
    id=TEXTS,
    kind=st.sampled_from(Kind),
    object=REFS,
    field=TEXTS,
    value=TEXTS,
    editor=st.sampled_from(Editor),
)
EDITS: Final = st.builds(
    Edit,
    constraint=CONSTRAINTS,
    change=st.sampled_from(Change),
    object=REFS,
    field=TEXTS,
    subject=TEXTS,
    old=TEXTS | st.none() | st.lists(TEXTS, max_size=3),
    new=TEXTS | st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
)
OPENS: Final = st.builds(
    Opens,
    offerings=st.integers(0, 10**6),
    instance_types=NAMES,
    zones=NAMES,
    cheapest=st.none()
    | st.builds(
        Cheapest,
        instance_type=TEXTS,
        zone=TEXTS,
        capacity_type=TEXTS,
        price_per_hour=PRICES,
        on_demand_price_per_hour=PRICES,
        as_of=TEXTS,
    ),
)
PATCHES: Final = st.none() | st.builds(
    Patch, target=REFS, patch_type=TEXTS, patch=st.none(), applicable=st.booleans(), why_not=TEXTS
)


def _like(example: Fact) -> st.SearchStrategy[Fact]:
    """Facts of the kind that the diagnosis promises: its numbers are numbers, its texts may be anything."""
    if isinstance(example, bool):
        return st.booleans()
    if isinstance(example, int):
        return st.integers(0, 10**9)
    return NAMES if isinstance(example, tuple) else TEXTS


@st.composite
def causes(draw: st.DrawFn) -> Cause:
    """A known cause with hostile facts, or an unknown one."""
    name = draw(st.sampled_from(sorted(CAUSES)) | TEXTS)
    examples = page_of(name, "en").examples if name in CAUSES else {}
    facts = {fact: draw(_like(example)) for fact, example in examples.items()}
    return Cause(
        id=name,
        constraints=tuple(draw(st.lists(CONSTRAINTS, max_size=3))),
        facts=facts,
        evidence=draw(NAMES),
        nodepools=draw(NAMES),
    )


@st.composite
def remedies(draw: st.DrawFn) -> Remedy:
    """A known remedy with hostile facts, a combined one, or an unknown one."""
    name = draw(st.sampled_from([*sorted(REMEDIES), "combined"]) | TEXTS)
    edits = tuple(draw(st.lists(EDITS, max_size=3)))
    facts = {fact: draw(_like(example)) for fact, example in REMEDIES.get(name, {}).items()}
    parts = tuple((draw(st.sampled_from(sorted(REMEDIES)) | TEXTS), {**facts}) for _ in edits)
    return Remedy(
        id=name,
        relaxes=(),
        edits=edits,
        opens=draw(OPENS),
        nodepool=draw(TEXTS),
        facts=facts,
        parts=parts,
        cautions=draw(NAMES),
        patch=draw(PATCHES),
    )


def diagnoses() -> st.SearchStrategy[Diagnosis]:
    """Whole answers, from empty to far too long."""
    pools = st.builds(
        PoolVerdict,
        name=TEXTS,
        blocked_by=st.lists(st.sampled_from(sorted(CAUSES)) | TEXTS, max_size=4).map(tuple),
        karpenter_message=TEXTS,
        offerings=st.integers(0, 10**6),
        intended=st.booleans(),
    )
    statements = st.builds(Statement, source=st.sampled_from(["log", "event"]) | TEXTS, time=TIMES, message=TEXTS)
    return st.builds(
        Diagnosis,
        pod=REFS,
        uid=TEXTS,
        verdict=st.sampled_from(Verdict),
        reason=TEXTS,
        cluster=TEXTS,
        karpenter_version=TEXTS,
        karpenter_says=_several(statements),
        causes=_several(causes()),
        nodepools=_several(pools),
        remedies=_several(remedies()),
        missing=_several(st.builds(Missing, what=TEXTS, why=TEXTS)),
        notes=NAMES,
    )


def _several(one: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    """None, a few, or one of them twelve times over."""
    return st.lists(one, max_size=3).map(tuple) | one.map(lambda only: (only,) * 12)
