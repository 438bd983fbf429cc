"""Who may talk to the bed: one certificate authority, one serving certificate, tokens, kubeconfig files."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# user -> groups of the API server's static token file. The two components' names carry the roles that RBAC's own
# bootstrap policy gives them; Karpenter and kwok run as administrators, the bot under test never does.
USERS: Final[dict[str, tuple[str, ...]]] = {
    "admin": ("system:masters",),
    "karpenter": ("system:masters",),
    "kwok": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    folder: Path
    tokens: dict[str, str]

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        return self.folder / "serving.crt"

    @property
    def key(self) -> Path:
        return self.folder / "serving.key"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-account.key"

    @property
    def token_file(self) -> Path:
        return self.folder / "tokens.csv"


def make_credentials(folder: Path) -> Credentials:
    """Writes keys, certificates and the token file into `folder` (created, private)."""
    folder.mkdir(mode=0o700, parents=True)
    authority_key, serving_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    made = Credentials(folder=folder, tokens={user: secrets.token_hex(16) for user in USERS})
    authority = _certificate(name="bed-ca", key=authority_key, signer=authority_key, issuer="bed-ca", is_authority=True)
    serving = _certificate(name="bed", key=serving_key, signer=authority_key, issuer="bed-ca", is_authority=False)
    made.ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(serving.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(_pem(serving_key))
    made.service_account_key.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1())))
    rows = [f'{made.tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in USERS.items()]
    made.token_file.write_text("\n".join(rows) + "\n", "utf-8")
    return made


def write_kubeconfig(path: Path, *, server: str, ca: Path, token: str) -> Path:
    """Writes a kubeconfig with the token inline; returns `path`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bed",
        "clusters": [{"name": "bed", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "bed", "user": {"token": token}}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "bed"}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def _certificate(
    *,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: str,
    is_authority: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - a certificate needs real dates
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if is_authority:
        usage = {"key_cert_sign": True, "crl_sign": True}
    else:
        usage = {"digital_signature": True}
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    return builder.add_extension(_key_usage(usage), critical=True).sign(signer, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(wanted: dict[str, bool]) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The traditional form ("EC PRIVATE KEY") is what kube-apiserver's key reader takes besides PKCS#8.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
