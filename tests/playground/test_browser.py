"""The playground in a real Chromium: asked, answered, looked into, by mouse, by keyboard and by screen reader."""

import io
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, Page, expect

from bot.playground import clusters
from bot.playground.slack import Message, check_message, check_view, scene
from bot.playground.slack.limits import BLOCKS, SURFACES
from bot.playground.slack.views import open_view
from bot.playground.stage import Setting, Stage
from bot.playground.web import served
from bot.reloading import FollowedPlaybooks
from tests.playground.conftest import Playground
from tests.playground.gallery import MESSAGES, MODAL
from tests.playground.screenshots import taken

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEED = "g6e.8xlarge has 1 EFA interface, you asked for 8."


def post(playground: Playground, blocks: list[dict[str, Any]], text: str = "gallery") -> Message:
    """The bot posts blocks, without a bot to do it."""
    workspace = playground.stage.slack.workspace
    with_ids = [{"block_id": f"b{index}", **block} for index, block in enumerate(blocks)]
    message = Message(
        channel=scene.OPS,
        ts=workspace.next_ts(playground.stage.slack.clock.now()),
        text=text,
        blocks=with_ids,
        user=workspace.bot_user,
        bot_id=workspace.bot_id,
    )
    return workspace.add_message(message)


async def ask(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def test_a_question_is_typed_answered_and_looked_into_with_the_keyboard_alone(playground: Playground) -> None:
    page = await playground.window()
    await page.get_by_role("button", name="/karpenter why").press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article").filter(has_text=SEED)
    await expect(answer).to_be_visible()
    evidence = answer.get_by_role("button", name="Show evidence")
    await evidence.focus()
    await page.keyboard.press("Enter")
    modal = page.get_by_role("dialog", name="Evidence")
    await expect(modal).to_contain_text("MaximumEfaInterfaces")
    assert await page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await expect(modal).to_have_count(0)
    await expect(evidence).to_be_focused()
    await expect(page.locator("#live")).to_contain_text(SEED)


async def test_two_people_see_their_own_language_and_their_own_whispers(playground: Playground) -> None:
    anna, minji = await playground.window(scene.ANNA), await playground.window(scene.MIN)
    await ask(minji, "/karpenter why nothing-like-this")
    whispers = minji.get_by_role("article").filter(has_text="Only visible to you")
    await expect(whispers.filter(has_text="nothing-like-this")).to_be_visible()
    await ask(minji, "/karpenter why default/llama-3-8b-node-0-1-z49j4")
    await expect(minji.get_by_role("article").filter(has_text="EFA 인터페이스 1개")).to_be_visible()
    await expect(anna.get_by_role("article").filter(has_text="EFA 인터페이스 1개")).to_be_visible()
    await expect(anna.get_by_text("nothing-like-this")).to_have_count(0)


async def test_a_mention_is_answered_in_its_thread(playground: Playground) -> None:
    page = await playground.window()
    await ask(page, "@karpenter-bot why default/llama-3-8b-node-0-1-z49j4")
    await page.get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text(SEED)).to_be_visible()
    await page.get_by_label("Reply", exact=True).fill("/karpenter help")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("no commands in threads")


async def show(page: Page, recording: str) -> None:
    await page.get_by_label("Cluster").select_option(recording)
    await page.wait_for_selector(f"body[data-ready=true][data-recording={recording}]", timeout=60_000)


async def test_another_cluster_is_a_choice_away(playground: Playground) -> None:
    page = await playground.window()
    await show(page, "gpu-16-on-p4d")
    await ask(page, "/karpenter why default/llama-3-70b-node-0-0-8fq2x")
    await expect(page.get_by_text("p4d.24xlarge has 8 GPUs, you asked for 16.", exact=True)).to_be_visible()
    await show(page, "seed-efa-8-on-g6e-8xlarge")


async def test_what_others_write_is_never_markup(playground: Playground) -> None:
    page = await playground.window()
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script> javascript:alert(3)"
    await playground.stage.slack.bot_message(
        {
            "username": hostile,
            "subtype": "bot_message",
            "attachments": [{"title": hostile, "title_link": "javascript:alert(4)", "text": hostile}],
        },
        channel=scene.OPS,
    )
    post(
        playground,
        [{"type": "section", "text": {"type": "mrkdwn", "text": "<javascript:alert(5)|click> &lt;!channel&gt;"}}],
    )
    await expect(page.get_by_text("<!channel>")).to_be_visible()
    assert await page.locator(".stream img, .stream script, .stream a[href^=javascript]").count() == 0


async def test_every_block_of_slack_is_drawn(playground: Playground) -> None:
    shown = {block["type"] for blocks in MESSAGES for block in blocks}
    assert shown == SURFACES["message"] - {"input"}, "the gallery has every block that a message may hold"
    assert shown | {"input", "alert"} == set(BLOCKS)
    page = await playground.window()
    for blocks in MESSAGES:
        assert check_message(blocks) is None
        post(playground, blocks)
    await expect(page.get_by_text("Film", exact=True)).to_be_visible()
    assert await page.locator(".unknown").count() == 0
    for kind in shown:
        assert await page.locator(f".block-{kind}").count() >= 1, kind


async def test_a_chart_and_a_table_say_their_figures_in_words_too(playground: Playground) -> None:
    page = await playground.window()
    post(playground, MESSAGES[2])
    await page.get_by_text("Figures").first.click()
    await expect(page.get_by_role("cell", name="5,214")).to_be_visible()
    table = page.get_by_role("table", name="Offerings")
    price = table.get_by_role("button", name="Price")
    await price.click()
    assert await table.get_by_role("rowheader").all_inner_texts() == ["g5.xlarge", "g6e.8xlarge", "p5.48xlarge"]
    await table.get_by_role("button", name="Price").click()
    assert await table.get_by_role("rowheader").all_inner_texts() == ["p5.48xlarge", "g6e.8xlarge", "g5.xlarge"]


