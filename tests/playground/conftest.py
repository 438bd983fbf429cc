"""One stage and one browser for all stories: each clears the channel and brings its own window."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot import packaged
from bot.playground import clusters
from bot.playground.slack import scene
from bot.playground.stage import Setting, Stage
from bot.playground.web import served
from tests.playground.browsing import REQUIRED, BrowserMissingError, running_chromium

# how long a busy machine may take; nothing waits longer than it must
expect.set_options(timeout=30_000)


@dataclass(frozen=True)
class Playground:
    """The stage, its address, and windows on it."""

    stage: Stage
    address: str
    browser: Browser
    life: AsyncExitStack

    async def window(self, user: str = scene.ANNA, **options: object) -> Page:
        """A new window as this person sees it, the page ready to use."""
        context = await self.life.enter_async_context(await self.browser.new_context(**options))  # type: ignore[arg-type]
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        self.life.callback(lambda: _nothing(wrong))
        await page.add_init_script(f"localStorage.setItem('user', '{user}')")
        await page.goto(self.address)
        await page.wait_for_selector("body[data-ready=true]", timeout=60_000)
        return page


def _nothing(wrong: list[str]) -> None:
    assert not wrong, wrong


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    setting = Setting(recordings=clusters.recordings(clusters.shipped()), playbooks=packaged.load_playbooks())
    async with Stage(setting) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    try:
        async with running_chromium() as started:
            yield started
    except BrowserMissingError as missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set: {missing}", pytrace=False)
        pytest.skip(f"NOT RUN: {missing}")


@pytest_asyncio.fixture(loop_scope="module")
async def playground(stage: Stage, browser: Browser) -> AsyncIterator[Playground]:
    for message in stage.slack.workspace.messages:
        message.deleted = True
    async with served(stage) as address, AsyncExitStack() as life:
        yield Playground(stage, address, browser, life)
    assert not stage.slack.violations
