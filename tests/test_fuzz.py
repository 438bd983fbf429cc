"""The short version of `make fuzz`: some hundred mutated inputs of each kind with a fixed seed, before the whole bot."""

from __future__ import annotations

from tests.fuzz import run


async def test_nothing_that_is_mutated_breaks_the_bot() -> None:
    found = await run(500, 7)
    assert found.wrong == []
    assert found.tried == {"payload": 300, "webhook": 75, "text": 120, "manifest": 5}
    assert found.statuses["payload 200"] > 100, "most are taken, and answered or passed over"
    assert found.statuses["webhook 200"] > 30
