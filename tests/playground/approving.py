"""A question asked on stage, its first remedy proposed, posted and approved by Anna: whatever cluster stands behind."""

from __future__ import annotations

from bot.playground.slack import FakeSlack, Message, scene


async def said(slack: FakeSlack, words: str, *, in_thread: bool, timeout: float) -> Message:  # noqa: ASYNC109 (of a wait)
    """The newest message of the bot's that has the words, once there is one."""

    def found(seen: FakeSlack) -> list[Message]:
        mine = seen.workspace.by_bot(scene.OPS)
        return [m for m in mine if (m.thread_ts or not in_thread) and words in m.text and not m.deleted]

    return (await slack.wait_for(found, timeout=timeout))[-1]


async def approved(slack: FakeSlack, question: str, *, timeout: float = 60) -> Message:  # noqa: ASYNC109 (of each wait)
    """The proposal's message once the pod runs."""
    await slack.slash_command(f"why {question}", user=scene.ANNA)
    answer = await said(slack, "What would open", in_thread=False, timeout=timeout)
    await slack.click("propose", answer, user=scene.ANNA)
    (modal,) = await slack.wait_for(
        lambda s: [v for v in s.workspace.modals(scene.ANNA) if v.content.get("submit")], timeout=60
    )
    await slack.submit(modal, {})
    proposed = await said(slack, "Proposed", in_thread=True, timeout=timeout)
    await slack.click("approve", proposed, user=scene.ANNA)
    return await said(slack, "Done, the pod runs", in_thread=True, timeout=timeout)
