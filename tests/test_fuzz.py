"""The short version of `make fuzz`: a few hundred mutated payloads, texts and manifests with a fixed seed."""

from __future__ import annotations

from tests.fuzz import run


async def test_nothing_that_is_mutated_breaks_the_bot() -> None:
    found = await run(600, 7, manifests=6)
    assert found.wrong == []
    assert found.tried == {"payload": 480, "text": 114, "manifest": 6}
    assert found.statuses[200] > 100, "most are taken, and answered or passed over"