async def test_a_dangerous_button_asks_first_and_tells_the_bot_once(playground: Playground) -> None:
    page, slack = await playground.window(), playground.stage.slack
    post(playground, MESSAGES[1])
    before = len(slack.deliveries)
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Keep").click()
    assert len(slack.deliveries) == before
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Apply").click()
    await slack.wait_for(lambda s: len(s.deliveries) > before)
    (sent,) = slack.deliveries[before:]
    assert sent.payload["actions"][0]["action_id"] == "dangerous"
    await page.get_by_role("button", name="More actions").press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await slack.wait_for(lambda s: len(s.deliveries) > before + 1)
    assert slack.deliveries[-1].payload["actions"][0]["selected_option"]["value"] == "option-2"


async def test_a_modal_is_filled_in_and_its_errors_are_shown(playground: Playground) -> None:
    assert check_view(MODAL) is None
    page, slack = await playground.window(), playground.stage.slack
    workspace = slack.workspace
    with_ids = {**MODAL, "blocks": [{"block_id": f"m{n}", **block} for n, block in enumerate(MODAL["blocks"])]}
    trigger = slack.issue_trigger(scene.ANNA)
    open_view(slack, workspace, {"trigger_id": trigger, "view": with_ids})
    modal = page.get_by_role("dialog", name="Inputs")
    await modal.get_by_label("words").fill("limit 12")
    await modal.get_by_role("combobox", name="select (optional)").select_option("option-2")
    await modal.get_by_role("group", name="boxes").get_by_label("Option 3").check()
    (view,) = workspace.modals(scene.ANNA)
    view.errors = {"m1": "too many"}
    await expect(modal.get_by_role("alert")).to_have_text("too many")
    await expect(modal.get_by_label("words")).to_have_value("limit 12")
    before = len(slack.deliveries)
    await modal.get_by_role("button", name="Save").click()
    await expect(modal).to_have_count(0)
    values = slack.deliveries[before].payload["view"]["state"]["values"]
    assert values["m1"]["words"]["value"] == "limit 12"
    assert values["m8"]["select"]["selected_option"]["value"] == "option-2"
    assert [o["value"] for o in values["m15"]["boxes"]["selected_options"]] == ["option-3"]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_that_keeps_anybody_out(playground: Playground, theme: str) -> None:
    """axe-core's rules of WCAG 2.2, level AA: names, contrast, roles, labels, in both themes."""
    page = await playground.window(color_scheme=theme, bypass_csp=True)
    for blocks in MESSAGES:
        post(playground, blocks)
    await expect(page.get_by_text("Film", exact=True)).to_be_visible()
    found = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()


async def test_approve_is_pressed_and_the_thread_follows_the_change(playground: Playground) -> None:
    page = await playground.window()
    await show(page, "taint-not-tolerated")
    await expect(page.get_by_role("note")).to_contain_text("simulated")
    await ask(page, "/karpenter why default/gemma-3-12b-node-0-0-m2vxk")
    answer = page.get_by_role("article").filter(has_text="What would open a node")
    await answer.get_by_role("button", name="Propose fix 1").click()
    modal = page.get_by_role("dialog", name="Propose a change")
    await expect(modal).to_contain_text("dedicated")
    await modal.get_by_role("button", name="Ask for approval").click()
    await answer.get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await thread.get_by_role("button", name="Approve").click()
    await page.get_by_role("dialog").get_by_role("button", name="Apply it").click()
    await expect(thread.get_by_text("Done, the pod runs")).to_be_visible(timeout=60_000)
    await expect(thread.get_by_text("simulated").first).to_be_visible()
    await expect(thread.get_by_text("Node ready after")).to_be_visible()
    await show(page, "seed-efa-8-on-g6e-8xlarge")


async def test_a_page_of_ones_own_is_seen_as_soon_as_it_is_saved(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    recordings = clusters.recordings(clusters.shipped() / "gpu-16-on-p4d")
    setting = Setting(recordings=recordings, playbooks=FollowedPlaybooks([str(tmp_path)]))
    async with Stage(setting) as stage, served(stage) as address:
        page = await browser.new_page()
        await page.goto(address)
        await page.wait_for_selector("body[data-ready=true]", timeout=60_000)
        await page.get_by_role("button", name="Playbook preview").click()
        preview = page.get_by_label("Messages")
        await expect(preview).to_contain_text("p4d.24xlarge has 8 GPUs, you asked for 16.")
        cause = "gpu-count-exceeds-instance"
        front = f"---\nid: {cause}\ntitle: Mine\nfor: [{cause}]\n---\n"
        own = folder / f"{cause}.md.j2"
        own.write_text(f"{front}{{% block headline %}}*Ask Minji.*{{% endblock %}}\n")
        await expect(preview).to_contain_text("Ask Minji.")
        own.write_text(f"{front}{{% block headline %}}*{{{{ facts.nonsense }}}}*{{% endblock %}}\n")
        await expect(preview.get_by_role("alert")).to_contain_text("facts.nonsense")
        await expect(preview).to_contain_text("Ask Minji.")
        await page.get_by_label("Language").select_option("ko")
        await expect(preview).to_contain_text("p4d.24xlarge에는 GPU")
        await page.close()


async def test_an_answers_picture_shows_all_of_it(playground: Playground) -> None:
    page = await playground.window(viewport={"width": 1060, "height": 1400})
    with Image.open(io.BytesIO(await taken(page, playground.stage))) as picture:
        assert picture.width > 700
        assert picture.height > 500, "headline, reasons, remedies and buttons"
