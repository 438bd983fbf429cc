"""AWS clients: the standard credential chain, or a role assumed from it; and what went wrong, in one line."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol

from bot import __version__
from bot.telemetry.measures import called

# Kinder to the service than one more question would be worth: throttled calls slow down and are tried again.
_OPTIONS: Final[Mapping[str, Any]] = {
    "retries": {"mode": "adaptive", "total_max_attempts": 4},
    "connect_timeout": 3,
    "read_timeout": 10,
    "max_pool_connections": 16,
    "user_agent_extra": f"karpenter-bot/{__version__}",
}
_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "AuthFailure"}
    | {"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"})
_LONGEST: Final = 200


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
                self._clients[key] = self._sessions[account].client(service, region_name=region, config=config)
                _count_calls(self._clients[key].meta.events)
            return self._clients[key]


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


def why_not(error: Exception, action: str) -> str:
    """One line on a failed call, naming the IAM action: `no access to ec2:DescribeSubnets: AccessDenied`."""
    response = getattr(error, "response", None)
    code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
    message = " ".join(str(error).split())[:_LONGEST]
    if code in _DENIED:
        return f"no access to {action}: {code}"
    if code in _EXPIRED:
        return f"AWS does not accept the credentials for {action}: {code}"
    if code:
        return f"{action}: {message}"
    match type(error).__name__:
        case "NoCredentialsError" | "PartialCredentialsError":
            return f"no AWS credentials were found for {action}"
        case "EndpointConnectionError" | "ConnectTimeoutError" | "ReadTimeoutError" | "ConnectionClosedError":
            return f"AWS does not answer {action}: {message}"
        case name:
            return f"{action}: {name}: {message}"
