"""The short version of `make fuzz`: some hundred mutated inputs of each kind with a fixed seed, before the whole bot."""

from __future__ import annotations

from tests.fuzz import run


async def test_nothing_that_is_mutated_breaks_the_bot() -> None:
    found = await run(200, 7)
    assert found.wrong == []
    assert found.tried == {"payload": 120, "webhook": 30, "text": 48, "manifest": 2}
    assert found.statuses["payload 200"] > 40, "most are taken, and answered or passed over"
    assert found.statuses["webhook 200"] > 12
