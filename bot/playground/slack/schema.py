"""Rules that a JSON value can break, each of which says so in Slack's own form: a message and a JSON pointer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: what is wrong and where."""

    message: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.message} [json-pointer:{self.pointer}]"


class Rule:
    """Something that a value must be."""

    def problems(self, value: object, at: str, shapes: Shapes) -> Iterator[Problem]:
        """Every way in which ``value``, found at the JSON pointer ``at``, breaks this rule."""
        raise NotImplementedError


Check: TypeAlias = Callable[[Mapping[str, object], str], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object's properties, which of them it must have, and the rules between them."""

    properties: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    def problems(self, value: Mapping[str, object], at: str, shapes: Shapes) -> Iterator[Problem]:
        """Missing, unknown and wrong properties; the rules between properties are asked once those are right."""
        wrong = [Problem(f"missing required field: {name}", at) for name in self.required if value.get(name) is None]
        wrong += [Problem(f"invalid additional property: {name}", at) for name in value if name not in self.properties]
        for name, rule in self.properties.items():
            if value.get(name) is not None:
                wrong += rule.problems(value[name], f"{at}/{name}", shapes)
        yield from wrong
        if not wrong:
            for check in self.checks:
                yield from check(value, at)


# family ("block", "element", "cell", ...) -> type -> shape
Shapes: TypeAlias = Mapping[str, Mapping[str, Shape]]


@dataclass(frozen=True, slots=True)
class Str(Rule):
    """A string of ``least`` to ``most`` characters, or one of ``choices``, or one that matches ``pattern``."""

    most: int | None = None
    least: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def problems(self, value: object, at: str, _shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem("must be a string", at)
            return
        if self.choices and value not in self.choices:
            yield Problem(f"must be one of: {', '.join(self.choices)}", at)
        if self.pattern and not re.fullmatch(self.pattern, value):
            yield Problem(f"must match {self.pattern}", at)
        yield from _length(value, at, self.least, self.most)


@dataclass(frozen=True, slots=True)
class Number(Rule):
    """A number; ``whole`` for integers; bounds are inclusive unless ``above`` is given."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    whole: bool = False

    def problems(self, value: object, at: str, _shapes: Shapes) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            yield Problem("must be an integer" if self.whole else "must be a number", at)
            return
        assert isinstance(value, int | float)
        if self.least is not None and value < self.least:
            yield Problem(f"must be at least {self.least:g}", at)
        if self.above is not None and value <= self.above:
            yield Problem(f"must be more than {self.above:g}", at)
        if self.most is not None and value > self.most:
            yield Problem(f"must be at most {self.most:g}", at)


@dataclass(frozen=True, slots=True)
class Bool(Rule):
    """true or false."""

    def problems(self, value: object, at: str, _shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, bool):
            yield Problem("must be a boolean", at)


@dataclass(frozen=True, slots=True)
class Anything(Rule):
    """Not looked into."""

    def problems(self, _value: object, _at: str, _shapes: Shapes) -> Iterator[Problem]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Items(Rule):
    """An array of ``least`` to ``most`` values that each keep ``of``."""

    of: Rule
    most: int | None = None
    least: int = 0

    def problems(self, value: object, at: str, shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem("must be an array", at)
            return
        if self.most is not None and len(value) > self.most:
            yield Problem(f"no more than {self.most} items allowed", at)
        if len(value) < self.least:
            yield Problem(f"no less than {self.least} items allowed", at)
        for index, item in enumerate(value):
            yield from self.of.problems(item, f"{at}/{index}", shapes)


@dataclass(frozen=True, slots=True)
class Text(Rule):
    """A text object whose text has ``least`` to ``most`` characters."""

    most: int | None
    least: int = 1
    types: tuple[str, ...] = ("plain_text", "mrkdwn")

    def problems(self, value: object, at: str, _shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem("must be an object", at)
            return
        kind, text = value.get("type"), value.get("text")
        if kind not in self.types:
            yield Problem(f"must be one of: {', '.join(self.types)}", f"{at}/type")
        # emoji goes with plain_text only and verbatim with mrkdwn only (reference: composition-objects/text-object)
        known = {"type", "text", "emoji" if kind == "plain_text" else "verbatim"}
        for name in value:
            if name not in known:
                yield Problem(f"invalid additional property: {name}", at)
        if not isinstance(text, str):
            yield Problem("missing required field: text" if text is None else "must be a string", at)
            return
        yield from _length(text, f"{at}/text", self.least, self.most)


@dataclass(frozen=True, slots=True)
class Object(Rule):
    """An object without a ``type`` of its own: one of ``family``'s shapes, named."""

    family: str
    name: str

    def problems(self, value: object, at: str, shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem("must be an object", at)
            return
        yield from shapes[self.family][self.name].problems(value, at, shapes)


@dataclass(frozen=True, slots=True)
class Typed(Rule):
    """An object whose ``type`` says which of ``family``'s shapes it has, among ``names`` (empty: any of them)."""

    family: str
    names: frozenset[str] = frozenset()

    def problems(self, value: object, at: str, shapes: Shapes) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem("must be an object", at)
            return
        kind = value.get("type")
        shape = shapes[self.family].get(kind) if isinstance(kind, str) else None
        if shape is None or (self.names and kind not in self.names):
            yield Problem(f"unsupported type: {kind}", f"{at}/type")
            return
        yield from shape.problems(value, at, shapes)


def _length(text: str, at: str, least: int, most: int | None) -> Iterator[Problem]:
    if len(text) < least:
        yield Problem(f"must be more than {least - 1} characters", at)
    if most is not None and len(text) > most:
        yield Problem(f"must be less than {most + 1} characters", at)


def one_of(*names: str, at_most_one: bool = True) -> Check:
    """At least one of these properties; by default not several."""

    def check(value: Mapping[str, object], at: str) -> Iterator[Problem]:
        given = [name for name in names if value.get(name) is not None]
        if not given:
            yield Problem(f"must define one of: {', '.join(names)}", at)
        elif at_most_one and len(given) > 1:
            yield Problem(f"cannot define both: {', '.join(given)}", at)

    return check
