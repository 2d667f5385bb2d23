"""TLS for the P4Runtime server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from bmv2.listening import ListenError


@dataclass(frozen=True, kw_only=True)
class TlsOptions:
    """How the server shows who it is, and what it asks of its clients. All files are PEM."""

    certificate: Path
    """The server's certificate, with those that lead to its CA."""

    key: Path
    """The private key of the certificate."""

    ca: Path | None = None
    """The certificates of the CAs that vouch for clients."""

    needs_client_certificate: bool = False
    """Mutual TLS: a client without certificate of such a CA is refused."""


def credentials(options: TlsOptions) -> grpc.ServerCredentials:
    """The server's credentials. Raises ListenError: gRPC would say nothing of a bad file."""
    _check(options)
    chain = options.key.read_bytes(), options.certificate.read_bytes()
    roots = None if options.ca is None else options.ca.read_bytes()
    return grpc.ssl_server_credentials(
        [chain],
        root_certificates=roots,
        require_client_auth=options.needs_client_certificate,
    )


def _check(options: TlsOptions) -> None:
    if options.needs_client_certificate and options.ca is None:
        raise ListenError("TLS: a client certificate cannot be asked for without those of its CA")
    files = [each for each in (options.certificate, options.key, options.ca) if each is not None]
    try:
        for file in files:
            file.open("rb").close()  # the others do not say which one is missing
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without a password: the library would ask for it on the terminal.
        context.load_cert_chain(options.certificate, options.key, password="")
        if options.ca is not None:
            context.load_verify_locations(options.ca)
    except ssl.SSLError as error:
        names = ", ".join(str(each) for each in files)
        raise ListenError(f"TLS: {error.reason or error} ({names})") from error
    except OSError as error:
        raise ListenError(f"TLS: {error.filename}: {error.strerror}") from error
