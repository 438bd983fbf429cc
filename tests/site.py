"""The documentation site: docs/ as it is written, and the pages that are made from playbooks, cases and golden answers.

`python -m tests.site` writes build/docs and builds build/site with warnings as errors.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bot import packaged
from bot.model.diagnosis import Verdict
from bot.playbooks import CAUSES, REMEDIES, Line, Page, Phrases, Playbooks
from bot.playbooks.check import example_diagnosis
from bot.playbooks.rendering import render_page, shared_context
from tests.recorded import GOLDEN, RECORDED

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "docs"
HEADINGS = {
    "en": (
        "Causes",
        "Example",
        "Why",
        "What to check",
        "What the page knows",
        "A recorded answer",
        "Fact",
        "Example value",
    ),
    "ko": ("원인", "예", "이유", "확인할 것", "페이지가 쓰는 사실", "녹화된 답변", "사실", "예시 값"),
}


def written(build: Path = BUILD) -> Path:
    """Writes every page anew; the folder."""
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(ROOT / "docs", build)
    playbooks = packaged.load_playbooks()
    for language in HEADINGS:
        folder = build / ("causes" if language == "en" else f"{language}/causes")
        folder.mkdir(parents=True)
        for name, text in _causes(playbooks, language):
            (folder / name).write_text(text, encoding="utf-8")
    (build / "remedies.md").write_text(_remedies(playbooks.phrases("en")), encoding="utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (build / "contributing.md").write_text(_without_links(contributing), encoding="utf-8")
    return build


def built(source: Path = BUILD, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Builds the site; warnings are errors."""
    more = ["--site-dir", str(site)] if site else []
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace("build/docs", str(source.resolve()))
    file = source.parent / "mkdocs.yml"
    file.write_text(config.replace("build/site", str(source.parent / "site")), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(file), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _causes(playbooks: Playbooks, language: str) -> Iterator[tuple[str, str]]:
    shown: list[tuple[str, str]] = []
    for cause in sorted(CAUSES):
        page = playbooks.pages_for(cause, language)[0]
        shown.append((cause, page.title))
        yield f"{cause}.md", _cause(cause, page, playbooks.phrases(language))
    index = "\n".join(f"- [{title}]({cause}.md) `{cause}`" for cause, title in shown)
    yield "index.md", f"# {HEADINGS[language][0]}\n\n{index}\n"


def _cause(cause: str, page: Page, phrases: Phrases) -> str:
    _, example, why, check, knows, recorded, fact, value = HEADINGS[phrases.language]
    diagnosis = example_diagnosis(cause, page)
    said = render_page(page, diagnosis.causes[0], shared_context(diagnosis, phrases), phrases)
    parts = [f"# {page.title}", f"`{cause}`", f"## {example}", f"> {_md(said.headline)}"]
    for title, lines in ((why, said.because), (check, said.check)):
        if lines:
            parts.append(f"## {title}\n\n" + "\n\n".join(map(_md, lines)))
    rows = "\n".join(f"| `{name}` | {_cell(one)} |" for name, one in sorted(page.examples.items()))
    parts.append(f"## {knows}\n\n| {fact} | {value} |\n| --- | --- |\n{rows}" if rows else "")
    for case in RECORDED:
        causes = case.answered.diagnosis.causes
        if causes and causes[0].id == cause:
            answer = (GOLDEN / f"{case.name}.{phrases.language}.txt").read_text(encoding="utf-8")
            parts.append(f"## {recorded}\n\n{case.spec['about']}\n\n```text\n{answer}```")
            break
    return "\n\n".join(filter(None, parts)) + "\n"


def _remedies(phrases: Phrases) -> str:
    rows = []
    for remedy, facts in sorted(REMEDIES.items()):
        caution = f"remedy.{remedy}.caution"
        risk = " ".join(map(_md, phrases.lines(caution, **facts))) if phrases.has(caution) else "—"
        rows.append(f"| `{remedy}` | {_md(phrases.line(f'remedy.{remedy}.summary', **facts))} | {risk or '—'} |")
    head = "| remedy | what it says, with example values | what to know before |\n| --- | --- | --- |\n"
    verdicts = ", ".join(f"`{verdict.value}`" for verdict in Verdict)
    return (
        "# Remedies and their risks\n\nThe smallest changes that open a node, as answers word them. "
        f"The bot ranks them by safety, by what they open and by price.\n\n{head}"
        + "\n".join(rows)
        + f"\n\nVerdicts of an answer: {verdicts}.\n"
    )


def _md(line: Line) -> str:
    """A line as Markdown: code stays code, everything else is text."""
    return "".join(
        f"`{span.text}`"
        if span.code
        else f"**{span.text.strip()}**"
        if span.bold and span.text.strip()
        else _text(span.text)
        for span in line.spans
    )


def _text(text: str) -> str:
    for character in "\\<>*_|[]":
        text = text.replace(
            character, f"\\{character}" if character not in "<>" else {"<": "&lt;", ">": "&gt;"}[character]
        )
    return text


def _cell(value: object) -> str:
    return f"`{', '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _without_links(text: str) -> str:
    """CONTRIBUTING.md links into the repository, which the site does not hold."""
    for name in ("ARCHITECTURE.md", "tests/oracle/README.md", "tests/cases/README.md"):
        text = text.replace(f"]({name})", "]").replace(f"[{name}]", f"`{name}`").replace("([how])", "")
    return text


def main() -> int:
    """Writes and builds; the exit code."""
    done = built(written())
    print(done.stderr or f"built {ROOT / 'build' / 'site'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
