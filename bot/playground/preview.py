"""The live preview of playbooks: a recorded case as the pages word it now, and what is wrong with the pages."""

import asyncio
from typing import Any

from bot.app import answer_from_snapshot
from bot.model.diagnosis import Diagnosis
from bot.playbooks import Playbooks, render
from bot.playbooks.focus import focused
from bot.playground.clusters import Recording
from bot.reloading import FollowedPlaybooks
from bot.slack.blocks import answer
from bot.sources.pod_search import PodQuestion

Choice = tuple[str, str]
"""A recording's name and a language."""


class Preview:
    """What each person of the page previews."""

    def __init__(self, recordings: tuple[Recording, ...], playbooks: Playbooks) -> None:
        self._recordings = {one.name: one for one in recordings if one.question}
        self._playbooks = playbooks
        self._decided: dict[str, Diagnosis] = {}
        self._chosen: dict[str, Choice] = {}
        self._made: dict[tuple[Choice, int], dict[str, Any]] = {}

    async def choose(self, user: str, case: str, language: str) -> None:
        """From now on this is what the person sees. Raises KeyError, ValueError, SnapshotError."""
        if language not in self._playbooks.languages:
            raise ValueError(f"no pages in {language}")
        recording = self._recordings[case]
        if case not in self._decided:
            question = PodQuestion.parse(recording.question)
            answered = await asyncio.to_thread(answer_from_snapshot, recording.folder, question)
            self._decided[case] = focused(answered.diagnosis)
        self._chosen[user] = (case, language)

    def seen(self, user: str) -> dict[str, Any]:
        """The choices there are and, once one is made, the answer: blocks, the pages that spoke, what is wrong."""
        followed = self._playbooks if isinstance(self._playbooks, FollowedPlaybooks) else None
        version = followed.version if followed else 0
        about = {
            "cases": list(self._recordings),
            "languages": list(self._playbooks.languages),
            "folders": [str(folder) for folder in followed.folders] if followed else [],
            "problems": [str(problem) for problem in followed.trouble] if followed else [],
        }
        chosen = self._chosen.get(user)
        if chosen is None:
            return {**about, "shown": None}
        key = (chosen, version)
        if key not in self._made:
            self._made = {known: made for known, made in self._made.items() if known[1] == version}
            self._made[key] = self._shown(*chosen)
        return {**about, "shown": self._made[key]}

    def _shown(self, case: str, language: str) -> dict[str, Any]:
        diagnosis = self._decided[case]
        rendered = render(diagnosis, self._playbooks, language)
        message = answer(rendered, self._playbooks.phrases(language))
        spoken = (self._playbooks.pages_for(cause.id, language) for cause in diagnosis.causes)
        return {
            "case": case,
            "language": language,
            "blocks": list(message.blocks),
            "pages": [f"{pages[0].file}{' (yours)' if pages[0].own else ''}" for pages in spoken if pages],
            "problems": [str(problem) for problem in rendered.problems],
        }
