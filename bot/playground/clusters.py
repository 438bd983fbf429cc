"""Recorded clusters as the playground brings them to life: their manifests, log and EC2 facts, moved to the present.

A recording is of one moment, and an answer depends on how long ago things were. So every time in it is moved by the same
span: what happened a minute before the recording was made happened a minute before it was opened here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from bot.model.ec2 import Ec2Facts
from bot.model.world import Missing
from bot.sources.ec2 import Ec2, Ec2Observation, Ec2Question
from bot.sources.errors import SnapshotError
from bot.sources.snapshot import EC2, META, read_snapshot

CASE: Final = "case.yaml"
SHIPPED: Final = (
    "seed-efa-8-on-g6e-8xlarge",
    "gpu-16-on-p4d",
    "zone-without-type",
    "spot-just-refused",
    "nodepool-limit",
    "taint-not-tolerated",
    "pv-zone-conflict",
    "nodeclass-not-ready",
    "consolidation-under-training",
)
"""The cases that an installed bot has with it; a source tree has all of tests/cases."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_KARPENTER: Final = ("app.kubernetes.io/name", "karpenter")
_PRICES: Final = ("describe-spot-price-history.json", "get-products.json")
"""Not moved: a price of another day is no price of today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A folder with a recorded cluster: its name, what it shows, and the pod (`namespace/name`) to ask about."""

    name: str
    folder: Path
    about: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A recording at this moment: objects and logs (`namespace/pod` -> text) for an API server, and EC2's facts."""

    objects: tuple[dict[str, Any], ...]
    logs: Mapping[str, bytes]
    facts: Ec2Facts
    missing: tuple[Missing, ...]


class RecordedEc2(Ec2):
    """AWS as it was when the cluster was recorded; asks nobody."""

    def __init__(self, alive: Alive) -> None:
        super().__init__()
        self._alive = alive

    async def observe_ec2(self, question: Ec2Question) -> Ec2Observation:  # noqa: ARG002 (there is one answer)
        """The recorded facts, whatever of them is wanted."""
        return Ec2Observation(facts=self._alive.facts, missing=self._alive.missing)


def shipped() -> Path:
    """The folder of the recordings that come with the bot: inside the wheel, or in the source tree beside it."""
    inside = Path(str(files("bot"))) / "_cases"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "tests" / "cases"


def recordings(folder: Path) -> tuple[Recording, ...]:
    """The recordings in a folder, or the folder itself when it is one; those worth a first look come first.

    Raises SnapshotError when there is none.
    """
    found = [_recording(file.parent) for file in sorted(folder.glob(f"*/{CASE}"))]
    if not found and any(folder.glob("*.yaml")):
        found = [_recording(folder)]
    if not found:
        raise SnapshotError(f"{folder}: no recorded cluster in it (`karpenter-bot snapshot` makes one)")
    return tuple(sorted(found, key=lambda one: (_place(one.name), one.name)))


def _place(name: str) -> int:
    return SHIPPED.index(name) if name in SHIPPED else len(SHIPPED)


def _recording(folder: Path) -> Recording:
    file = folder / CASE
    case = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Recording(
        name=folder.name, folder=folder, about=str(case.get("about", "")), question=str(case.get("question", ""))
    )


def alive(recording: Recording, scratch: Path, now: datetime) -> Alive:
    """The recording with all its times moved so that it was made `now`; `scratch` is an empty folder to work in.

    Raises SnapshotError.
    """
    was = read_snapshot(recording.folder, now).now
    for file in _files(recording.folder):
        target = scratch / file.relative_to(recording.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8")
        target.write_text(text if file.name in _PRICES else moved(text, now - was), encoding="utf-8")
    world = read_snapshot(scratch, now)
    objects = tuple(_objects(scratch))
    return Alive(
        objects=objects,
        logs=_logs(objects, scratch),
        facts=world.ec2,
        missing=tuple(gap for gap in world.missing if f"{EC2}/" in gap.why),
    )


def moved(text: str, by: timedelta) -> str:
    """The text with every RFC 3339 time in it moved; how it is written (fractions, zone) stays."""

    def later(found: re.Match[str]) -> str:
        zone = "Z" if found[0].endswith("Z") else found[0][-6:]
        body, dot, fraction = found[0].removesuffix(zone).partition(".")
        try:
            at = datetime.fromisoformat(body) + by
        except (ValueError, OverflowError):  # the 31st of June
            return found[0]
        return f"{at.isoformat(timespec='seconds')[:19]}{dot}{fraction}{zone}"

    return _TIME.sub(later, text)


def _files(folder: Path) -> Iterator[Path]:
    """The recording's own files, those of EC2 included (a link to a folder that several recordings share)."""
    for file in sorted((*folder.glob("*"), *(folder / EC2).glob("*"))):
        if file.is_file() and file.name != CASE and file.suffix in (".yaml", ".yml", ".json", ".log"):
            yield file


def _objects(folder: Path) -> Iterator[dict[str, Any]]:
    """Every object, as an API server would hold it."""
    for file in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"), *folder.glob("*.json"))):
        if file.name == META:
            continue
        for document in yaml.load_all(
            file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        ):
            if isinstance(document, dict):
                yield from document["items"] if str(document.get("kind", "")).endswith("List") else [document]


def _logs(objects: tuple[dict[str, Any], ...], folder: Path) -> dict[str, bytes]:
    """The recorded log as the log of each recorded Karpenter pod."""
    text = b"".join(file.read_bytes() for file in sorted(folder.glob("*.log")))
    label, value = _KARPENTER
    pods = (o["metadata"] for o in objects if o["kind"] == "Pod")
    return {f"{m['namespace']}/{m['name']}": text for m in pods if m.get("labels", {}).get(label) == value}
