"""AWS's error codes in a text that has no line of Karpenter's: a copied error, a console's message, an older release's words.

Only where the code stands as AWS writes it, before a colon or in a field of its own: people's own words prove nothing.
"""

import re
from collections.abc import Iterator
from typing import Final

from bot.diagnosis.launches import CAUSE_OF_CODE, launch_causes
from bot.diagnosis.pasted.told import Told, need
from bot.karpenter import LaunchFailure, Signal, SignalKind, parse_launch_failure
from bot.model.diagnosis import Cause

LONGEST_TEXT: Final = 400_000
LONGEST_MESSAGE: Final = 1_200
_NAMES: Final = "|".join(re.escape(code) for code in sorted(CAUSE_OF_CODE, key=len, reverse=True))
_SAID: Final = re.compile(rf"(?<![\w.])(?:{_NAMES}): (?=\S)")
_DENIED: Final = re.compile(r"User: arn:aws[\w-]*:\S{1,512} is not authorized to perform:? [a-z0-9-]{2,40}:[A-Z]\w+")


def read_codes(text: str) -> Iterator[Told]:
    """The causes that AWS's own words in the text prove. Never raises."""
    shown = text[:LONGEST_TEXT]
    found = _SAID.search(shown) or _DENIED.search(shown)
    if found is not None:
        message = shown[found.start() : found.start() + LONGEST_MESSAGE].split("\n\n", maxsplit=1)[0]
        code = "" if found.re is _SAID else "AccessDenied: "
        failure = parse_launch_failure(f"creating nodeclaim, with fleet error(s), {code}{message}")
        if failure is not None and failure.errors:
            yield Told(topic="launch-failed", causes=_causes(message, failure), needs=(need("launch-log"),))


def _causes(message: str, failure: LaunchFailure) -> tuple[Cause, ...]:
    return launch_causes(Signal(kind=SignalKind.LAUNCH_FAILED, message=message.strip()), failure)
