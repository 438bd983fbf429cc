"""What a source's trouble is called where a person is told of it: the sentence `error.<code>` of the catalogue."""

from typing import Final

from bot.slack.services import Failed
from bot.sources.errors import ClusterUnreachable, CredentialsExpired, NotPermitted, SourceError

_CODES: Final[tuple[tuple[type[SourceError], str], ...]] = (
    (CredentialsExpired, "credentials-expired"),
    (NotPermitted, "not-permitted"),
    (ClusterUnreachable, "cluster-unreachable"),
)


def failed(error: SourceError, asked: str) -> Failed:
    """The failure as the Slack room tells it."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "cluster-unreachable")
    return Failed(code=code, facts={"asked": asked, "why": str(error)})
