"""The playground's door: loopback only, this page only, and deeds that name what is wrong with them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from bot import packaged
from bot.playground import clusters
from bot.playground.slack import scene
from bot.playground.stage import Setting, Stage
from bot.playground.web import CannotPlay, served
from bot.sources.errors import SnapshotError
from tests.recorded import CASES

SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
EARLY, LATE = (datetime(year, 1, 1) for year in (1990, 2100))  # noqa: DTZ001 (hypothesis wants them so)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with Stage(Setting(recordings=clusters.recordings(SEED), playbooks=packaged.load_playbooks())) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def address(stage: Stage) -> AsyncIterator[str]:
    async with served(stage) as at:
        yield at


async def status(method: str, url: str, json: object = None, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers, json=json) as answer:
        return answer.status


async def told(address: str, **deed: object) -> dict[str, object]:
    headers = {"Origin": address.rstrip("/")}
    async with aiohttp.ClientSession() as session, session.post(f"{address}do", json=deed, headers=headers) as answer:
        found: dict[str, object] = await answer.json()
        return found


@pytest.mark.asyncio(loop_scope="module")
async def test_only_this_machines_names_and_only_the_page_itself(address: str) -> None:
    own, port = address.rstrip("/"), address.rsplit(":", 1)[1].rstrip("/")
    deed = {"do": "clear", "user": scene.ANNA}
    assert await status("GET", address) == 200
    assert await status("GET", address, Host=f"localhost:{port}") == 200
    assert await status("GET", address, Host=f"evil.example:{port}") == 403, "a name rebound to loopback"
    assert await status("GET", address, Host="127.0.0.1") == 403
    assert await status("POST", f"{address}do", deed) == 403, "no origin"
    assert await status("POST", f"{address}do", deed, Origin="https://evil.example") == 403
    assert await status("POST", f"{address}do", deed, Origin="null") == 403
    assert await status("POST", f"{address}do", deed, Origin=own) == 200
    assert await status("GET", f"{address}live?user={scene.ANNA}", Origin="https://evil.example") == 403
    assert await status("GET", f"{address}live?user={scene.ANNA}") == 403, "a socket of some other program"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}do", data="{}", headers={"Origin": own, "Content-Type": "text/plain"}) as answer,
    ):
        assert answer.status == 415, "what a form of another site could send"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "path", ["page/../web.py", "page/..%2fweb.py", "page/nothing.js", "page/.hidden.js", "file/F1"]
)
async def test_nothing_but_the_pages_own_files(address: str, path: str) -> None:
    assert await status("GET", address + path) == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_it_is_bound_to_loopback_and_says_when_the_port_is_taken(stage: Stage, address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    with pytest.raises(CannotPlay, match="cannot listen on"):
        async with served(stage, port=int(address.rsplit(":", 1)[1].rstrip("/"))):
            pass


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "deed",
    [
        {},
        {"do": "fly"},
        {"do": "say"},
        {"do": "say", "text": "hello", "channel": "C0NOWHERE"},
        {"do": "say", "text": "/else x", "channel": scene.OPS},
        {"do": "say", "text": "/karpenter help", "channel": scene.OPS, "thread": "1.2"},
        {"do": "click", "channel": scene.OPS, "ts": "1.2", "action": "why"},
        {"do": "submit", "view": "V1"},
        {"do": "alert", "event": "[]"},
        {"do": "alert", "event": "{"},
        {"do": "alert", "sample": "nobody's"},
        {"do": "show", "recording": "none-such"},
    ],
)
async def test_a_deed_that_cannot_be_done_says_why(address: str, deed: dict[str, object]) -> None:
    answer = await told(address, user=scene.ANNA, **deed)
    assert not answer["ok"]
    assert answer["why"]
    assert not (await told(address, user="U0NOBODY", do="clear"))["ok"]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_alert_that_is_dropped_in_is_another_apps_message(stage: Stage, address: str) -> None:
    assert (await told(address, user=scene.ANNA, do="alert", sample="Alertmanager: firing"))["ok"]
    message = stage.slack.workspace.last(scene.ALERTS)
    assert message.username == "Alertmanager"
    assert "llama-3-8b-node-0-1-z49j4" in message.attachments[0]["title"]


# -- recordings, moved to the present ------------------------------------------------------------------------------


def test_the_present_is_as_far_from_everything_as_the_recording_was(tmp_path: Path) -> None:
    alive = clusters.alive(clusters.recordings(SEED)[0], tmp_path, NOW)
    log = next(iter(alive.logs.values())).decode()
    assert "2026-03-01T11:5" in log
    assert "2025-12-" not in log
    events = [o for o in alive.objects if o["kind"] == "Event"]
    assert all(e["lastTimestamp"].startswith("2026-03-01T1") for e in events if e.get("lastTimestamp"))
    assert alive.facts.instance_types
    assert not any("2026-03-01" in str(price) for price in alive.facts.spot_prices or ()), "prices stay of their day"


@given(st.datetimes(EARLY, LATE), st.timedeltas(timedelta(-9999), timedelta(9999)))
def test_moving_there_and_back_changes_nothing(at: datetime, by: timedelta) -> None:
    by -= timedelta(microseconds=by.microseconds)
    text = f'at: "{at.isoformat(timespec="microseconds")}Z", not a time: 2025-13-99T00:00:00Z, v1.8.1'
    assert clusters.moved(clusters.moved(text, by), -by) == text


def test_every_recording_that_ships_is_there_and_comes_first() -> None:
    found = clusters.recordings(clusters.shipped())
    assert tuple(one.name for one in found[: len(clusters.SHIPPED)]) == clusters.SHIPPED
    assert all(one.about and one.question for one in found)


def test_a_folder_without_a_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no recorded cluster"):
        clusters.recordings(tmp_path)


def test_the_wheel_has_the_recordings_that_the_playground_names() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    for name in clusters.SHIPPED:
        assert f'"tests/cases/{name}" = "bot/_cases/{name}"' in project
