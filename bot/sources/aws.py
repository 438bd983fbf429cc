"""AWS clients: the standard credential chain, or a role assumed from it; and what went wrong, in one line."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol

from bot import __version__
from bot.model.gaps import why
from bot.sources.regions import is_opt_in
from bot.telemetry.measures import called

# botocore's adaptive mode slows down by itself where AWS throttles. What is tried again is decided by `pause_before_retry`:
# botocore's own rule tries every broken answer three more times, which costs a person ten seconds for nothing.
_OPTIONS: Final[Mapping[str, Any]] = {
    "retries": {"mode": "adaptive", "total_max_attempts": 1},
    "connect_timeout": 3,
    "read_timeout": 30,
    "max_pool_connections": 16,
    "user_agent_extra": f"karpenter-bot/{__version__}",
}
_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "AuthFailure"}
    | {"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"})
_THROTTLED: Final = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"}
    | {"RequestThrottledException", "TooManyRequestsException", "EC2ThrottledException", "SlowDown"}
)
_SKEWED: Final = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_SKEW_WORDS: Final = ("signature not yet current", "signature expired")
_UNREACHABLE: Final = frozenset(
    {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ProxyConnectionError",
    }
)
_LONGEST: Final = 200
_ATTEMPTS: Final = 4
"""Tries of a throttled call, the first included."""
_BROKEN_STATUSES: Final = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Account:
    """Whose EC2 is asked: the bot's own credentials, or a role they may assume."""

    role_arn: str = ""
    external_id: str = ""


class Clients(Protocol):
    """Hands out AWS clients; tests hand out stubbed ones."""

    def client(self, service: str, region: str, account: Account) -> Any:  # noqa: ANN401 (boto3 has no types)
        """A thread-safe client. Raises botocore's errors."""
        ...

    def close(self) -> None:
        """Ends idle connections. A client that is used again opens new ones."""
        ...


class Boto:
    """Real clients, each made once. Safe to use from several threads."""

    def __init__(self, options: Mapping[str, Any] = _OPTIONS) -> None:
        self._options = options
        self._making = threading.Lock()
        self._sessions: dict[Account, Any] = {}
        self._clients: dict[tuple[str, str, Account], Any] = {}

    def client(self, service: str, region: str, account: Account) -> Any:  # noqa: ANN401
        # 0.3 s of imports that answers from a snapshot need not pay.
        from botocore.config import Config  # noqa: PLC0415

        key = (service, region, account)
        with self._making:
            if account not in self._sessions:
                self._sessions[account] = _session(account, region)
            if key not in self._clients:
                config = Config(**self._options)
                client = self._sessions[account].client(service, region_name=region, config=config)
                client.meta.events.register("needs-retry", pause_before_retry)
                _count_calls(client.meta.events)
                self._clients[key] = client
            return self._clients[key]

    def close(self) -> None:
        with self._making:
            for client in self._clients.values():
                client.close()


def _count_calls(events: Any) -> None:  # noqa: ANN401
    """Every call of the client in the metrics, by botocore's own events (docs: Extensibility guide)."""

    def began(context: dict[str, Any], **_: object) -> None:
        context["karpenter_bot_began"] = perf_counter()

    def ended(model: Any, context: dict[str, Any], parsed: Mapping[str, Any], **_: object) -> None:  # noqa: ANN401
        code = parsed.get("Error", {}).get("Code") if isinstance(parsed.get("Error"), dict) else None
        called("aws", model.name, str(code or "ok"), perf_counter() - context["karpenter_bot_began"])

    def broke(event_name: str, context: dict[str, Any], **_: object) -> None:
        operation = event_name.rpartition(".")[2]
        called("aws", operation, "error", perf_counter() - context["karpenter_bot_began"])

    events.register("before-call", began)
    events.register("after-call", ended)
    events.register("after-call-error", broke)


