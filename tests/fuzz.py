"""Mutated Slack payloads at the door, mutated texts and manifests behind it: no 5xx, no traceback, no unbounded memory.

python -m tests.fuzz [--count 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from bot.app import answer_from_snapshot
from bot.diagnosis.pasted import explain_text
from bot.playground.slack.signatures import sign
from bot.slack.serving import EVENTS_PATH
from bot.sources.errors import SourceError
from bot.sources.pod_search import PodQuestion
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, scene
from tests.recorded import CASES
from tests.slack.door import Scripted, door

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
STRANGE: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\x00",
    "\ud800",
    "\u202e<!channel>",
    "{{ 7*7 }}",
    "a" * 20_000,
    "why ../../etc/passwd",
    [],
    {},
    [[[[[[]]]]]],
    {"": {"": {}}},
)
SEED_CASE: Final = CASES / "seed-efa-8-on-g6e-8xlarge"


@dataclass(slots=True)
class Found:
    """What came of it."""

    tried: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def mutated(value: Any, chance: random.Random) -> Any:  # noqa: ANN401 (JSON)
    """A copy with one to four places changed, dropped or doubled."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 4)):
        places = list(_places(changed))
        if not places:
            return chance.choice(STRANGE)
        holder, key = chance.choice(places)
        match chance.randint(0, 3):
            case 0:
                del holder[key]
            case 1 if isinstance(holder[key], str) and holder[key]:
                at = chance.randrange(len(holder[key]))
                holder[key] = holder[key][:at] + chr(chance.randrange(1, 0xD7FF)) + holder[key][at + 1 :]
            case _:
                holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def torn(text: bytes, chance: random.Random) -> bytes:
    """A text with pieces cut out, doubled, or replaced by noise."""
    for _ in range(chance.randint(1, 6)):
        a, b = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + 400)
        piece = chance.choice([b"", text[a:b] * 2, chance.randbytes(min(b - a, 40)), b"\n", b'{"level":"ERROR"'])
        text = text[:a] + piece + text[b:]
    return text


async def fuzz_door(count: int, chance: random.Random, found: Found) -> None:
    """Rightly signed requests whose content is wrong, over HTTP."""
    services = Scripted()
    async with running_slack() as slack, door(slack, services, mode="http") as bot:
        templates = await _templates(slack)
        url = f"http://127.0.0.1:{bot.port}{EVENTS_PATH}"
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                body, kind = _body(templates, chance)
                headers = {**sign(slack.app.signing_secret, body, int(time.time())), "Content-Type": kind}
                found.tried["payload"] += 1
                async with session.post(url, data=body, headers=headers) as response:
                    text = await response.text()
                    found.statuses[response.status] += 1
                    if response.status >= 500 or "Traceback" in text:
                        found.wrong.append(f"{response.status} {text[:80]} for {body[:300]!r}")
        for message in (*slack.workspace.by_bot(scene.OPS), *slack.workspace.ephemerals()):
            if "Traceback" in message.text:
                found.wrong.append(f"said: {message.text[:200]}")
        slack.violations.clear()  # the fake's complaints about payloads that no Slack sends are not what is looked for


async def _templates(slack: FakeSlack) -> list[tuple[str, Any]]:
    """Real deliveries of each kind, to be mutated."""
    await slack.slash_command("why train-0")
    await slack.mention("why train-0")
    messages = await slack.wait_for(lambda s: s.workspace.by_bot(scene.OPS))
    with suppress(Exception):
        await slack.click("show_evidence", messages[0], user=scene.ANNA)
    return [(delivery.kind, delivery.payload) for delivery in slack.deliveries]


def _body(templates: list[tuple[str, Any]], chance: random.Random) -> tuple[bytes, str]:
    kind, payload = chance.choice(templates)
    changed = mutated(payload, chance)
    if chance.random() < 0.05:
        return chance.randbytes(chance.randint(0, 500)), "application/json"
    as_json = json.dumps(changed).encode()
    match kind:
        case "events_api":
            return as_json, "application/json"
        case "interactive":
            return urlencode({"payload": as_json}).encode(), "application/x-www-form-urlencoded"
        case _:
            form = changed if isinstance(changed, dict) else {"text": str(changed)[:100]}
            pairs = {k: _plain(v) for k, v in form.items()}
            return urlencode(pairs).encode(), "application/x-www-form-urlencoded"


def _plain(value: Any) -> str:  # noqa: ANN401
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace").decode()


def fuzz_texts(count: int, chance: random.Random, found: Found) -> None:
    """Karpenter's log lines, torn, as somebody pastes them."""
    texts = [log.read_bytes() for log in sorted(CASES.glob("*/*.log"))]
    for _ in range(count):
        text = torn(chance.choice(texts)[:20_000], chance).decode(errors="replace")
        _must_not_raise("text", lambda text=text: explain_text(text, None, NOW), found)  # type: ignore[misc]


def fuzz_manifests(count: int, chance: random.Random, found: Found) -> None:
    """Snapshot folders with torn files: an answer or one clear error."""
    files = {f.relative_to(SEED_CASE): f.read_bytes() for f in SEED_CASE.rglob("*") if f.is_file()}
    small = [
        name for name, content in files.items() if len(content) < 200_000 and name.suffix in (".yaml", ".json", ".log")
    ]
    question = PodQuestion.parse("default/llama-3-8b-node-0-1-z49j4", "")
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for _ in range(count):
            name = chance.choice(small)
            (folder / name).write_bytes(torn(files[name], chance))
            _must_not_raise("manifest", lambda: answer_from_snapshot(folder, question), found)
            (folder / name).write_bytes(files[name])


def _must_not_raise(kind: str, work: Callable[[], object], found: Found) -> None:
    found.tried[kind] += 1
    try:
        work()
    except SourceError:
        pass
    except Exception as error:
        found.wrong.append(f"{kind}: {type(error).__name__}: {error}"[:300])


async def run(count: int, seed: int, *, manifests: int | None = None) -> Found:
    """Four fifths payloads, the rest texts, and manifests (slow: each is a whole answer)."""
    chance, found = random.Random(seed), Found()
    wholes = count // 500 if manifests is None else manifests
    await fuzz_door(count * 4 // 5, chance, found)
    fuzz_texts(count // 5 - wholes, chance, found)
    fuzz_manifests(wholes, chance, found)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.perf_counter()
    found = asyncio.run(run(arguments.count, arguments.seed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{dict(found.tried)} in {time.perf_counter() - began:.0f} s, peak {peak:.0f} MiB (bot, fake Slack and fuzzer)"
    )
    print(f"statuses {dict(found.statuses)}; wrong: {len(found.wrong)}")
    for line in found.wrong[:20]:
        print(" ", line)
    raise SystemExit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
