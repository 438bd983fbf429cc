"""Families of recorded cases: one recorded cluster, and what is different of it in each of many moments.

A full folder for each of forty ways to lose a node would say the same forty times. `tests/cases/families/base` is the
cluster; `<family>.yaml` beside it lists moments, each with the objects that are other than there (a later object of a name
replaces an earlier one, as in any snapshot folder), those that are gone, Karpenter's log, a question and what a right answer
says. `python -m tests.families NAME DIR` writes one as a snapshot folder for `karpenter-bot why|why-gone --snapshot DIR`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import orjson
import yaml
from msgspec import structs

from bot import app, packaged
from bot.catalogues import Catalogues
from bot.contract import as_json, departure_as_json
from bot.departing import departed
from bot.diagnosis.departure import Departure
from bot.model.diagnosis import Diagnosis
from bot.model.ec2 import Ec2Facts, Row
from bot.model.objects import Identified
from bot.model.world import World
from bot.playbooks import render, render_departure
from bot.playbooks.focus import focused
from bot.sources.manifests import Sorted
from bot.sources.pod_search import PodQuestion, find_pod
from bot.sources.snapshot import read_snapshot
from bot.terminal import render_text

HERE = Path(__file__).parent
FAMILIES = HERE / "cases" / "families"
BASE = FAMILIES / "base"
GOLDEN = HERE / "golden" / "families"
LANGUAGES = ("en", "ko")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_CATALOGUES = Catalogues()
_PLAYBOOKS = packaged.load_playbooks()


@cache
def base() -> World:
    """The recorded cluster that all moments share."""
    return read_snapshot(BASE, _LONG_AGO)


@dataclass(frozen=True)
class FamilyCase:
    """One moment of a family, with its question (`why POD` or `why-gone NAME`)."""

    family: str
    name: str
    about: str
    ask: str
    expect: Mapping[str, Any]
    objects: Sequence[Mapping[str, Any]] = ()
    gone: Sequence[str] = ()
    """`Kind name` or `Kind namespace/name` of objects of the base that are not there."""
    log: Sequence[str] = ()
    quotas: Mapping[str, float] | None = None
    """Quota codes with the values that the account has instead."""
    free: Mapping[str, int] | None = None
    """Subnets with the free addresses that they have instead."""

    @cached_property
    def world(self) -> World:
        """The recorded cluster at this moment."""
        found = Sorted()
        for one in self.objects:
            found.add(one)
        whole = base()
        fields: dict[str, Any] = {
            name: self._merged(getattr(whole, name), found.of(name)) for name in _fields(whole, found)
        }
        workloads = (*whole.workloads, *found.workloads)
        log = (*whole.karpenter_log, *self.log)
        return replace(whole, karpenter_log=log, workloads=workloads, ec2=self._ec2(whole.ec2), **fields)

    def _merged(self, before: Sequence[Any], now: Sequence[Any]) -> tuple[Any, ...]:
        kept = {_identity(one): one for one in (*before, *now)}
        return tuple(one for one in kept.values() if _identity(one) not in self.gone)

    def _ec2(self, ec2: Ec2Facts) -> Ec2Facts:
        known = {name: getattr(ec2, name) for name in ec2.__struct_fields__}
        if self.quotas is not None:
            known["quotas"] = tuple(_other(one, "quota_code", "value", self.quotas) for one in ec2.quotas or ())
        if self.free is not None:
            name = "available_ip_address_count"
            known["subnets"] = tuple(_other(one, "subnet_id", name, self.free) for one in ec2.subnets or ())
        return Ec2Facts(**known)

    @cached_property
    def answer(self) -> Diagnosis | Departure:
        """The bot's answer to the question."""
        verb, _, name = self.ask.partition(" ")
        if verb == "why-gone":
            return departed(self.world, name, "")
        return app.decided(self.world, find_pod(self.world, PodQuestion.parse(name)), _CATALOGUES)

    @property
    def diagnosis(self) -> Diagnosis:
        """Causes and remedies, whichever question it was."""
        return self.answer.diagnosis if isinstance(self.answer, Departure) else focused(self.answer)

    def text(self, language: str) -> str:
        """The answer as the terminal shows it."""
        phrases = _PLAYBOOKS.phrases(language)
        if isinstance(self.answer, Departure):
            return render_text(render_departure(self.answer, _PLAYBOOKS, language), phrases)
        return render_text(render(self.diagnosis, _PLAYBOOKS, language), phrases)

    def json(self) -> Mapping[str, Any]:
        """The answer as `-o json` prints it, without the time it took."""
        if isinstance(self.answer, Departure):
            return departure_as_json(self.answer, render_departure(self.answer, _PLAYBOOKS, "en"))
        return as_json(self.answer, render(self.answer, _PLAYBOOKS, "en"), 0.0)


