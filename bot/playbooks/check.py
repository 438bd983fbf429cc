"""Everything that can be wrong with playbooks, found without a cluster: `karpenter-bot playbooks check`."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from jinja2 import TemplateSyntaxError, nodes

from bot.model.diagnosis import Cause, Constraint, Diagnosis, Editor, Kind, Opens, Remedy, Verdict
from bot.model.objects import ObjectRef
from bot.playbooks.contract import BLOCKS, CAUSES, CONTEXT, REMEDIES
from bot.playbooks.gap_words import GAPS, WRITTEN
from bot.playbooks.library import Playbooks
from bot.playbooks.pages import SUFFIX, Page
from bot.playbooks.phrases import Phrases, Sentence
from bot.playbooks.problems import Problem, did_you_mean
from bot.playbooks.rendering import PageError, render_page, shared_context
from bot.playbooks.sandbox import FAILURES, failed_line, names_in, render_whole, syntax_tree, template
from bot.playbooks.wording import OPEN_PREFIXES, SENTENCES

_POD: Final = ObjectRef(api_version="v1", kind="Pod", namespace="default", name="train-0")
_KNOWN: Final = {**GAPS, **SENTENCES}
_FOREIGN: Final = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def check_playbooks(playbooks: Playbooks) -> tuple[Problem, ...]:
    """All problems, sorted by file and line: each page alone, the languages side by side, the sentences."""
    found = [*playbooks.problems]
    for page in playbooks.pages:
        found += _page(page, playbooks.phrases(page.language))
    for cause in CAUSES:
        found += _languages(cause, playbooks)
    for language in playbooks.languages:
        found += _sentences(language, playbooks)
    return tuple(sorted(set(found)))


def unusable(playbooks: Playbooks, files: Container[str]) -> tuple[Problem, ...]:
    """Why some of these files cannot speak at all: front matter, a template, a sentence that does not render."""
    found = [problem for problem in playbooks.problems if problem.file in files]
    for page in playbooks.pages:
        found += _page(page, playbooks.phrases(page.language)) if page.file in files and page.own else ()
    for language, known in playbooks.sentences.items():
        phrases = playbooks.phrases(language)
        for sentence in (one for sentences in known.values() for one in sentences if one.file in files):
            found += _sentence(sentence, SENTENCES.get(sentence.key, _open_example(sentence.key)), phrases)
    return tuple(sorted(set(found)))


# -- one page ------------------------------------------------------------------------------------------------------


def _page(page: Page, phrases: Phrases) -> Iterator[Problem]:
    try:
        tree = syntax_tree(page.source)
    except TemplateSyntaxError as error:
        message = f"the template does not parse: {error.message}"
        yield _problem(page, error.lineno, message, "Mend the Jinja at this line.")
        return
    wrong = [*_blocks(page, tree), *_names(page, tree), *_facts(page, tree)]
    yield from wrong
    if not wrong:
        yield from _rendering(page, phrases)


def _problem(page: Page, line: int, message: str, remedy: str) -> Problem:
    return Problem(file=page.file, line=line, message=message, remedy=remedy)


def _blocks(page: Page, tree: nodes.Template) -> Iterator[Problem]:
    for foreign in tree.find_all(_FOREIGN):
        yield _problem(page, foreign.lineno, "a page cannot use other templates", "Write its text here.")
    blocks = list(tree.find_all(nodes.Block))
    for block in blocks:
        if block.name not in BLOCKS:
            yield _problem(page, block.lineno, f"unknown block `{block.name}`", did_you_mean(block.name, BLOCKS))
    for stray in _texts_outside(tree) if blocks else ():
        yield _problem(page, stray, "this text stands in no block and is never shown", "Move it into a block.")


def _texts_outside(tree: nodes.Template) -> Iterator[int]:
    for output in tree.body:
        for text in output.nodes if isinstance(output, nodes.Output) else ():
            if isinstance(text, nodes.TemplateData) and text.data.strip():
                before = text.data[: len(text.data) - len(text.data.lstrip())]
                yield text.lineno + before.count("\n")
            elif not isinstance(text, nodes.TemplateData):
                yield text.lineno


def _names(page: Page, tree: nodes.Template) -> Iterator[Problem]:
    """Names that no template is given, and attributes that they do not have."""
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    own |= {macro.name for macro in tree.find_all(nodes.Macro)} | {"loop", "self", "range"}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in CONTEXT and name.name not in own:
            yield _problem(page, name.lineno, f"undefined variable `{name.name}`", did_you_mean(name.name, CONTEXT))
    for base, attribute, line in _attributes(tree):
        known = CONTEXT.get(base, frozenset())
        if known and base not in own and attribute not in known:
            message = f"undefined variable `{base}.{attribute}`"
            yield _problem(page, line, message, did_you_mean(attribute, known))


def _facts(page: Page, tree: nodes.Template) -> Iterator[Problem]:
    used = {(attribute, line) for base, attribute, line in _attributes(tree) if base == "facts"}
    for name, line in sorted(used, key=lambda one: one[1]):
        if name not in page.examples:
            remedy = f"List it under `facts`: `{name}: {{is: ..., example: ...}}`. {did_you_mean(name, page.examples)}"
            yield _problem(page, line, f"undefined variable `facts.{name}`", remedy)
    for name in sorted(set(page.examples) - {name for name, _ in used}):
        yield _problem(page, 1, f"fact `{name}` is listed but not used", "Use it or take it out of the front matter.")


def _attributes(tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
    """`base.attribute` and `base["attribute"]`, with their lines."""
    for dotted in tree.find_all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name):
            yield dotted.node.name, dotted.attr, dotted.lineno
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            yield item.node.name, item.arg.value, item.lineno


def _rendering(page: Page, phrases: Phrases) -> Iterator[Problem]:
    for cause in page.causes:
        example = example_diagnosis(cause, page)
        try:
            render_page(page, example.causes[0], shared_context(example, phrases), phrases)
        except PageError as failure:
            yield failure.problem


def example_diagnosis(cause: str, page: Page) -> Diagnosis:
    """A diagnosis with one cause whose facts are the page's examples, to see the page without a cluster."""
    constraint = Constraint(
        id="c1",
        kind=Kind.RESOURCE,
        object=_POD,
        field="spec.containers[0].resources.requests",
        value="vpc.amazonaws.com/efa=8",
        editor=Editor.POD_OWNER,
        nodepool="gpu",
    )
    remedy = Remedy(
        id="reduce-resource",
        relaxes=(constraint,),
        edits=(),
        opens=Opens(offerings=2, instance_types=("g6e.8xlarge",), zones=("ap-northeast-2a",)),
        nodepool="gpu",
        facts=REMEDIES["reduce-resource"],
    )
    given = Cause(id=cause, constraints=(constraint,), facts=page.examples, nodepools=("gpu",))
    return Diagnosis(pod=_POD, uid="", verdict=Verdict.BLOCKED, causes=(given,), remedies=(remedy,))


