"""Pasted logs and snapshot folders, torn or mutated: an answer or one clear error."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from bot.app import answer_from_snapshot
from bot.catalogues import Catalogues
from bot.diagnosis.pasted import explain_text
from bot.sources.errors import SourceError
from bot.sources.pod_search import PodQuestion
from tests.fuzz.mutations import mutated, torn
from tests.recorded import CASES

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
SEED_CASE: Final = CASES / "seed-efa-8-on-g6e-8xlarge"
QUESTION: Final = PodQuestion.parse("default/llama-3-8b-node-0-1-z49j4", "")
_PASTES: Final = CASES.parent / "pasted"


def fuzz_texts(count: int, chance: random.Random) -> Iterator[str]:
    """What went wrong, for each of so many texts "" or what."""
    texts = [log.read_bytes()[:20_000] for log in (*sorted(CASES.glob("*/*.log")), *sorted(_PASTES.glob("*.txt")))]
    for _ in range(count):
        text = torn(chance.choice(texts), chance).decode(errors="replace")
        yield _trouble("text", lambda text=text: explain_text(text, None, NOW))  # type: ignore[misc]


def fuzz_manifests(count: int, chance: random.Random) -> Iterator[str]:
    """The same for the seed's folder with one file torn, or with one of its objects mutated."""
    files = {f.relative_to(SEED_CASE): f.read_bytes() for f in SEED_CASE.rglob("*") if f.is_file()}
    small = [n for n, content in files.items() if len(content) < 200_000 and n.suffix in (".yaml", ".json", ".log")]
    parsed = {n: list(yaml.load_all(files[n], Loader=yaml.CSafeLoader)) for n in small if n.suffix == ".yaml"}
    catalogues = Catalogues()
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for _ in range(count):
            name = chance.choice(small)
            (folder / name).write_bytes(_changed(files[name], parsed.get(name), chance))
            yield _trouble("manifest", lambda: answer_from_snapshot(folder, QUESTION, catalogues))
            (folder / name).write_bytes(files[name])


def _changed(content: bytes, documents: list[Any] | None, chance: random.Random) -> bytes:
    if documents is None or chance.random() < 0.3:
        return torn(content, chance)
    changed = mutated(documents, chance)
    # JSON is YAML, and says what YAML's emitters refuse to
    return "\n---\n".join(json.dumps(one) for one in (changed if isinstance(changed, list) else [changed])).encode()


def _trouble(kind: str, work: Callable[[], object]) -> str:
    try:
        work()
    except SourceError:
        pass
    except Exception as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else ""
        return f"{kind}: {type(error).__name__} at {where}: {error}"[:300]
    return ""
