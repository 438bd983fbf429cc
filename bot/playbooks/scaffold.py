"""What `karpenter-bot playbooks new` writes: a page of one's own for a cause in every language, and a first test of it. Pure.

A new page begins as the shipped one: it says the right thing from the first minute, and is changed from there.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import yaml

from bot.playbooks.check import example_diagnosis
from bot.playbooks.contract import BLOCKS, CAUSES
from bot.playbooks.library import Playbooks
from bot.playbooks.markup import plain
from bot.playbooks.pages import SUFFIX, Page
from bot.playbooks.rendering import render

_FENCE: Final = "---\n"


def scaffold(cause: str, playbooks: Playbooks, sources: Mapping[str, str]) -> Mapping[str, str]:
    """Path to text of the new files; `sources` are the shipped pages. Raises KeyError for a cause that is none."""
    files = {}
    for language in playbooks.languages:
        page = next(p for p in playbooks.pages_for(cause, language) if not p.own)
        files[f"{language}/{cause}{SUFFIX}"] = _page(cause, page, sources[page.file])
    files[f"{cause}.tests.yaml"] = "".join(_tests(cause, playbooks))
    return files


def _page(cause: str, page: Page, source: str) -> str:
    """The shipped page with what else could be said in a comment below the front matter."""
    front, _, body = source.removeprefix(_FENCE).partition(f"\n{_FENCE}")
    others = ", ".join(sorted(CAUSES[cause] - set(page.examples) - {"nodepools"}))
    told = [
        f"Blocks, each optional: {', '.join(BLOCKS)}. Alerts show the headline and the first remedy only.",
        f"Facts that this cause has besides: {others}." if others else "",
        "Check it: karpenter-bot playbooks --playbooks DIR check; see it: karpenter-bot playground --playbooks DIR",
    ]
    comment = "\n   ".join(filter(None, told))
    return f"{_FENCE}{front}\n{_FENCE}{{# {comment} #}}\n{body}"


def _tests(cause: str, playbooks: Playbooks) -> Iterator[str]:
    """One test a language: what the page says of its own examples now."""
    yield f"# Tests of your pages for {cause}: karpenter-bot playbooks --playbooks DIR test\n"
    yield "# `facts` (the cause's), or `snapshot` (a recorded cluster, from this file's folder) with `pod`;\n"
    yield "# `says` and `omits` are parts of the answer as a terminal shows it, without line breaks.\n"
    for language in playbooks.languages:
        page = next(p for p in playbooks.pages_for(cause, language) if not p.own)
        rendered = render(example_diagnosis(cause, page), playbooks, language)
        test = {
            "name": f"{cause} in {language}",
            "cause": cause,
            "language": language,
            "facts": {name: list(v) if isinstance(v, tuple) else v for name, v in page.examples.items()},
            "says": [plain(rendered.headline)],
        }
        yield yaml.safe_dump([test], sort_keys=False, allow_unicode=True, width=110)
