"""TLS as transports read it from a URL: the trusted authorities, and the client's own certificate.

Responsible for a context that verifies the server, always. Not responsible for which schemes use it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from comity.sdk.errors import ConfigError
from comity.transports._urls import masked

__all__ = ["FILES", "client_context", "untrusted"]

FILES: Final = ("ca", "cert", "key")
"""Options that name PEM files: trusted authorities, the client's certificate, its key."""
_TIMES: Final = {
    9: "is not valid yet: set the clocks right, or renew it",
    10: "has expired: renew it, or set this clock right",
}  # by OpenSSL's X509_V_ERR_ codes, as those below
_NAMES: Final = frozenset({62, 64})


def client_context(
    url: str, given: Mapping[str, str | float], *, wanted: bool, scheme: str
) -> ssl.SSLContext | None:
    """The context for `url`, None where TLS is not `wanted`; `scheme` is what to write where it is.

    Raises `ConfigError` for files without TLS, a key without its certificate, or a file that cannot be used.
    """
    files = {name: str(given[name]) for name in FILES if name in given}
    if not wanted:
        if files:
            raise ConfigError(f"{masked(url)}: {', '.join(files)} is for {scheme}:// URLs")
        return None
    if "key" in files and "cert" not in files:
        raise ConfigError(f"{masked(url)}: key without cert")
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"), _no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{masked(url)}: a certificate file cannot be used: {error}") from error
    return context


def _no_password() -> str:
    """Asked for by OpenSSL, which would otherwise ask on the terminal, and hold up everything until somebody answers."""
    raise ValueError(
        "the key is encrypted: decrypt it (openssl pkey -in FILE -out FILE), and guard the file instead"
    )


def untrusted(error: ssl.SSLCertVerificationError, peer: str) -> str:
    """What to do about the certificate of `peer` (a server, a broker) that did not pass."""
    if error.verify_code in _TIMES:
        return f"the {peer}'s certificate, or its authority's, {_TIMES[error.verify_code]}"
    if error.verify_code in _NAMES:
        return f"the {peer}'s certificate is for other names: connect by one of them, or have this one added to it"
    return f"the {peer}'s certificate is not trusted: name its authority with ?ca=FILE"
