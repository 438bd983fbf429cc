"""The life of a proposal and who may move it, held against the table in ARCHITECTURE.md."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.objects import ObjectRef
from bot.model.proposals import ApprovalRule, Person, State
from bot.remediation.approvals import (
    APPROVAL_LASTS,
    LEFT,
    TRANSITIONS,
    UNDER_WAY,
    WAITING,
    Event,
    No,
    NotPossibleError,
    decide_approval,
    decide_rejection,
    diagram,
    is_expired,
    may_undo,
    rule_for,
    step,
)
from tests.remediation.proposals import ANNA, GROUP, MIN, NOW, STRANGER, TARGET, proposal

RULE = ApprovalRule(users=(ANNA,), groups=(GROUP,))


def test_the_diagram_in_the_architecture_is_the_table() -> None:
    page = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text("utf-8")
    assert f"```mermaid\n{diagram()}\n```" in page, f"put this into ARCHITECTURE.md:\n{diagram()}"


def test_every_state_has_its_row_and_nothing_follows_an_end() -> None:
    assert set(TRANSITIONS) == set(State)
    ends = {state for state, events in TRANSITIONS.items() if not events}
    assert ends == {State.REJECTED, State.EXPIRED, State.SUPERSEDED, State.UNDONE}
    assert set(TRANSITIONS[State.FAILED]) == {Event.UNDO}, "what was deleted and not made anew is put back"
    assert not (ends | {State.FAILED}) & (WAITING | UNDER_WAY | LEFT)


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_nothing_is_applied_without_approval_and_nothing_twice(events: list[Event]) -> None:
    state, seen = State.PROPOSED, [State.PROPOSED]
    for event in events:
        try:
            state = step(state, event)
        except NotPossibleError:
            continue
        seen.append(state)
    assert seen.count(State.APPLYING) <= 1
    if State.APPLIED in seen:
        assert seen.index(State.APPROVED) < seen.index(State.APPLYING) < seen.index(State.APPLIED)


def test_a_user_and_a_member_of_a_group_may_and_a_stranger_may_not() -> None:
    assert decide_approval(proposal(), RULE, Person(user=ANNA), NOW) is Event.APPROVE
    assert decide_approval(proposal(), RULE, Person(user="U9", groups=frozenset({GROUP})), NOW) is Event.APPROVE
    no = decide_approval(proposal(), RULE, Person(user=STRANGER), NOW)
    assert isinstance(no, No)
    assert (no.code, no.facts) == ("approvals.not-you", {"users": (ANNA,), "groups": (GROUP,)})


@pytest.mark.parametrize(
    ("rule", "person", "code"),
    [
        (None, Person(user=ANNA), "approvals.nobody"),
        (RULE, Person(user=ANNA, standing="deactivated"), "approvals.standing"),
        (RULE, Person(user=STRANGER, unread="usergroups.users.list: ratelimited"), "approvals.unreadable"),
        (ApprovalRule(), Person(user=ANNA), "approvals.not-you"),
    ],
)
def test_what_is_not_certain_is_a_no(rule: ApprovalRule | None, person: Person, code: str) -> None:
    for decide in (decide_approval, decide_rejection):
        no = decide(proposal(), rule, person, NOW)
        assert isinstance(no, No)
        assert no.code == code


def test_four_eyes() -> None:
    rule = replace(RULE, users=(ANNA, MIN), four_eyes=True)
    own = decide_approval(proposal(), rule, Person(user=MIN), NOW)
    assert isinstance(own, No)
    assert own.code == "approvals.four-eyes"
    assert decide_approval(proposal(), rule, Person(user=ANNA), NOW) is Event.APPROVE


def test_a_disruptive_change_is_confirmed_a_second_time_where_that_is_asked() -> None:
    rule = replace(RULE, confirm_twice=True)
    assert decide_approval(proposal(), rule, Person(user=ANNA), NOW) is Event.ASSENT
    confirming = proposal(state=State.CONFIRMING, approvers=(ANNA,))
    assert decide_approval(confirming, rule, Person(user=ANNA), NOW) is Event.APPROVE
    again = decide_approval(confirming, replace(rule, four_eyes=True), Person(user=ANNA), NOW)
    assert isinstance(again, No)
    assert again.code == "approvals.another-person"
    assert decide_approval(proposal(facts={"cautions": []}), rule, Person(user=ANNA), NOW) is Event.APPROVE


def test_time_runs_out_for_deciding_and_for_carrying_out() -> None:
    late = NOW + timedelta(minutes=30)
    no = decide_approval(proposal(), RULE, Person(user=ANNA), late)
    assert isinstance(no, No)
    assert no.code == "approvals.expired"
    approved = proposal(state=State.APPROVED, approved_at=NOW)
    assert not is_expired(approved, NOW + APPROVAL_LASTS - timedelta(seconds=1))
    assert is_expired(approved, NOW + APPROVAL_LASTS)
    assert not is_expired(proposal(state=State.VERIFIED), NOW + timedelta(days=9))


@pytest.mark.parametrize("state", [state for state in State if state not in WAITING])
def test_a_decided_proposal_takes_no_click(state: State) -> None:
    for decide in (decide_approval, decide_rejection):
        no = decide(proposal(state=state), RULE, Person(user=ANNA), NOW)
        assert isinstance(no, No)
        assert no.code == "approvals.not-now"
    assert (may_undo(proposal(state=state), RULE, Person(user=ANNA)) is None) == (state in LEFT)


def test_who_asked_may_withdraw() -> None:
    assert decide_rejection(proposal(), RULE, Person(user=MIN), NOW) is Event.REJECT


def test_the_first_rule_that_fits_decides() -> None:
    pools = ApprovalRule(users=("U1",), kinds=("NodePool",))
    team = ApprovalRule(users=("U2",), clusters=("prod*",), namespaces=("ml", "ml-*"))
    rest = ApprovalRule(users=("U3",), clusters=("dev",))
    rules = (pools, team, rest)
    pool = ObjectRef(api_version="karpenter.sh/v1", kind="NodePool", name="gpu")
    assert rule_for(rules, "prod-eu", TARGET) is team
    assert rule_for(rules, "prod-eu", pool) is pools
    assert rule_for((team, rest), "prod-eu", pool) is None, "a namespace's rule never reaches what all share"
    assert rule_for(rules, "dev", TARGET) is rest
    assert rule_for(rules, "staging", TARGET) is None
