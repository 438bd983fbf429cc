"""The fakes as tests take them; conftest imports the fixtures from here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.playground.slack import App, FakeSlack, Timing


def assert_no_violations(slack: FakeSlack) -> None:
    """Raise AssertionError naming every rule of Slack's that the bot broke and no test expected."""
    broken = [" ".join((violation.method, violation.error, *violation.messages)) for violation in slack.violations]
    if broken:
        raise AssertionError("Slack's rules were broken:\n" + "\n".join(broken))


@asynccontextmanager
async def running_slack(
    *, app: App | None = None, timing: Timing | None = None, echo: bool = False
) -> AsyncIterator[FakeSlack]:
    """A fake Slack for one test, which fails when the bot broke Slack's rules in it."""
    async with FakeSlack(app=app, timing=timing, echo=echo) as slack:
        yield slack
        assert_no_violations(slack)
