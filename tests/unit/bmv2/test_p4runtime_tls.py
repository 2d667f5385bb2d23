"""P4Runtime over TLS: pytest tests/unit/bmv2/test_p4runtime_tls.py"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_switch import Switch
from finsy.proto import p4r, p4r_grpc

from bmv2.__main__ import main
from bmv2.embedded.p4runtime.server import listen
from bmv2.embedded.p4runtime.tls import TlsOptions, credentials
from bmv2.listening import ListenError

_TIMEOUT_S = 10.0

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on PATH")


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificate(home: Path, name: str, ca: str) -> None:
    """A key, and a certificate of it that a CA has signed; its own where it is the CA."""
    key, request, file = home / f"{name}.key", home / f"{name}.csr", home / f"{name}.pem"
    names = home / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    if name == ca:
        openssl(*new, "-x509", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", file)
        return
    openssl(*new, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    signer = ("-CA", home / f"{ca}.pem", "-CAkey", home / f"{ca}.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-extfile", names, "-out", file)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CAs, a server's and two clients' certificates."""
    directory = tmp_path_factory.mktemp("tls")
    for name, ca in (("ca", "ca"), ("other", "other"), ("server", "ca"), ("client", "ca")):
        certificate(directory, name, ca)
    certificate(directory, "stranger", "other")
    return directory


def tls(home: Path, **more: Any) -> TlsOptions:
    options = TlsOptions(certificate=home / "server.pem", key=home / "server.key")
    return replace(options, **more)


@asynccontextmanager
async def serving(switch: Switch, options: TlsOptions) -> AsyncGenerator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = await listen(switch.service, address, credentials(options))
    try:
        yield address
    finally:
        await server.stop(None)


async def ask(address: str, secrets: grpc.ChannelCredentials | None) -> str:
    """The version that the server says it has."""
    channel = (
        grpc.aio.insecure_channel(address)
        if secrets is None
        else grpc.aio.secure_channel(address, secrets)
    )
    async with channel:
        stub: Any = p4r_grpc.P4RuntimeStub(channel)
        answer = await stub.Capabilities(p4r.CapabilitiesRequest(), timeout=_TIMEOUT_S)
        return answer.p4runtime_api_version


def client_of(home: Path, name: str | None, ca: str = "ca") -> grpc.ChannelCredentials:
    roots = (home / f"{ca}.pem").read_bytes()
    if name is None:
        return grpc.ssl_channel_credentials(roots)
    key, chain = (home / f"{name}.key").read_bytes(), (home / f"{name}.pem").read_bytes()
    return grpc.ssl_channel_credentials(roots, key, chain)


async def test_the_server_shows_who_it_is(switch: Switch, home: Path) -> None:
    async with serving(switch, tls(home)) as address:
        assert await ask(address, client_of(home, None)) == "1.4.1"
        for secrets in (client_of(home, None, ca="other"), None):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(address, secrets)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_client_must_show_who_it_is(switch: Switch, home: Path) -> None:
    options = tls(home, ca=home / "ca.pem", needs_client_certificate=True)
    async with serving(switch, options) as address:
        assert await ask(address, client_of(home, "client")) == "1.4.1"
        for name in (None, "stranger"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(address, client_of(home, name))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"certificate": "no.pem"}, "no.pem: No such file"),
        ({"key": "client.key"}, "MISMATCH"),
        ({"key": "server.pem"}, "server.pem"),
        ({"ca": "server.key"}, "server.key"),
        ({"needs_client_certificate": True}, "without those of its CA"),
    ],
)
def test_bad_files_are_one_line(home: Path, more: dict[str, Any], words: str) -> None:
    files = {
        name: home / value if isinstance(value, str) else value for name, value in more.items()
    }
    with pytest.raises(ListenError) as caught:
        credentials(tls(home, **files))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


SSL = ["--grpc-server-ssl", "--grpc-server-cert", "a", "--grpc-server-key", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--grpc-server-ssl"], "needs --grpc-server-cert and --grpc-server-key"),
        (["--grpc-server-cert", "a"], "which is not given"),
        (["--grpc-server-with-client-auth"], "which is not given"),
        (
            [*SSL, "--grpc-server-with-client-auth"],
            "needs --grpc-server-cacert",
        ),
    ],
)
def test_options_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--no-p4", *options])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_missing_certificate_stops_the_switch_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    address = f"unix:{tmp_path}/p4rt.sock"
    files = [
        "--grpc-server-cert",
        str(home / "none.pem"),
        "--grpc-server-key",
        str(home / "ca.key"),
    ]
    command = ["run", "--no-p4", "--grpc-server-addr", address, "--grpc-server-ssl", *files]
    assert main(command) == 1
    assert "none.pem: No such file or directory" in capsys.readouterr().err
