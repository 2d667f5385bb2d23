"""What the switch is told of its log and its recordings, as `simple_switch_grpc` is told."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from bmv2.embedded.observation import TRACE, Observation

_LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 50,
}


def add_arguments(run: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    run.add_argument(
        "--log-console", action="store_true", help="log to standard output, packets too"
    )
    run.add_argument("--log-file", type=Path, help="log to a file, packets too")
    run.add_argument(
        "-L",
        "--log-level",
        choices=list(_LEVELS),
        help="(trace with --log-console or --log-file; else info, to standard error)",
    )
    run.add_argument(
        "--log-flush", action="store_true", help="no effect: no line waits for another"
    )
    run.add_argument(
        "--dump-packet-data",
        type=int,
        default=0,
        metavar="BYTES",
        help="log so many bytes of each packet that comes or leaves",
    )
    run.add_argument(
        "--pcap",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="DIRECTORY",
        help="record packets in INTERFACE_in.pcap and INTERFACE_out.pcap there (here)",
    )


def check_arguments(run: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses arguments that do not go together: exits with 2."""
    if arguments.log_console and arguments.log_file is not None:
        run.error("give either --log-console or --log-file")
    if arguments.dump_packet_data < 0:
        run.error("--dump-packet-data is a count of bytes")
    if arguments.dump_packet_data and not (arguments.log_console or arguments.log_file):
        run.error("--dump-packet-data needs --log-console or --log-file")
    if arguments.pcap is not None and not arguments.pcap.is_dir():
        run.error(f"{arguments.pcap} is no directory")


def open_log(arguments: argparse.Namespace) -> Observation:
    """Starts the log of this process; what is told of packets. Raises OSError."""
    stream = sys.stdout if arguments.log_console else sys.stderr
    if arguments.log_file is not None:
        stream = arguments.log_file.open("a")
    shows_packets = arguments.log_console or arguments.log_file is not None
    level = _LEVELS[arguments.log_level or ("trace" if shows_packets else "info")]
    logging.addLevelName(TRACE, "TRACE")
    # As the data plane writes its lines: runtime/log.h.
    logging.basicConfig(
        stream=stream, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _quieten(level)
    return Observation(
        log_descriptor=stream.fileno() if shows_packets else None,
        level=level,
        dump_bytes=arguments.dump_packet_data,
        pcap_directory=arguments.pcap,
    )


def _quieten(level: int) -> None:
    """Who wants to see packets does not want to see how asyncio polls."""
    logging.getLogger("asyncio").setLevel(max(level, logging.INFO))
    logging.getLogger("grpc").setLevel(max(level, logging.INFO))