def _session(account: Account, region: str) -> Any:  # noqa: ANN401
    """`region`: whose STS is asked for the role; what it gives holds in every region."""
    import boto3  # noqa: PLC0415 (see Boto.client)
    import botocore.session  # noqa: PLC0415
    from botocore.credentials import (  # noqa: PLC0415
        AssumeRoleCredentialFetcher,
        DeferredRefreshableCredentials,
    )
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    own = botocore.session.Session()
    if not account.role_arn:
        return boto3.Session(botocore_session=own)
    extra = {"RoleSessionName": "karpenter-bot"} | ({"ExternalId": account.external_id} if account.external_id else {})
    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    sts = partial(own.create_client, region_name=region)
    fetcher = AssumeRoleCredentialFetcher(sts, credentials, account.role_arn, extra_args=extra)
    assumed = botocore.session.Session()
    # refreshed by botocore itself before they run out; nothing is asked of STS before the first call
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.Session(botocore_session=assumed)


def pause_before_retry(
    response: tuple[Any, Mapping[str, Any]] | None = None,
    attempts: int = 1,
    caught_exception: Exception | None = None,
    **_: object,
) -> float | None:
    """Seconds until a call is worth another try, None when it is not (a handler of botocore's event `needs-retry`).

    Throttled: up to three more, twice as late each time. A dead line or a broken server: one more, at once; those that stay
    broken are not worth a person's time. Everything else (no permission, wrong request) says the same again.
    """
    if response is not None:
        http, parsed = response
        if str(parsed.get("Error", {}).get("Code", "")) in _THROTTLED:
            jitter = 0.5 + random.random() / 2  # noqa: S311 (no secret: it only spreads the tries of many)
            return jitter * 0.5 * 2.0**attempts if attempts < _ATTEMPTS else None
        broken = getattr(http, "status_code", 200) in _BROKEN_STATUSES
    else:
        broken = type(caught_exception).__name__ in _UNREACHABLE
    return 0.1 if broken and attempts == 1 else None


def code_of(error: Exception) -> str:
    """AWS's own code for what went wrong, or ""."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def rest_after(error: Exception) -> float:
    """Seconds for which a failed call is not asked again: a permission is not granted from one second to the next."""
    return 300.0 if code_of(error) in _DENIED else 30.0


def why_not(error: Exception, action: str, region: str = "") -> str:
    """One line on a failed call, naming the IAM action: `no access to ec2:DescribeSubnets: AccessDenied`."""
    code, facts = reason(error, action, region)
    return why(code, **facts)


def reason(error: Exception, action: str, region: str = "") -> tuple[str, dict[str, str]]:
    """Which row of bot/model/gaps.py says why a call failed, and its facts."""
    code, name = code_of(error), type(error).__name__
    message = " ".join(str(error).split())[:_LONGEST]
    facts = {"action": action, "code": code, "region": region, "message": message, "name": name}
    if code and any(word in message.lower() for word in _SKEW_WORDS):
        return "aws-skewed", facts
    if code.isdecimal():  # no error of AWS's own, but a gateway's page of HTML
        return "aws-http", facts
    if code in _EXPIRED and is_opt_in(region):
        return "aws-expired-or-region", facts
    if code:
        return next((said for codes, said in _BY_CODE if code in codes), "aws-other"), facts
    return next((said for names, said in _BY_NAME if name in names), "aws-failed"), facts


_BY_CODE: Final = (
    (_SKEWED, "aws-skewed"),
    (_DENIED, "aws-denied"),
    (_EXPIRED, "aws-expired"),
    (_THROTTLED, "aws-throttled"),
)
_BY_NAME: Final = (
    (frozenset({"NoCredentialsError", "PartialCredentialsError"}), "aws-no-credentials"),
    (frozenset({"TimeoutError"}), "aws-slow"),
    (_UNREACHABLE, "aws-silent"),
    (frozenset({"ResponseParserError"}), "aws-garbled"),
)
