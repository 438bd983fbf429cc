"""The sentences outside of pages, by key and language: what opens, what is missing, Slack's buttons, errors.

They live in `<language>/_*.yaml`; nested keys are joined by dots (`remedy.reduce-resource.summary`), each value is a
small template. Python names a key and gives values; it writes no sentence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import yaml
from markupsafe import Markup

from bot.playbooks import formats
from bot.playbooks.markup import Line, mark, parse, parse_line, plain
from bot.playbooks.problems import Problem
from bot.playbooks.sandbox import FAILURES, render_whole, template

_YAML: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One template of a catalogue. `source` begins with empty lines so that its line numbers are the file's."""

    key: str
    source: str
    file: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's sentences; of several for one key the first that renders is used (the operator's, then ours)."""

    language: str
    sentences: Mapping[str, tuple[Sentence, ...]]

    def has(self, key: str, /) -> bool:
        """Whether there is a sentence for this key."""
        return key in self.sentences

    def marked(self, key: str, /, **values: object) -> Markup:
        """The sentence, to be put into another one. A missing or broken one becomes its key: an answer still goes out."""
        for sentence in self.sentences.get(key, ()):
            try:
                return self.attempt(sentence, values)
            except FAILURES:
                continue
        return mark(key)

    def attempt(self, sentence: Sentence, values: Mapping[str, object]) -> Markup:
        """Renders one sentence. Raises one of FAILURES."""
        return render_whole(template(sentence.source, sentence.file), values, self)

    def line(self, key: str, /, **values: object) -> Line:
        """The sentence as one line."""
        return parse_line(self.marked(key, **values))

    def lines(self, key: str, /, **values: object) -> tuple[Line, ...]:
        """The sentence, or several, as the catalogue breaks them into lines."""
        return parse(self.marked(key, **values))

    def text(self, key: str, /, **values: object) -> str:
        """The sentence without markup."""
        return plain(self.line(key, **values))

    # -- figures and times, as the language writes them ----------------------------------------------------------------

    def moment(self, at: datetime | str | None, name: str = "moment") -> str:
        """A moment in UTC (`name`: as a `day`, a `clock`, a `tick` of a chart); "" for none."""
        return formats.moment(at, self, name) if at else ""

    def figure(self, price: float) -> str:
        """A price's figures."""
        return formats.figure(price, self)

    def price(self, price: float) -> str:
        """A price in a table: `$3.06`."""
        return self.text("format.price", figure=self.figure(price))

    def number(self, value: float) -> str:
        """A number, a whole one in groups."""
        return formats.number(value, self)

    def age(self, seconds: float) -> str:
        """A span of time in one unit."""
        return formats.age(seconds, self)

    def duration(self, seconds: float) -> str:
        """A span of time in its two largest units."""
        return formats.duration(seconds, self)

    def said(self, prefix: str, text: str, **values: object) -> Markup:
        """What the diagnosis names by an id (a note, a caution), in words; a text that is no known id, as it is."""
        key = f"{prefix}.{text}"
        return self.marked(key, **values) if self.has(key) else mark(text)


def read_catalogue(file: str, text: str) -> tuple[tuple[Sentence, ...], tuple[Problem, ...]]:
    """The sentences of one file; what is wrong with it comes back as Problems, never as an exception."""
    try:
        root = yaml.compose(text, Loader=_YAML)
    except (yaml.YAMLError, ValueError) as error:
        place = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or type(error).__name__
        line = place.line + 1 if place else 1
        return (), (_problem(file, line, f"no YAML: {what}", "Mend the YAML at this line."),)
    if root is None:
        return (), ()
    sentences: dict[str, Sentence] = {}
    problems: list[Problem] = []
    for key, node, line in _leaves("", root):
        if not isinstance(node, yaml.ScalarNode):
            problems.append(_problem(file, line, f"`{key}` is no text", "Write a text, or keys with texts below."))
        elif key in sentences:
            problems.append(_problem(file, line, f"`{key}` is there twice", "Keep one of the two."))
        else:
            # a block scalar's text begins on the line after its key
            first = node.start_mark.line + (1 if node.style in ("|", ">") else 0)
            sentences[key] = Sentence(key=key, source="\n" * first + node.value, file=file)
    return tuple(sentences.values()), tuple(problems)


def _leaves(prefix: str, node: yaml.Node) -> Iterator[tuple[str, yaml.Node, int]]:
    if not isinstance(node, yaml.MappingNode):
        yield prefix, node, node.start_mark.line + 1
        return
    for key, value in node.value:
        name = f"{prefix}.{key.value}" if prefix else str(key.value)
        yield from _leaves(name, value)


def _problem(file: str, line: int, message: str, remedy: str) -> Problem:
    return Problem(file=file, line=line, message=message, remedy=remedy)
