"""Playbooks: all pages and sentences, ours and the operator's, chosen by cause and language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from bot.playbooks.pages import SUFFIX, Page, language_of, read_page
from bot.playbooks.phrases import Phrases, Sentence, read_catalogue
from bot.playbooks.problems import Problem

DEFAULT_LANGUAGE: Final = "en"


class Playbooks(Protocol):
    """Pages and sentences, as whoever words something sees them: a Shelf, or one that follows its folders."""

    @property
    def pages(self) -> tuple[Page, ...]:
        """Every page."""
        ...

    @property
    def sentences(self) -> Mapping[str, Mapping[str, tuple[Sentence, ...]]]:
        """Language -> key -> the sentences for it, best first."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What reading alone shows; `check` finds the rest."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have pages, sorted."""
        ...

    def pages_for(self, cause: str, language: str) -> tuple[Page, ...]:
        """Pages for a cause, best first."""
        ...

    def title(self, cause: str, language: str) -> str:
        """A cause's short name."""
        ...

    def phrases(self, language: str) -> Phrases:
        """The sentences of a language, English where it lacks one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Playbooks as they were read once."""

    pages: tuple[Page, ...]
    sentences: Mapping[str, Mapping[str, tuple[Sentence, ...]]]
    problems: tuple[Problem, ...] = ()
    _spoken: dict[str, Phrases] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have pages, sorted."""
        return tuple(sorted({page.language for page in self.pages}))

    def pages_for(self, cause: str, language: str) -> tuple[Page, ...]:
        """Pages for a cause, best first: the operator's before ours, the asked language before English."""
        fitting = [p for p in self.pages if cause in p.causes and p.language in (language, DEFAULT_LANGUAGE)]
        return tuple(sorted(fitting, key=lambda p: (p.language != language, not p.own)))

    def title(self, cause: str, language: str) -> str:
        """A cause's short name; its id when no page has one."""
        pages = self.pages_for(cause, language)
        return pages[0].title if pages else cause

    def phrases(self, language: str) -> Phrases:
        """The sentences of a language, English where it lacks one."""
        if language not in self._spoken:
            asked, default = self.sentences.get(language, {}), self.sentences.get(DEFAULT_LANGUAGE, {})
            keys = {**default, **asked}
            sentences = {key: (*asked.get(key, ()), *default.get(key, ())) for key in keys}
            self._spoken[language] = Phrases(language, sentences)
        return self._spoken[language]


def read_playbooks(built_in: Mapping[str, str], own: Mapping[str, str] | None = None) -> Shelf:
    """Reads files given as path -> text; a path ends in `<language>/<id>.md.j2` or `<language>/_<name>.yaml`.

    A page in `own` replaces the built-in one for its causes, a sentence the built-in one with its key. Never raises:
    files that cannot be read are left out and named in `problems`.
    """
    pages: list[Page] = []
    sentences: dict[str, dict[str, tuple[Sentence, ...]]] = {}
    problems: list[Problem] = []
    for texts, is_own in ((own or {}, True), (built_in, False)):
        for file, text in sorted(texts.items()):
            problems += _misplaced(file)
            if file.endswith(SUFFIX):
                page, wrong = read_page(file, text, own=is_own)
                pages += [page] if page else []
            elif file.endswith(".yaml"):
                found, wrong = read_catalogue(file, text)
                _add(sentences.setdefault(language_of(file), {}), found)
            else:
                wrong = (_unknown_file(file),)
            problems += wrong
    problems += _duplicates(pages)
    return Shelf(pages=tuple(pages), sentences=sentences, problems=tuple(sorted(set(problems))))


def _add(known: dict[str, tuple[Sentence, ...]], found: Iterable[Sentence]) -> None:
    for sentence in found:
        known[sentence.key] = (*known.get(sentence.key, ()), sentence)


def _misplaced(file: str) -> tuple[Problem, ...]:
    if language_of(file):
        return ()
    remedy = "Put it into a folder named for its language, such as `en/`."
    return (Problem(file=file, line=0, message="the file lies in no language's folder", remedy=remedy),)


def _unknown_file(file: str) -> Problem:
    remedy = f"Name pages `<id>{SUFFIX}` and catalogues `_<name>.yaml`."
    return Problem(file=file, line=0, message="neither a page nor a catalogue", remedy=remedy)


def _duplicates(pages: Iterable[Page]) -> Iterable[Problem]:
    first: dict[tuple[str, str, bool], Page] = {}
    for page in pages:
        for cause in page.causes:
            other = first.setdefault((cause, page.language, page.own), page)
            if other is not page:
                message = f"`{cause}` already has the page {other.file}"
                yield Problem(file=page.file, line=0, message=message, remedy="Keep one page for a cause.")