def _fields(whole: World, found: Sorted) -> Iterator[str]:
    """Fields of World that hold objects: those with new ones, and those that the base has."""
    yield from sorted({*found.objects, "nodes", "node_claims", "node_pools", "node_classes", "daemon_sets", "pods"})


def _identity(one: Identified) -> str:
    meta = one.metadata
    return f"{one.kind} {meta.namespace}/{meta.name}" if meta.namespace else f"{one.kind} {meta.name}"


def _other(row: Row, key: str, name: str, values: Mapping[str, float]) -> Row:
    """The row of EC2's with another value, where one is given for its key."""
    return structs.replace(row, **{name: values.get(getattr(row, key), getattr(row, name))})


def cases_of(file: Path) -> tuple[FamilyCase, ...]:
    """The moments of one family's file."""
    listed = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return tuple(FamilyCase(family=file.stem, **one) for one in listed["cases"])


ALL: tuple[FamilyCase, ...] = tuple(case for file in sorted(FAMILIES.glob("*.yaml")) for case in cases_of(file))
NAMES: tuple[str, ...] = tuple(dict.fromkeys(case.family for case in ALL))


def answers(family: str) -> dict[str, str]:
    """File name in tests/golden/families to content: a family's answers one after the other, in each language and as JSON."""
    own = [case for case in ALL if case.family == family]
    texts = {
        f"{family}.{language}.txt": "\n".join(f"=== {c.name}: {c.ask}\n{c.text(language)}" for c in own)
        for language in LANGUAGES
    }
    whole = {case.name: case.json() for case in own}
    return {**texts, f"{family}.json": orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n"}


def write(name: str, folder: Path) -> None:
    """Writes one moment as a snapshot folder: the base's files, and over them what is different."""
    case = next(one for one in ALL if f"{one.family}/{one.name}" == name)
    shutil.copytree(BASE, folder, symlinks=False)
    for file in folder.glob("*.yaml"):
        listed = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        if isinstance(listed, dict) and "items" in listed:
            listed["items"] = [one for one in listed["items"] if _raw_identity(one) not in case.gone]
            file.write_text(yaml.safe_dump(listed))
    over = {"apiVersion": "v1", "kind": "List", "items": list(case.objects)}
    (folder / "zz-moment.yaml").write_text(yaml.safe_dump(over))  # the last file's objects are the ones that count
    with (folder / "karpenter.log").open("a") as log:
        log.writelines(f"{line}\n" for line in case.log)
    _change(folder, "service-quotas", "Quotas", ("QuotaCode", "Value"), case.quotas)
    _change(folder, "describe-subnets", "Subnets", ("SubnetId", "AvailableIpAddressCount"), case.free)


def _change(folder: Path, name: str, rows: str, fields: tuple[str, str], values: Mapping[str, float] | None) -> None:
    file, (key, field) = folder / "ec2" / f"{name}.json", fields
    told = orjson.loads(file.read_bytes())
    for row in told[rows]:
        row[field] = (values or {}).get(row[key], row[field])
    file.write_bytes(orjson.dumps(told))


def _raw_identity(one: Mapping[str, Any]) -> str:
    meta = one["metadata"]
    space = meta.get("namespace", "")
    return f"{one['kind']} {space}/{meta['name']}" if space else f"{one['kind']} {meta['name']}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("name", nargs="?", help="FAMILY/MOMENT; all are listed where none is named")
    arguments.add_argument("folder", nargs="?", type=Path)
    given = arguments.parse_args()
    if given.name is None or given.folder is None:
        print("\n".join(f"{case.family}/{case.name}\t{case.ask}\t{case.about}" for case in ALL))
        return
    write(given.name, given.folder)


if __name__ == "__main__":
    main()
