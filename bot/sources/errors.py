"""What can keep a whole question from being read. A gap that costs only a part of the answer is a `Missing` instead."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.model.world import Missing


class SourceError(Exception):
    """Base: nothing can be answered. The message is one line for the person who asked."""


class ClusterUnreachable(SourceError):  # noqa: N818 (reads as what is the case)
    """No kubeconfig, no route to the API server, a name that does not resolve, a certificate that is not trusted."""


class CredentialsExpired(SourceError):  # noqa: N818
    """The API server does not know who asks: the token ran out or there is none."""


class NotPermitted(SourceError):  # noqa: N818
    """The pod itself may not be read, so there is no question to answer."""


class PodNotFound(SourceError):  # noqa: N818
    """No such pod, or none that is pending. All names as `namespace/name`.

    `nearest`: names like the question, the most similar first. `fits`: pods that fit it but are not pending, or are in
    another namespace.
    """

    def __init__(self, question: str, nearest: tuple[str, ...] = (), *, fits: tuple[str, ...] = ()) -> None:
        if fits:
            super().__init__(f"no pending pod `{question}`; not pending, or elsewhere: {', '.join(fits)}")
        else:
            hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
            super().__init__(f"no pod `{question}`{hint}")
        self.question = question
        self.nearest = nearest
        self.fits = fits


class ObjectNotFound(SourceError):  # noqa: N818
    """No object of the name that was asked for; the message says of what kind, and the nearest names."""


class SeveralPods(SourceError):  # noqa: N818
    """The name fits several pods. `candidates` are some of them, as `namespace/name`; `total` is how many fit."""

    def __init__(self, question: str, candidates: tuple[str, ...], total: int) -> None:
        more = f" and {total - len(candidates)} more" if total > len(candidates) else ""
        super().__init__(f"`{question}` fits {total} pods: {', '.join(candidates)}{more}")
        self.question = question
        self.candidates = candidates
        self.total = total


class SnapshotError(SourceError):
    """A file of a snapshot folder cannot be read. The message starts with the file, and the line where it is known."""


class ReadFailed(Exception):  # noqa: N818
    """One read failed. `status` is the HTTP status, 0 when there was no answer at all; `message` is the server's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status = status
        self.message = message


def missing_read(failure: ReadFailed, verb: str, resource: str, where: str = "") -> "Missing":
    """The gap that a failed read leaves, naming the verb and the resource: what a missing RBAC rule would have to allow."""
    from bot.model.gaps import gap_in  # noqa: PLC0415 (the command line imports this module, for its errors alone)

    asked, message = f"{verb} {resource}{where}", failure.message
    match failure.status:
        case 403:
            return gap_in(resource, "no-permission", asked=asked)
        case 404:
            return gap_in(resource, "not-served", resource=resource)
        case 0:
            return gap_in(resource, "no-answer", asked=asked, error=message)
        case status:
            return gap_in(resource, "http", asked=asked, error=message, status=str(status))
