"""Where templates run: sandboxed, strict about names, and with every inserted value marked as a value."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import TracebackType
from typing import Final, cast

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from markupsafe import Markup

from bot.playbooks import formats
from bot.playbooks.formats import Words
from bot.playbooks.markup import mark

# What a template can die of when its facts are not what it expected.
FAILURES: Final = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


_WORDS: Final = "words"  # the name under which filters find the sentences; pages are not meant to use it


@pass_context
def _finalize(context: Context, value: object) -> Markup:
    """Every `{{ expression }}` passes here: text of our own making stays, all else becomes a marked value."""
    if isinstance(value, Markup):
        return value
    return mark(formats.number(value, _words(context)) if isinstance(value, float) else written(value))


def written(value: object) -> str:
    """A plain value as text: no Python in it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, tuple | list):
        return ", ".join(written(one) for one in value)
    return str(value)


def _counted(words: Words, number: int | str, one: str, many: str = "") -> str:
    """`1 node`, `1,363 nodes`; a quantity that is text stays as it is written."""
    figures = formats.number(number, words) if isinstance(number, int) else str(number)
    return f"{figures} {one if figures == '1' else many or one + 's'}"


def _code(value: object) -> Markup:
    return Markup("`") + mark(written(value)) + Markup("`")


def _uncapitalised(text: str) -> str:
    """For a sentence inside another one; a word in capitals, or none of ours, stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _words(context: Context) -> Words:
    return cast(Words, context[_WORDS])


@pass_context
def _names(context: Context, values: object, last: str = ", ", most: int = 4) -> Markup:
    """Each in code, `last` before the last one; past `most`, how many more."""
    given = list(values) if isinstance(values, tuple | list) else [values]
    shown = [_code(value) for value in given[: most if len(given) > most + 1 else most + 1]]
    comma = Markup(", ")
    if len(given) > most + 1:  # "and 1 more" would be no shorter than its name
        return _words(context).marked("list.more", shown=comma.join(shown), count=len(given) - most)
    if len(shown) < 2:
        return comma.join(shown)
    # `last` comes from a page: its author's text, not a value
    return comma.join(shown[:-1]) + Markup(last) + shown[-1]  # noqa: S704


@pass_context
def _amount(context: Context, number: int | str, resource: str) -> Markup:
    """`8 EFA interfaces`: a count of a resource, by the resource's usual name where the language has one."""
    words = _words(context)
    key = f"amount.{resource}"
    return words.marked(key if words.has(key) else "amount.other", n=number, resource=resource)


@pass_context
def _price(context: Context, price: float) -> Markup:
    words = _words(context)
    return words.marked("price", figure=formats.figure(price, words))


@pass_context
def _count(context: Context, number: int | str, one: str, many: str = "") -> str:
    return _counted(_words(context), number, one, many)


@pass_context
def _moment(context: Context, at: datetime | str) -> str:
    return formats.moment(at, _words(context))


@pass_context
def _day(context: Context, at: datetime | str) -> str:
    return formats.moment(at, _words(context), "day")


@pass_context
def _duration(context: Context, seconds: float) -> str:
    return formats.duration(seconds, _words(context))


@pass_context
def _decimal(context: Context, value: float) -> str:
    return formats.decimal(value, _words(context))


def _environment() -> ImmutableSandboxedEnvironment:
    # autoescape is Jinja's way to tell text of a template's own making (Markup) from a value, through macros and `set`;
    # nothing is escaped as HTML, because `_finalize` leaves no plain text to escape.
    environment = ImmutableSandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("safe", "tojson", "urlize", "xmlattr", "escape", "e", "forceescape", "random", "pprint"):
        del environment.filters[name]
    environment.filters |= {
        "amount": _amount,
        "code": _code,
        "counted": _count,
        "day": _day,
        "decimal": _decimal,
        "duration": _duration,
        "moment": _moment,
        "names": _names,
        "price": _price,
        "uncapitalised": _uncapitalised,
    }
    environment.globals = {"range": environment.globals["range"]}
    return environment


_ENVIRONMENT: Final = _environment()
_TEMPLATES: Final = 8192
"""More than there are pages and sentences in all languages: with fewer, a check of all would compile each of them anew."""


def syntax_tree(source: str) -> nodes.Template:
    """Raises jinja2.TemplateSyntaxError."""
    return _ENVIRONMENT.parse(source)


@lru_cache(maxsize=_TEMPLATES)
def names_in(source: str) -> frozenset[str]:
    """The values that a template asks for. Raises jinja2.TemplateSyntaxError."""
    return frozenset(find_undeclared_variables(syntax_tree(source)))


@lru_cache(maxsize=_TEMPLATES)
def template(source: str, file: str) -> Template:
    """A template ready to render. Raises jinja2.TemplateSyntaxError."""
    return Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(source, file, file), _ENVIRONMENT.globals)


def render_whole(of: Template, values: Mapping[str, object], words: Words) -> Markup:
    """A sentence's marked text. Raises one of FAILURES."""
    return Markup(of.render({**values, _WORDS: words}).strip())  # noqa: S704 (not HTML: `parse` is the reader)


def render_blocks(of: Template, values: Mapping[str, object], words: Words) -> dict[str, str]:
    """Each block's marked text; the key "" holds a body that has no blocks. Raises one of FAILURES."""
    context = of.new_context({**values, _WORDS: words})
    if not of.blocks:
        return {"": "".join(of.root_render_func(context))}
    return {name: "".join(block(context)) for name, block in of.blocks.items()}


def failed_line(error: Exception, of: Template) -> int:
    """The template's line in which rendering failed, or 0 when the traceback does not say."""
    line = 0
    trace: TracebackType | None = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == of.filename:
            line = of.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
