"""Spot prices over a day: what held when, and what is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.diagnosis.spot_history import DAY, spot_days
from tests.market.worlds import spot

NOW = datetime(2025, 12, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_price_before_the_day_holds_at_its_beginning() -> None:
    rows = [
        spot("p5.48xlarge", "a", "9.0", NOW - 60 * HOUR),
        spot("p5.48xlarge", "a", "30.0", NOW - 30 * HOUR),
        spot("p5.48xlarge", "a", "33.0", NOW - 5 * HOUR),
        spot("p5.48xlarge", "a", "31.0", NOW - HOUR),
    ]
    [(key, day)] = spot_days(reversed(rows), NOW).items()
    assert key == ("p5.48xlarge", "ap-northeast-2a")
    assert (day.low, day.high, day.now, day.as_of, day.known_since) == (30.0, 33.0, 31.0, NOW - HOUR, NOW - DAY)
    assert [day.at(NOW - hours * HOUR) for hours in (24, 6, 5, 2, 0)] == [30.0, 30.0, 33.0, 33.0, 31.0]
    assert day.at(NOW - 25 * HOUR) is None


def test_what_is_known_only_since_an_hour_says_so() -> None:
    day = spot_days([spot("p5.48xlarge", "a", "31.0", NOW - HOUR)], NOW)["p5.48xlarge", "ap-northeast-2a"]
    assert (day.known_since, day.at(NOW - 2 * HOUR)) == (NOW - HOUR, None)


def test_rows_that_are_no_linux_price_are_passed_over() -> None:
    rows = [
        spot("p5.48xlarge", "a", "31.0", NOW, "Windows"),
        spot("p5.48xlarge", "a", "n/a", NOW),
        spot("p5.48xlarge", "a", "nan", NOW),
        spot("p5.48xlarge", "b", "29.0", NOW + HOUR),  # this machine's clock is behind
    ]
    [(key, day)] = spot_days(rows, NOW).items()
    assert (key[1], day.now) == ("ap-northeast-2b", 29.0)


@given(st.lists(st.tuples(st.integers(0, 72 * 60), st.floats(0.01, 100)), min_size=1, max_size=12))
def test_the_range_holds_every_moment_of_the_day(changes: list[tuple[int, float]]) -> None:
    rows = [spot("m5.large", "a", str(price), NOW - timedelta(minutes=ago)) for ago, price in changes]
    day = spot_days(rows, NOW)["m5.large", "ap-northeast-2a"]
    held = [day.at(NOW - timedelta(minutes=15 * step)) for step in range(97)]
    assert all(day.low <= price <= day.high for price in held if price is not None)
    assert held[0] == day.now
    assert day.known_since >= NOW - DAY