# -- languages and sentences ---------------------------------------------------------------------------------------


def _languages(cause: str, playbooks: Playbooks) -> Iterator[Problem]:
    """Every language has a page for the cause, and those of one author use the same facts in all languages."""
    pages = [page for page in playbooks.pages if cause in page.causes]
    for language in playbooks.languages:
        if not any(page.language == language for page in pages):
            file, message = f"{language}/{cause}{SUFFIX}", f"no page for the cause `{cause}`"
            yield Problem(file=file, line=0, message=message, remedy="Write the page.")
    for page in pages:
        others = [other for other in pages if other.own == page.own and other is not page]
        for name in sorted({name for other in others for name in other.examples} - set(page.examples)):
            where = ", ".join(other.file for other in others if name in other.examples)
            message = f"fact `{name}` is not used here, but in {where}"
            yield _problem(page, 1, message, "Say the same in every language.")


def _sentences(language: str, playbooks: Playbooks) -> Iterator[Problem]:
    known = playbooks.sentences.get(language, {})
    elsewhere = {key for sentences in playbooks.sentences.values() for key in sentences if _is_shared(key)}
    of_gaps = GAPS.keys() if language != WRITTEN else set()
    for key in sorted((SENTENCES.keys() | elsewhere | of_gaps) - known.keys()):
        remedy = f"Write it in a catalogue of `{language}/`."
        yield Problem(file=f"{language}/", line=0, message=f"no sentence for `{key}`", remedy=remedy)
    phrases = playbooks.phrases(language)
    for key, sentences in known.items():
        for sentence in sentences:
            yield from _sentence(sentence, _KNOWN.get(key, _open_example(key)), phrases)


def _is_shared(key: str) -> bool:
    """Whether a key that one language has is needed in all of them."""
    return _open_example(key) is not None and not key.startswith("amount.")


def _open_example(key: str) -> Mapping[str, object] | None:
    return next((example for prefix, example in OPEN_PREFIXES.items() if key.startswith(prefix)), None)


def _sentence(sentence: Sentence, example: Mapping[str, object] | None, phrases: Phrases) -> Iterable[Problem]:
    line = sentence.source.count("\n", 0, len(sentence.source) - len(sentence.source.lstrip("\n"))) + 1
    if example is None:
        message = f"unknown sentence `{sentence.key}`"
        yield Problem(file=sentence.file, line=line, message=message, remedy=did_you_mean(sentence.key, SENTENCES))
        return
    try:
        unknown = sorted(names_in(sentence.source) - example.keys())
        compiled = template(sentence.source, sentence.file)
    except TemplateSyntaxError as error:
        message = f"`{sentence.key}` does not parse: {error.message}"
        yield Problem(file=sentence.file, line=error.lineno, message=message, remedy="Mend the Jinja at this line.")
        return
    for name in unknown:
        message = f"undefined variable `{name}` in `{sentence.key}`"
        yield Problem(file=sentence.file, line=line, message=message, remedy=did_you_mean(name, example))
    if unknown:
        return
    try:
        said = render_whole(compiled, example, phrases)
    except FAILURES as error:
        message = f"`{sentence.key}`: {' '.join(str(error).split())}"
        remedy = f"Use only: {', '.join(sorted(example)) or 'no values'}."
        yield Problem(file=sentence.file, line=failed_line(error, compiled) or line, message=message, remedy=remedy)
        return
    if not said.strip():
        yield Problem(
            file=sentence.file, line=line, message=f"`{sentence.key}` says nothing", remedy="Write a sentence."
        )
