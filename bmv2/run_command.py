"""`python -m bmv2 run`: the embedded switch as a process.

The options are those of `simple_switch_grpc` where they mean the same.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
from pathlib import Path

from bmv2 import log_options
from bmv2.embedded.build import build

_MAX_PORT = 510
"""Ports have 9 bits in v1model, and 511 is the port of what is dropped."""


def _number(text: str, most: int, what: str) -> int:
    if not text.isdecimal() or int(text) > most:
        raise argparse.ArgumentTypeError(f"{what} {text} is not 0 … {most}")
    return int(text)


def _cpu_port(text: str) -> int:
    return _number(text, _MAX_PORT, "port")


def _device_id(text: str) -> int:
    return _number(text, (1 << 64) - 1, "device")


def _port(text: str) -> tuple[int, str]:
    number, at, interface = text.partition("@")
    if not at or not number.isdecimal() or not interface:
        raise argparse.ArgumentTypeError(f"{text!r} is not NUMBER@INTERFACE")
    return _number(number, _MAX_PORT, "port"), interface


def add_arguments(run: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    run.add_argument("program", nargs="?", type=Path, help="BMv2 JSON as p4c writes it")
    run.add_argument("--p4info", type=Path, help="its P4Info, as protobuf text")
    run.add_argument(
        "--no-p4", action="store_true", help="start without a program; a controller sets it"
    )
    run.add_argument(
        "-i",
        "--interface",
        metavar="PORT@NAME",
        type=_port,
        action="append",
        default=[],
        help="a port and the network interface behind it; can be given several times",
    )
    run.add_argument("--device-id", type=_device_id, default=1, help="P4Runtime device id (1)")
    run.add_argument(
        "--cpu-port", type=_cpu_port, default=510, help="port of packet_in and packet_out (510)"
    )
    run.add_argument(
        "--grpc-server-addr",
        default="127.0.0.1:9559",
        help="where P4Runtime listens: host:port or unix:/path (127.0.0.1:9559)",
    )
    run.add_argument("--grpc-server-ssl", action="store_true", help="P4Runtime over TLS")
    run.add_argument("--grpc-server-cert", type=Path, help="PEM file of its certificate")
    run.add_argument("--grpc-server-key", type=Path, help="PEM file of its private key")
    run.add_argument("--grpc-server-cacert", type=Path, help="PEM file of its clients' CA")
    run.add_argument(
        "--grpc-server-with-client-auth",
        action="store_true",
        help="refuse clients without a certificate of that CA",
    )
    log_options.add_arguments(run)


def check_arguments(run: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses arguments that do not go together: exits with 2."""
    if arguments.no_p4 == (arguments.program is not None):
        run.error("give either a program or --no-p4")
    if arguments.program is not None and arguments.p4info is None:
        run.error("--p4info is needed with a program")
    log_options.check_arguments(run, arguments)
    if arguments.grpc_server_ssl:
        if arguments.grpc_server_cert is None or arguments.grpc_server_key is None:
            run.error("--grpc-server-ssl needs --grpc-server-cert and --grpc-server-key")
        if arguments.grpc_server_with_client_auth and arguments.grpc_server_cacert is None:
            run.error("--grpc-server-with-client-auth needs --grpc-server-cacert")
    elif arguments.grpc_server_with_client_auth or any(
        file is not None
        for file in (
            arguments.grpc_server_cert,
            arguments.grpc_server_key,
            arguments.grpc_server_cacert,
        )
    ):
        run.error("certificates are for --grpc-server-ssl, which is not given")


def execute(arguments: argparse.Namespace) -> int:
    """Runs the switch until it is stopped; the exit code. Raises SwitchError and OSError."""
    with contextlib.closing(log_options.open_log(arguments)) as observation:
        if arguments.program is not None:
            early = (arguments.program, observation.needs_trace)
            threading.Thread(target=_compile, args=early, name="compiler").start()
        # To import the rest takes as long as to compile a small program: at the same time.
        from bmv2.run_switch import run

        run(arguments, observation)
    return 0


def _compile(program: Path, is_traced: bool) -> None:
    """Fills the cache. Who loads the program finds it there, or tells what is wrong."""
    with contextlib.suppress(Exception):
        build(program.read_bytes(), is_traced=is_traced)
