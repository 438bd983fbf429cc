"""The thin client: one GET at a time over the official package's connection (`kubernetes.aio`), bytes out.

The package does configuration, authentication, TLS and token refresh; its typed models, which cost seconds and hundreds of
megabytes on big lists, are never built.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from bot import __version__
from bot.sources.eks import EksCluster
from bot.sources.errors import ClusterUnreachable, CredentialsExpired, ReadFailed, SourceError
from bot.telemetry.measures import called

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from kubernetes.aio.client import ApiClient, Configuration

Query = Iterable[tuple[str, str]]
USER_AGENT: Final = f"karpenter-bot/{__version__}"
JSON: Final = "application/json"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Asks for names, labels and owners without specs; a server that cannot do that sends whole objects."""
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""The same of one object."""

CALL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
_LONGEST_WAIT: Final = 2.0
_ATTEMPTS: Final = 2
_LONGEST_MESSAGE: Final = 300
_CHUNK: Final = 1 << 16
_KUBECONFIG: Final = "~/.kube/config"
_IN_CLUSTER: Final = "KUBERNETES_SERVICE_HOST"


class KubeApi(Protocol):
    """What the sources need of an API server: reading."""

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        """The body of a successful answer. Raises ReadFailed, ClusterUnreachable, CredentialsExpired."""
        ...

    def stream(self, path: str, query: Query = ()) -> AsyncIterator[bytes]:
        """The same for a body that may be too big to hold, in chunks."""
        ...


class WatchApi(KubeApi, Protocol):
    """A KubeApi that can also be told what changes."""

    def watch(self, path: str, query: Query, silence: float) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """An answer that goes on for as long as the server likes, line by line; open once it is entered.

        Raises ReadFailed, also when nothing came for `silence` seconds, ClusterUnreachable, CredentialsExpired.
        """
        ...


class _Status(msgspec.Struct):
    message: str = ""


class KubeConnection:
    """An open connection. `request` serves whoever writes; the sources only ever call `get` and `stream`.

    A 401 makes it read its configuration again, once (kubeconfig tokens of `aws eks get-token` live 15 minutes).
    """

    def __init__(self, client: "ApiClient", reload: "Callable[[Configuration], Awaitable[None]]") -> None:
        client.user_agent = USER_AGENT
        self._client: Any = client  # most of the package is without types
        self._reload = reload
        self._reloading = asyncio.Lock()
        self._reloaded_at = float("-inf")

    @property
    def server(self) -> str:
        """Host and port of the API server, for messages."""
        return urlsplit(str(self._client.configuration.host)).netloc

    async def close(self) -> None:
        await self._client.close()

    async def __aenter__(self) -> "KubeConnection":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        return await self.request("GET", path, query=query, accept=accept)

    async def stream(self, path: str, query: Query = ()) -> AsyncIterator[bytes]:
        answer = await self._answer("GET", path, query, {"Accept": "*/*"}, None)
        try:
            with _translated(self.server):
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    yield chunk
        finally:
            answer.release()

    async def date(self) -> str:
        """The server's own time, as the `Date` header of its version has it; "" where there is none."""
        answer = await self._answer("GET", "/version", (), {"Accept": JSON}, None)
        answer.release()
        return answer.headers.get("Date", "")

    @asynccontextmanager
    async def watch(self, path: str, query: Query, silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        answer = await self._answer("GET", path, query, {"Accept": JSON}, None, silence)
        try:
            _keep_alive(answer)
            async with aclosing(self._lines(answer, silence)) as lines:
                yield lines
        finally:
            answer.close()  # not released: there is no end to wait for

    async def _lines(self, answer: "ClientResponse", silence: float) -> AsyncGenerator[bytes, None]:
        line = bytearray()
        with _translated(self.server, silence):
            async for chunk in answer.content.iter_chunked(_CHUNK):
                first, *others = chunk.split(b"\n")
                line += first
                for other in others:
                    yield bytes(line)
                    line = bytearray(other)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        """One call. A GET that was turned away for the moment (429, 5xx, a broken connection) is tried once more.

        Raises ReadFailed (its `status` tells), ClusterUnreachable, CredentialsExpired.
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        answer = await self._answer(method, path, query, headers, body)
        with _translated(self.server):
            return await answer.read()

    async def _answer(
        self,
        method: str,
        path: str,
        query: Query,
        headers: dict[str, str],
        body: object,
        silence: float | None = None,
    ) -> "ClientResponse":
        """A successful answer, its body not read yet: all of it within CALL_SECONDS, or without an end, but never silent
        for so many seconds."""
        attempts = _ATTEMPTS if method == "GET" else 1
        renewed = False
        while True:
            attempts -= 1
            try:
                answer = await self._send(method, path, query, headers, body, silence)
            except ReadFailed as broken:
                # who asked waits: a server that was silent once is not waited for twice
                if not attempts or isinstance(broken.__cause__, TimeoutError):
                    raise
                continue
            if answer.status < 300:
                return answer
            failure = await _failure(answer)
            if failure.status == 401 and not renewed:
                renewed, attempts = True, attempts + 1
                await self._renew()
            elif failure.status == 401 or "system:anonymous" in failure.message:
                raise CredentialsExpired(f"{self.server} does not accept the credentials: {failure.message}")
            elif attempts and (failure.status == 429 or failure.status >= 500):
                await asyncio.sleep(_wait(answer))
            else:
                raise failure

    async def _renew(self) -> None:
        """Reads the configuration again; calls that failed together do it once between them."""
        async with self._reloading:
            now = asyncio.get_running_loop().time()
            if now - self._reloaded_at < CALL_SECONDS:
                return
            self._reloaded_at = now
            try:
                await self._reload(self._client.configuration)
            except Exception as error:  # whatever a broken kubeconfig or a credential plugin comes up with
                raise CredentialsExpired(f"{self.server}: no new credentials: {_one_line(error)}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Query,
        headers: dict[str, str],
        body: object,
        silence: float | None,
    ) -> "ClientResponse":
        from aiohttp import ClientTimeout  # noqa: PLC0415 (see open_connection)

        total = CALL_SECONDS if silence is None else None
        timeout = ClientTimeout(total=total, sock_connect=CONNECT_SECONDS, sock_read=silence)
        with _translated(self.server), _counted(method) as outcome:
            # `param_serialize` is where the package refreshes and sends the token.
            args = await self._client.param_serialize(
                method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            sent: Any = await self._client.call_api(*args, _request_timeout=timeout)
            answer: ClientResponse = sent.response
            outcome.status = answer.status
        return answer


@dataclass(slots=True)
class _Outcome:
    status: int = 0
    """0 while there is no answer."""


@contextmanager
def _counted(method: str) -> Iterator[_Outcome]:
    """One call in the metrics, by its verb and how it ended; a dead line counts as `error`."""
    began, outcome = time.perf_counter(), _Outcome()
    try:
        yield outcome
    finally:
        ended = "error" if not outcome.status else "ok" if outcome.status < 300 else str(outcome.status)
        called("kubernetes", method, ended, time.perf_counter() - began)


@contextmanager
def _translated(server: str, seconds: float | None = None) -> Iterator[None]:
    """aiohttp's errors as the sources': no way to the server is an error of its own, anything else a failed read.

    `seconds`: how long an answer was waited for, for the message.
    """
    import aiohttp  # noqa: PLC0415 (see open_connection)

    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise ClusterUnreachable(f"cannot reach the API server {server}: {_one_line(error)}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ReadFailed(0, _no_answer(error, seconds or CALL_SECONDS)) from error


def _no_answer(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    return f"the connection broke off ({_one_line(error) or type(error).__name__})"


def _keep_alive(answer: "ClientResponse") -> None:
    """Lets the kernel ask after a silent peer: one that is gone without goodbye is noticed within half a minute."""
    transport = answer.connection.transport if answer.connection else None
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # macOS lacks the first in older Pythons
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _failure(answer: "ClientResponse") -> ReadFailed:
    text = b""
    with suppress(ReadFailed), _translated(answer.host):
        text = (await answer.read())[: 1 << 16]
    try:
        message = msgspec.json.decode(text, type=_Status).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = text.decode(errors="replace")
    return ReadFailed(answer.status, _one_line(message or answer.reason or ""))


def _wait(answer: "ClientResponse") -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_WAIT) if asked.isdecimal() else 0.2


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:_LONGEST_MESSAGE]


async def open_connection(
    *,
    kubeconfig: str = "",
    context: str = "",
    in_cluster: bool = False,
    compressed: bool | None = None,
    eks: EksCluster | None = None,
) -> KubeConnection:
    """Connects as kubectl would: the given kubeconfig, $KUBECONFIG, ~/.kube/config; else the pod's own service account.

    `eks`: that cluster, with AWS's credentials, whatever kubeconfig there is.
    `in_cluster`: the service account, whatever kubeconfig there is.
    `compressed`: whether the server may compress what it answers; unless told, it may from outside of a cluster. Inside,
    the network is fast, and compressing takes the server several times as long as sending.

    Raises ClusterUnreachable when there is no usable configuration. Nothing is sent yet.
    """
    # 1 s of imports that answers from a snapshot need not pay.
    from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415

    configuration = Configuration()
    load = eks.configure if eks else _loader(kubeconfig, context, in_cluster=in_cluster)
    try:
        await load(configuration)
        client: Any = ApiClient(configuration)
        if not (_IN_CLUSTER not in os.environ if compressed is None else compressed):
            client.set_default_header("Accept-Encoding", "identity")
    except SourceError:
        raise
    except Exception as error:  # the package raises KeyError, TypeError, OSError ... over a broken kubeconfig
        raise ClusterUnreachable(f"the kubeconfig cannot be used: {_one_line(error)}") from error
    return KubeConnection(client, load)


def _loader(kubeconfig: str, context: str, *, in_cluster: bool) -> "Callable[[Configuration], Awaitable[None]]":
    from kubernetes.aio import config as untyped  # noqa: PLC0415 (see open_connection)

    config: Any = untyped
    files = kubeconfig or os.environ.get("KUBECONFIG", "") or _KUBECONFIG
    found = not in_cluster and any(Path(one).expanduser().is_file() for one in files.split(os.pathsep) if one)

    async def load(configuration: "Configuration") -> None:
        if found:
            await config.load_kube_config(
                config_file=files, context=context or None, client_configuration=configuration, persist_config=False
            )
        elif _IN_CLUSTER in os.environ and not (kubeconfig or context):
            config.load_incluster_config(client_configuration=configuration)
        else:
            raise ClusterUnreachable(f"no kubeconfig at {files}, and this is not a pod in a cluster")

    return load
