"""Tests of pages, written in YAML: the facts of a cause (or a recorded cluster) in, what the answer must and must not say. Pure.

- name: says which type
  cause: gpu-count-exceeds-instance
  language: en
  facts: {instance_type: p4d.24xlarge, offered: 8, requested: 16, ...}     # or: snapshot: DIR, pod: NAMESPACE/NAME
  says: ["has 8 GPUs"]
  omits: ["EFA"]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from bot.model.diagnosis import Diagnosis, Fact
from bot.playbooks.check import example_diagnosis
from bot.playbooks.contract import CAUSES
from bot.playbooks.library import Playbooks
from bot.playbooks.markup import plain
from bot.playbooks.problems import Problem, did_you_mean
from bot.playbooks.rendered import Rendered
from bot.playbooks.rendering import render

_KEYS: Final = ("name", "cause", "language", "facts", "snapshot", "pod", "says", "omits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One test. Either `facts` of `cause`, or `snapshot` (a folder) and `pod`."""

    name: str
    file: str
    language: str
    cause: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    snapshot: str = ""
    pod: str = ""
    says: tuple[str, ...] = ()
    omits: tuple[str, ...] = ()


def read_trials(file: str, text: str, languages: Sequence[str]) -> tuple[tuple[Trial, ...], tuple[Problem, ...]]:
    """The tests of one file, and what is wrong with it."""
    try:
        written = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        return (), (_problem(file, mark.line + 1 if mark else 1, "no YAML", "Mend the YAML at this line."),)
    if not isinstance(written, list):
        return (), (_problem(file, 1, "no list of tests", "Write `- name: ...` for each test."),)
    trials: list[Trial] = []
    problems: list[Problem] = []
    for number, one in enumerate(written, 1):
        wrong = list(_wrong(one, languages))
        problems += [_problem(file, 0, f"test {number}: {message}", remedy) for message, remedy in wrong]
        if not wrong:
            trials.append(_trial(file, number, one))
    return tuple(trials), tuple(problems)


def _wrong(one: Any, languages: Sequence[str]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 (YAML)
    if not isinstance(one, dict):
        yield "no mapping", "Write `name`, `cause`, `facts`, `says`."
        return
    for key in one:
        if key not in _KEYS:
            yield f"unknown key `{key}`", did_you_mean(str(key), _KEYS)
    if str(one.get("language", "en")) not in languages:
        yield f"no language `{one['language']}`", f"There are: {', '.join(languages)}."
    if bool(one.get("snapshot")) == bool(one.get("facts")):
        yield "needs either `facts` or `snapshot`", "Give the facts of the cause, or a recorded cluster and its pod."
    if one.get("snapshot") and not one.get("pod"):
        yield "lacks `pod`", "Say which pod of the recorded cluster is asked about (`namespace/name`)."
    if one.get("facts") and str(one.get("cause")) not in CAUSES:
        yield f"unknown cause `{one.get('cause')}`", did_you_mean(str(one.get("cause")), CAUSES)
    for key in ("says", "omits"):
        value = one.get(key, [])
        if not (isinstance(value, list) and all(isinstance(part, str) and part.strip() for part in value)):
            yield f"`{key}` is no list of texts", f"Write `{key}: [...]`."
    if not one.get("says") and not one.get("omits"):
        yield "expects nothing", "Write `says: [...]` or `omits: [...]`: a test must be able to fail."


def _trial(file: str, number: int, one: Mapping[str, Any]) -> Trial:
    return Trial(
        name=str(one.get("name") or f"test {number}"),
        file=file,
        language=str(one.get("language", "en")),
        cause=str(one.get("cause") or ""),
        facts={str(k): tuple(v) if isinstance(v, list) else v for k, v in (one.get("facts") or {}).items()},
        snapshot=str(one.get("snapshot") or ""),
        pod=str(one.get("pod") or ""),
        says=tuple(one.get("says") or ()),
        omits=tuple(one.get("omits") or ()),
    )


def diagnosis_of(trial: Trial, playbooks: Playbooks) -> Diagnosis:
    """A diagnosis with the trial's facts, those that it leaves out as the page's examples have them."""
    page = playbooks.pages_for(trial.cause, trial.language)[0]
    blank = example_diagnosis(trial.cause, page)
    return replace(blank, causes=(replace(blank.causes[0], facts={**page.examples, **trial.facts}),))


def failures(trial: Trial, diagnosis: Diagnosis, playbooks: Playbooks) -> tuple[str, ...]:
    """What the answer lacks, has too much, or could not say at all."""
    rendered = render(diagnosis, playbooks, trial.language)
    said = whole(rendered)
    found = [f"{problem}" for problem in rendered.problems]
    if trial.cause and trial.cause not in {cause.id for cause in rendered.causes}:
        found.append(f"the answer has not the cause `{trial.cause}`, but {[c.id for c in rendered.causes]}")
    found += [f"does not say: {words}" for words in trial.says if _flat(words) not in said]
    found += [f"says: {words}" for words in trial.omits if _flat(words) in said]
    return tuple(found)


def whole(rendered: Rendered) -> str:
    """The answer as one line of plain text."""
    lines = [rendered.headline]
    for cause in rendered.causes:
        lines += [cause.headline, *cause.because, *cause.check, *cause.remedies]
    for remedy in rendered.remedies:
        lines += [remedy.summary, remedy.opens, *remedy.cautions]
    return _flat(" ".join(map(plain, lines)))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _problem(file: str, line: int, message: str, remedy: str) -> Problem:
    return Problem(file=file, line=line, message=message, remedy=remedy)
