"""Playbooks that follow their folders: a changed page speaks from the next answer on, without a restart.

A folder may be a mounted ConfigMap, whose files kubelet swaps all at once by a link. A page that breaks keeps speaking as it
last did well (the shipped one where it never did), and that is said in the log, in the metric `playbook_problems` and by the
doctor.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from bot.packaged import own_files, shipped_playbooks
from bot.playbooks import Page, Phrases, Problem, Shelf, read_playbooks, unusable
from bot.playbooks.phrases import Sentence
from bot.slack.floor import Working
from bot.telemetry.measures import state

LOG: Final = logging.getLogger(__name__)
EVERY: Final = 5.0
"""Seconds between two looks: kubelet itself takes up to a minute to bring a changed ConfigMap."""

Look = tuple[tuple[str, str, int, int, int], ...]


class FollowedPlaybooks:
    """Implements bot.playbooks.Playbooks over folders that may change; `refresh` looks whether they have."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = tuple(map(Path, folders))
        self._shipped = shipped_playbooks()
        self._good: dict[str, str] = {}
        self._look: Look | None = None
        self._shelf = read_playbooks(self._shipped)
        self._one_at_a_time = Lock()
        self.version = 0
        """Counts how often something else was read."""
        self.trouble: tuple[Problem, ...] = ()
        """What is wrong with files in the folders now."""
        self.refresh()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the operator's own files lie."""
        return self._folders

    def refresh(self) -> bool:
        """Reads anew if a file came, went or changed; whether it did. Never raises: what cannot be read stays as it was."""
        with self._one_at_a_time:
            return self._refreshed()

    def _refreshed(self) -> bool:
        try:
            look = _looked(self._folders)
            if look == self._look:
                return False
            texts = {name: Path(place).read_text("utf-8") for name, place, *_ in look}
        except (OSError, UnicodeDecodeError) as error:
            self._tell(
                (Problem(file=str(getattr(error, "filename", "") or ""), line=0, message=str(error), remedy=""),)
            )
            return False
        self._look = look
        self._take(texts)
        return True

    def _take(self, texts: Mapping[str, str]) -> None:
        """Takes what can speak; for what cannot, its last version that could."""
        shelf = read_playbooks(self._shipped, texts)
        wrong = unusable(shelf, texts)
        broken = {problem.file for problem in wrong}
        best = {name: self._good.get(name) if name in broken else text for name, text in texts.items()}
        self._good = {name: text for name, text in best.items() if text is not None}
        self._shelf = read_playbooks(self._shipped, self._good) if broken else shelf
        self.version += 1
        self._tell(wrong)

    def _tell(self, wrong: tuple[Problem, ...]) -> None:
        state("playbook_problems", len(wrong))
        for problem in wrong:
            if problem not in self.trouble:
                LOG.warning("a playbook stays as it was: %s", problem)
        self.trouble = wrong

    # -- as Playbooks --------------------------------------------------------------------------------------------------

    @property
    def pages(self) -> tuple[Page, ...]:
        """Every page, now."""
        return self._shelf.pages

    @property
    def sentences(self) -> Mapping[str, Mapping[str, tuple[Sentence, ...]]]:
        """Every sentence, now."""
        return self._shelf.sentences

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What reading shows, now."""
        return self._shelf.problems

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have pages, now."""
        return self._shelf.languages

    @property
    def now(self) -> Shelf:
        """What was read last."""
        return self._shelf

    def pages_for(self, cause: str, language: str) -> tuple[Page, ...]:
        """Pages for a cause, now."""
        return self._shelf.pages_for(cause, language)

    def title(self, cause: str, language: str) -> str:
        """A cause's name, now."""
        return self._shelf.title(cause, language)

    def phrases(self, language: str) -> Phrases:
        """A language's sentences, now."""
        return self._shelf.phrases(language)


class Following(Working):
    """Looks at the folders every few seconds while the bot serves."""

    def __init__(self, playbooks: FollowedPlaybooks, *, seconds: float = EVERY) -> None:
        self._playbooks, self._seconds = playbooks, seconds

    async def start(self) -> None:
        """Begins to look."""
        state("playbook_problems", len(self._playbooks.trouble))
        await super().start()

    async def work(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            if await asyncio.to_thread(self._playbooks.refresh):
                LOG.info("the playbooks have changed and were read anew")


def _looked(folders: Sequence[Path]) -> Look:
    """Name, place, inode, size and time of every file: a swapped link, an edit in place and a rename all show."""
    found = {}
    for folder in folders:
        for name, file in own_files(folder).items():
            about = file.stat()
            found[name] = (name, str(file), about.st_ino, about.st_size, about.st_mtime_ns)
    return tuple(found[name] for name in sorted(found))
