"""A real Chromium for tests, and what a test does where there is none: it is not run, and that is said loudly."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

REQUIRED: Final = "TESTS_REQUIRE_BROWSER"
HOW_TO_GET: Final = "no Chromium found; `apt-get install chromium`, or set CHROMIUM to its program"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")


class BrowserMissingError(Exception):
    """There is no browser here; the message says how to get one."""


def chromium() -> str:
    """The browser's program. Raises BrowserMissingError."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        raise BrowserMissingError(HOW_TO_GET)
    return found


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """A headless Chromium that asks nobody on the network. Raises BrowserMissingError."""
    program = chromium()
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=quiet)
        try:
            yield started
        finally:
            await started.close()
