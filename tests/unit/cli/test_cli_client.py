"""Where the commands find the controller: pytest tests/unit/cli/test_cli_client.py"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from controlplane.cli.client import Northbound


class NoMoves(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]" if self.path == "/v1/moves" else b"?")

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # the name it has


def test_a_controller_is_asked_by_tcp_whatever_proxy_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with HTTPServer(("127.0.0.1", 0), NoMoves) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Northbound(f"127.0.0.1:{server.server_port}") as controller:
            assert controller.moves() == ()
        server.shutdown()
