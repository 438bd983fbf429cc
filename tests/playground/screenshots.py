"""Pictures of the main answers in both languages, taken in a real Chromium: `python -m tests.playground.screenshots [DIR]`.

They are for people to look at, and stand in docs/pictures; what they say is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Page

from bot import packaged
from bot.playground import clusters
from bot.playground.slack import scene
from bot.playground.stage import Setting, Stage
from bot.playground.web import served
from tests.playground.browsing import running_chromium

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
SHOWN: Final = {
    "seed-efa-8-on-g6e-8xlarge": "efa",
    "gpu-16-on-p4d": "gpu",
    "zone-without-type": "zone",
    "spot-just-refused": "capacity",
    "nodepool-limit": "limit",
    "taint-not-tolerated": "taint",
}
"""Recording -> the picture's name."""
PEOPLE: Final = {scene.ANNA: "en", scene.MIN: "ko"}
COLOURS: Final = 48
"""Enough for text on white; a picture is some 40 kB then."""


async def taken(page: Page, stage: Stage) -> bytes:
    """Asks about the recording that is on, in a window of somebody's, and takes the answer's picture."""
    before = await page.get_by_role("article").count()
    await page.get_by_label("Message", exact=True).fill(f"/karpenter why {stage.recording.question}")
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article").nth(before)
    await answer.locator(".block-actions button").first.wait_for(timeout=60_000)  # the progress message has none
    await page.mouse.move(0, 0)
    return small(await answer.screenshot())


def small(png: bytes) -> bytes:
    """The same picture in few colours."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()


async def main(folder: Path) -> None:
    """Takes them all into a folder that is there."""
    everything = {one.name: one for one in clusters.recordings(clusters.shipped())}
    setting = Setting(recordings=tuple(everything[name] for name in SHOWN), playbooks=packaged.load_playbooks())
    async with Stage(setting) as stage, served(stage) as address, running_chromium() as browser:
        for recording, name in SHOWN.items():
            if stage.now_on != recording:
                await stage.show(recording)
            for user, language in PEOPLE.items():
                context = await browser.new_context(
                    viewport={"width": 1060, "height": 1400}, color_scheme="light", reduced_motion="reduce"
                )
                page = await context.new_page()
                await page.add_init_script(f"localStorage.setItem('user', '{user}')")
                await page.goto(address)
                await page.wait_for_selector("body[data-ready=true]", timeout=60_000)
                (folder / f"{name}.{language}.png").write_bytes(await taken(page, stage))
                await context.close()
            for message in stage.slack.workspace.messages:
                message.deleted = True


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    where.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(where))
