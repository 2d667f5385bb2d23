"""Runs one end of the load: `python -m testbed.load client|server …`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from math import inf
from pathlib import Path

from testbed.load.client import Client
from testbed.load.options import ECHO_PORT, SERVER_PORTS, LoadOptions
from testbed.load.pacer import Pacer
from testbed.load.payload import Payload
from testbed.load.server import serve

_NICENESS = 5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.load", description=__doc__)
    parser.add_argument("end", choices=("client", "server"))
    parser.add_argument("--server", required=True, help="IPv4 address of the server")
    parser.add_argument(
        "--status",
        type=Path,
        required=True,
        help="file to write: by the client twice a second, by the server once it is ready",
    )
    parser.add_argument("--result", type=Path, help="client: every flow, written at the end")
    parser.add_argument("--duration", type=float, default=inf, help="client: seconds of arrivals")
    for name, default in vars(LoadOptions()).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default)
    return parser


async def _run(arguments: argparse.Namespace, options: LoadOptions) -> None:
    payload = Payload(options.seed)
    pacer = Pacer(options.chunk, options.interval_s)
    if arguments.end == "server":
        await serve(
            address=arguments.server,
            ports=SERVER_PORTS,
            echo_port=ECHO_PORT,
            payload=payload,
            pacer=pacer,
            on_ready=arguments.status.touch,
        )
        return
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = Client(
        server=arguments.server,
        ports=SERVER_PORTS,
        echo_port=ECHO_PORT,
        payload=payload,
        pacer=pacer,
        flows=options.workload().flows(),
        witnesses=options.witnesses,
        witness_interval_s=options.witness_interval_s,
        patience_s=options.patience_s,
        status_file=arguments.status,
        keep_flows=arguments.result is not None,
    )
    await client.run(arguments.duration, stop, options.grace_s)
    if arguments.result is not None:
        client.record.write(arguments.result)


def main() -> None:
    """Parses the arguments and runs."""
    arguments = _parser().parse_args()
    options = LoadOptions(**{name: getattr(arguments, name) for name in vars(LoadOptions())})
    # The hosts would be machines of their own: they leave the processor to what is tested.
    os.nice(_NICENESS)
    try:
        asyncio.run(_run(arguments, options))
    except OSError as error:
        sys.exit(f"load {arguments.end}: {error}")


if __name__ == "__main__":
    main()
