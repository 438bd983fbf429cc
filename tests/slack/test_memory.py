"""Memories that forget: nothing is kept for ever, nothing that matters is forgotten too soon."""

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.memory import LONGEST, SEEN_FOR, Allowance, Memory, Seen


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_delivery_is_remembered_as_long_as_slack_may_repeat_it() -> None:
    clock = Hand()
    seen = Seen(clock=clock)
    assert not seen.again("Ev1")
    clock.now += max(600.0, SEEN_FOR) - 1  # the third retry comes after 6 minutes, a replay within 5
    assert seen.again("Ev1")
    assert not seen.again("C1", "Ev1")
    clock.now += 1
    assert not seen.again("Ev1")


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 100), st.floats(0.1, 1_000)), max_size=60))
def test_a_memory_never_holds_more_than_it_may_nor_what_is_due(puts: list[tuple[int, float, float]]) -> None:
    clock = Hand()
    memory: Memory[int] = Memory(clock=clock, most=5)
    due: dict[int, float] = {}
    for key, passed, seconds in puts:
        clock.now += passed
        memory.put(str(key), key, seconds=seconds)
        due[key] = clock.now + seconds
        assert memory.get(str(key)) == key
        assert len(memory) <= 5
        for other, at in due.items():
            assert memory.get(str(other)) in ((None, other) if at > clock.now else (None,))


def test_a_key_that_slack_never_gave_out_takes_no_more_room_than_one_that_it_did() -> None:
    memory: Memory[str] = Memory(clock=Hand())
    long = ["U" * 100_000 + end for end in ("1", "2", "\ud800")]
    for key in long:
        memory.put(key, key[-1], seconds=60)
    assert [memory.get(key) for key in long] == ["1", "2", "\ud800"]
    assert sum(map(len, memory._kept)) < 3 * LONGEST


@given(st.lists(st.floats(0, 20), min_size=1, max_size=80))
def test_nobody_asks_more_often_than_allowed(pauses: list[float]) -> None:
    """In any stretch of time: at most five, and one more for every six seconds of it."""
    clock = Hand()
    allowance = Allowance(clock=clock, at_once=5, every=6.0)
    taken: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = allowance.wait("anna")
        if not wait:
            taken.append(clock.now)
        elif wait < 6.0:
            clock.now += wait + 1e-6
            assert not allowance.wait("anna")
            taken.append(clock.now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= 5 + (taken[last] - start) / 6.0 + 1e-3
    assert not allowance.wait("min")
