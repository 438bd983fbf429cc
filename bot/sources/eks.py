"""An EKS cluster by its name: where it is from eks:DescribeCluster, who asks by a token that STS has signed.

The token is a presigned GetCallerIdentity with the cluster's name in a signed header; the API server hands it to STS and
takes the role that STS names (kubernetes-sigs/aws-iam-authenticator, README: "API Authorization from Outside a Cluster").
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bot.sources.aws import Account, Boto, Clients, why_not
from bot.sources.errors import ClusterUnreachable, CredentialsExpired

_HEADER: Final = "x-k8s-aws-id"
_PREFIX: Final = "k8s-aws-v1."
_SIGNED_FOR: Final = 60
"""Seconds in the signature; authenticators take a token for 15 minutes whatever stands here, and refuse more than that."""
_USED_FOR: Final = 600.0


@dataclass(slots=True, kw_only=True)
class EksCluster:
    """A cluster's address and tokens. `clients`: AWS, under the account's role where it has one."""

    name: str
    region: str
    account: Account = field(default_factory=Account)
    clients: Clients = field(default_factory=Boto)
    clock: Callable[[], float] = time.monotonic
    _token: str = ""
    _signed_at: float = float("-inf")

    async def configure(self, configuration: Any) -> None:  # noqa: ANN401 (most of the package is without types)
        """Sets server, trust and token, and has the token renewed in time. Raises ClusterUnreachable, CredentialsExpired."""
        told = await asyncio.to_thread(self._described)
        configuration.host = told["endpoint"]
        if authority := told.get("certificateAuthority", {}).get("data", ""):
            configuration.ca_cert_data = base64.b64decode(authority).decode("latin-1")
        self._signed_at = float("-inf")
        await self._renew(configuration)
        configuration.refresh_api_key_hook = self._renew

    async def _renew(self, configuration: Any) -> None:  # noqa: ANN401
        if self.clock() - self._signed_at >= _USED_FOR:
            self._token = await asyncio.to_thread(self._signed)
            self._signed_at = self.clock()
        configuration.api_key["BearerToken"] = f"Bearer {self._token}"

    def _described(self) -> dict[str, Any]:
        try:
            told = self.clients.client("eks", self.region, self.account).describe_cluster(name=self.name)["cluster"]
        except Exception as error:  # botocore's errors have no common base worth naming
            raise ClusterUnreachable(f"EKS cluster {self.name}: {why_not(error, 'eks:DescribeCluster')}") from error
        finally:
            self.clients.close()  # asked once for each connection; tokens are signed without asking anybody
        if not told.get("endpoint"):
            raise ClusterUnreachable(f"EKS cluster {self.name} has no endpoint yet ({told.get('status', 'unknown')})")
        return dict(told)

    def _signed(self) -> str:
        try:
            return token_for(self.clients.client("sts", self.region, self.account), self.name, self.region)
        except Exception as error:
            raise CredentialsExpired(f"EKS cluster {self.name}: {why_not(error, 'sts:GetCallerIdentity')}") from error


def token_for(sts: Any, cluster: str, region: str) -> str:  # noqa: ANN401 (boto3 has no types)
    """The token for one cluster, signed here; nothing is sent. Raises botocore's errors."""
    from botocore.signers import RequestSigner  # noqa: PLC0415 (0.3 s that snapshots need not pay)

    credentials = sts._request_signer._credentials
    signer = RequestSigner(sts.meta.service_model.service_id, region, "sts", "v4", credentials, sts.meta.events)
    host = sts.meta.endpoint_url.rstrip("/")
    asked = {
        "method": "GET",
        "url": f"{host}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {_HEADER: cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(asked, region_name=region, expires_in=_SIGNED_FOR, operation_name="")
    return _PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
