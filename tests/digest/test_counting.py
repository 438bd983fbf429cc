"""What a digest says is counted: no pod waits longer than it was observed, nothing counts twice, nothing of other channels."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.digest import refused_offerings
from bot.digest.counting import Figures, OfCause, Week, figures, waited
from bot.digest.words import digest_message
from bot.packaged import load_playbooks
from bot.playground.slack import check_message
from bot.store.outcomes import Outcome
from bot.store.waits import GONE, NODE, Asked, Wait

UNTIL = datetime(2026, 3, 9, 9, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=7)
EFA, TAINT = "efa-count-exceeds-instance", "taint-not-tolerated"
PLAYBOOKS = load_playbooks()


def at(hours: float) -> datetime:
    """So many hours after the week began."""
    return SINCE + timedelta(hours=hours)


def asked(owner: str, cause: str, hours: float = 1) -> Asked:
    return Asked(at=at(hours), channel="C1", cluster="prod", namespace="ml", owner=owner, cause=cause)


def wait(pod: str, begun: float, ended: float, *, how: str = NODE, gpus: int = 8, owner: str = "train") -> Wait:
    until = None if how == "" else at(ended)
    place = {"cluster": "prod", "namespace": "ml", "owner": owner, "pod": pod, "cause": EFA}
    return Wait(since=at(begun), gpus=gpus, seen_at=at(ended), until=until, ended=how, **place)


def outcome(event: str, cause: str = EFA, reason: str = "") -> Outcome:
    about = {"actor": "U1", "channel": "C1", "cluster": "prod", "summary": "Ask for 1", "reason": reason}
    return Outcome(at=at(5), event=event, cause=cause, **about)


def week(*answers: Asked, waits: tuple[Wait, ...] = (), outcomes: tuple[Outcome, ...] = ()) -> Week:
    return Week(since=SINCE, until=UNTIL, counted_from=SINCE, asked=answers, waits=waits, outcomes=outcomes)


def test_a_week_adds_up_to_the_hour() -> None:
    found = figures(
        week(
            asked("train", TAINT),
            asked("train", EFA, 2),
            asked("eval", TAINT, 3),
            waits=(
                wait("train-0", -5, 3),  # three of its eight hours lie in the week
                wait("train-1", 1, 2, how=GONE),
                wait("train-2", 100, 166, how="", gpus=0),
                wait("eval-0", 3, 4, owner="eval", gpus=1),
                wait("other-0", 1, 50, owner="other"),  # nobody asked about it here
                wait("train-9", -9, -1),  # over before the week
            ),
            outcomes=(outcome("apply"), outcome("verify"), outcome("apply"), outcome("reject", reason="no budget")),
        )
    )
    assert (found.answers, found.workloads, found.pods) == (3, 2, 4)
    assert (found.placed, found.gone, found.waiting) == (2, 1, 1)
    assert found.seconds == (3 + 1 + 66 + 1) * 3600
    assert found.gpu_hours == 8 * 3 + 8 * 1 + 1 * 1
    assert found.longest == ("ml/train-2", 66 * 3600.0)
    assert found.causes == (
        OfCause(cause=EFA, workloads=1, pods=3, seconds=70 * 3600),
        OfCause(cause=TAINT, workloads=1, pods=1, seconds=3600),
    )
    assert [(one.cause, one.applied, one.verified) for one in found.helped] == [(EFA, 2, 1)]
    assert [(one.summary, one.reason) for one in found.refused] == [("Ask for 1", "no budget")]


hours = st.floats(-200, 400, allow_nan=False)


@given(st.lists(st.tuples(hours, hours, st.sampled_from([NODE, GONE, ""]), st.integers(0, 8)), max_size=8))
def test_no_wait_is_longer_than_it_was_observed_nor_than_the_week(spans: list[tuple[float, float, str, int]]) -> None:
    waits = tuple(
        wait(f"train-{i}", min(a, b), max(a, b), how=how, gpus=gpus) for i, (a, b, how, gpus) in enumerate(spans)
    )
    found = figures(week(asked("train", EFA), waits=waits))
    assert 0 <= found.seconds <= len(waits) * 7 * 86_400
    assert all(waited(one, SINCE, UNTIL) <= (one.seen_at - one.since).total_seconds() + 1e-6 for one in waits)
    assert found.pods == found.placed + found.gone + found.waiting
    assert found.gpu_hours <= max((w.gpus for w in waits), default=0) * found.seconds / 3600 + 1e-9
    halves = [waited(w, SINCE, at(50)) + waited(w, at(50), UNTIL) - waited(w, SINCE, UNTIL) for w in waits]
    assert all(abs(half) < 1e-3 for half in halves), "two parts of a week make the week"


def test_it_is_said_in_both_languages_within_slacks_limits() -> None:
    whole = Figures(
        since=SINCE,
        until=UNTIL,
        counted_from=at(24),
        answers=3,
        workloads=2,
        causes=(OfCause(cause=EFA, workloads=1, pods=3, seconds=252_000),),
        pods=4,
        placed=2,
        gone=1,
        waiting=1,
        seconds=255_600,
        gpu_hours=1_233.0,
        longest=("ml/train-2", 237_600),
        by_ec2=(("p5.48xlarge spot ap-northeast-2a", 2),),
        expired=1,
    )
    english, korean = (digest_message(whole, PLAYBOOKS, language) for language in ("en", "ko"))
    assert "*" not in english.text
    assert "waited 2 d 23 h in all: 2 got a node, 1 was deleted while waiting, 1 had not got one" in english.text
    assert "1,233.0 GPU-hours" in english.text
    assert "Counting began 2026-03-03 09:00 UTC" in english.text
    assert "2일 23시간 기다렸다" in korean.text
    assert "2026.03.03 09:00 UTC" in korean.text
    for message in (english, korean, digest_message(figures(week()), PLAYBOOKS, "en")):
        assert check_message(list(message.blocks)) is None


def test_offerings_that_ec2_refused_are_read_from_karpenters_own_lines() -> None:
    line = (
        '{"level":"DEBUG","time":"2026-03-03T09:00:00.000Z","logger":"controller","message":"removing offering from'
        ' offerings","reason":"InsufficientInstanceCapacity","instance-type":"p5.48xlarge","zone":"ap-northeast-2a",'
        '"capacity-type":"spot","ttl":"3m0s"}'
    )
    assert list(refused_offerings(line)) == ["p5.48xlarge spot ap-northeast-2a"]
    assert list(refused_offerings("lunch at twelve")) == []
