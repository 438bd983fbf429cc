"""A page: front matter and template. Reading one never raises; what is wrong with it comes back as Problems."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from bot.model.diagnosis import Fact
from bot.playbooks.contract import CAUSES, SEVERITIES
from bot.playbooks.problems import Problem, did_you_mean

_YAML: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FRONT: Final = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_KEYS: Final = ("id", "title", "for", "severity", "facts", "cases", "links")
SUFFIX: Final = ".md.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one file says about its causes. `source` is the template, with the front matter's lines left empty, so that
    a line number in it is the file's. `examples` are the front matter's facts.
    """

    id: str
    title: str
    causes: tuple[str, ...]
    language: str
    file: str
    source: str
    severity: str = "blocked"
    examples: Mapping[str, Fact] = field(default_factory=dict)
    cases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    own: bool = False


def language_of(file: str) -> str:
    """`ko` for `ko/efa-unsupported.md.j2` and for any longer path that ends so; empty without a folder."""
    return file.rsplit("/", 2)[-2] if "/" in file else ""


def read_page(file: str, text: str, *, own: bool = False) -> tuple[Page | None, tuple[Problem, ...]]:
    """The page in a file's text, or None with what is wrong in its front matter. `own`: the operator's, not ours."""
    found = _FRONT.match(text)
    if not found:
        return None, (_problem(file, 1, "no front matter", "Begin with `---`, YAML and a line `---`."),)
    try:
        front = yaml.load(found[1], Loader=_YAML)  # noqa: S506 (both loaders are the safe ones)
    except (yaml.YAMLError, ValueError) as error:
        return None, (_yaml_problem(file, error),)
    if not isinstance(front, dict):
        return None, (_problem(file, 1, "the front matter is no mapping", "Write `id: ...`, `title: ...`, ..."),)
    fields = {str(key): value for key, value in front.items()}
    problems = tuple(_Reader(file=file, front=found[1], fields=fields).problems())
    if problems:
        return None, problems
    blank = "\n" * found[0].count("\n")
    page = Page(
        id=str(fields["id"]),
        title=str(fields["title"]).strip(),
        causes=tuple(fields["for"]),
        language=language_of(file),
        file=file,
        source=blank + text[found.end() :],
        severity=str(fields.get("severity", "blocked")),
        examples={str(name): _fact(given["example"]) for name, given in (fields.get("facts") or {}).items()},
        cases=tuple(map(str, fields.get("cases") or ())),
        links=tuple(map(str, fields.get("links") or ())),
        own=own,
    )
    return page, ()


def _fact(example: object) -> Fact:
    if isinstance(example, list):
        return tuple(str(one) for one in example)
    return example if isinstance(example, str | int | float | bool) else str(example)


def _problem(file: str, line: int, message: str, remedy: str) -> Problem:
    return Problem(file=file, line=line, message=message, remedy=remedy)


def _yaml_problem(file: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or type(error).__name__
    line = mark.line + 2 if mark else 1
    return _problem(file, line, f"the front matter is no YAML: {what}", "Mend the YAML at this line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Everything wrong with one front matter, each with its line."""

    file: str
    front: str
    fields: Mapping[str, object]

    def at(self, word: str, message: str, remedy: str) -> Problem:
        """A problem at the first line of the front matter that starts with `word` (or lists it)."""
        place = re.search(rf"^[ \t]*(?:- +)?[\"']?{re.escape(word)}\b", self.front, re.MULTILINE)
        place = place or re.search(rf"\b{re.escape(word)}\b", self.front)
        line = self.front.count("\n", 0, place.start()) + 2 if place else 1
        return _problem(self.file, line, message, remedy)

    def problems(self) -> Iterator[Problem]:
        for key in self.fields:
            if key not in _KEYS:
                yield self.at(key, f"unknown key `{key}`", did_you_mean(key, _KEYS))
        yield from self._texts()
        yield from self._causes()
        yield from self._facts()
        yield from self._lists()

    def _texts(self) -> Iterator[Problem]:
        for key in ("id", "title"):
            value = self.fields.get(key)
            if not isinstance(value, str) or not value.strip():
                yield self.at(key, f"`{key}` is missing or no text", f"Write `{key}: ...`.")
        given, stem = self.fields.get("id"), self.file.rsplit("/", 1)[-1].removesuffix(SUFFIX)
        if isinstance(given, str) and given.strip() and given != stem:
            yield self.at("id", f"`id` is `{given}`, the file is `{stem}{SUFFIX}`", "Give both the same name.")
        severity = self.fields.get("severity", SEVERITIES[0])
        if severity not in SEVERITIES:
            remedy = did_you_mean(str(severity), SEVERITIES)
            yield self.at("severity", f"unknown severity `{severity}`", remedy)

    def _causes(self) -> Iterator[Problem]:
        causes = self.fields.get("for")
        if not isinstance(causes, list) or not causes or not all(isinstance(one, str) for one in causes):
            yield self.at("for", "`for` is missing or no list of cause ids", "Write `for: [cause-id]`.")
            return
        for cause in causes:
            if cause not in CAUSES:
                yield self.at(cause, f"unknown cause id `{cause}`", did_you_mean(cause, CAUSES))

    def _facts(self) -> Iterator[Problem]:
        facts = self.fields.get("facts")
        if facts is not None and not isinstance(facts, dict):
            yield self.at("facts", "`facts` is no mapping", "Write `name: {is: what it is, example: a value}`.")
            return
        promised = self._promised()
        for name, given in (facts or {}).items():
            if not isinstance(given, dict) or given.get("example") is None or not isinstance(given.get("is"), str):
                remedy = f"Write `{name}: {{is: what it is, example: a value}}`."
                yield self.at(str(name), f"fact `{name}` lacks `is` or `example`", remedy)
            if promised and name not in promised:
                causes = ", ".join(map(str, self.fields["for"])) if isinstance(self.fields["for"], list) else ""
                message = f"fact `{name}` does not belong to {causes}"
                yield self.at(str(name), message, did_you_mean(str(name), promised))

    def _promised(self) -> frozenset[str]:
        """The facts that every cause of the page has."""
        causes = self.fields.get("for")
        known = (
            [CAUSES[one] for one in causes if isinstance(one, str) and one in CAUSES]
            if isinstance(causes, list)
            else []
        )
        return frozenset.intersection(*known) if known else frozenset()

    def _lists(self) -> Iterator[Problem]:
        for key in ("cases", "links"):
            value = self.fields.get(key)
            if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                yield self.at(key, f"`{key}` is no list of texts", f"Write `{key}: [...]`.")
            elif key == "links" and isinstance(value, list):
                for link in value:
                    if not re.fullmatch(r"https://[^\s<>|]+", link):
                        yield self.at("links", f"`{link}` is no https address", "Link to a page over https.")
