"""The recorded cases under tests/cases, and their answers as a person or a script gets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import yaml

from bot import app, packaged
from bot.catalogues import Catalogues
from bot.contract import as_json
from bot.playbooks import render
from bot.playbooks.focus import focused
from bot.sources.pod_search import PodQuestion
from bot.terminal import render_text

CASES = Path(__file__).parent / "cases"
GOLDEN = Path(__file__).parent / "golden"
LANGUAGES = ("en", "ko")
_CATALOGUES = Catalogues()
_PLAYBOOKS = packaged.load_playbooks()


@dataclass(frozen=True)
class RecordedCase:
    """One folder of tests/cases: a recorded cluster and its question."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """case.yaml: question, about, expect."""
        spec: Mapping[str, Any] = yaml.safe_load((self.folder / "case.yaml").read_text(encoding="utf-8"))
        return spec

    @property
    def expect(self) -> Mapping[str, Any]:
        """What is right, worked out by hand."""
        expected: Mapping[str, Any] = self.spec["expect"]
        return expected

    @cached_property
    def answered(self) -> app.Answered:
        """The bot's answer."""
        question = PodQuestion.parse(self.spec["question"])
        return app.answer_from_snapshot(self.folder, question, _CATALOGUES)

    def text(self, language: str) -> str:
        """The answer as the terminal shows it."""
        rendered = render(focused(self.answered.diagnosis), _PLAYBOOKS, language)
        return render_text(rendered, _PLAYBOOKS.phrases(language)) + "\n"

    def json(self) -> str:
        """The answer as `-o json` prints it, without the time it took."""
        rendered = render(self.answered.diagnosis, _PLAYBOOKS, "en")
        whole = as_json(self.answered.diagnosis, rendered, 0.0)
        return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n"

    def answers(self) -> dict[str, str]:
        """File name in tests/golden to content."""
        texts = {f"{self.name}.{language}.txt": self.text(language) for language in LANGUAGES}
        return {**texts, f"{self.name}.json": self.json()}


RECORDED = tuple(RecordedCase(path.parent) for path in sorted(CASES.glob("*/case.yaml")))
