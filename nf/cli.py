"""`python -m nf`: runs a network function."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from typer.exceptions import TyperException

# Its own lines about a busy address say less than the one that is printed here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from nf.functions import FUNCTIONS, UnknownFunctionError, create
from nf.runtime.flow_table import FlowTableOptions
from nf.runtime.server import RunError, RunOptions
from nf.runtime.server import run as run_instance

_DEFAULTS = FlowTableOptions()

app = typer.Typer(
    help="Network functions: each an instance on one interface, with a southbound server.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_functions() -> None:
    """List the functions that come with the project."""
    for name, kind in sorted(FUNCTIONS.items()):
        print(f"{name}  {(kind.__doc__ or '').splitlines()[0]}")


@app.command()
def run(
    function: Annotated[str, typer.Argument(help="A name that `list` shows, or module:Class.")],
    name: Annotated[str, typer.Option(help="The instance's name, as the topology has it.")],
    interface: Annotated[str, typer.Option(help="The network interface that is its port.")],
    listen: Annotated[str, typer.Option(help="Southbound address: unix:/path or host:port.")],
    linger_s: Annotated[
        float, typer.Option(min=0, help="How long an ended connection keeps its state.")
    ] = _DEFAULTS.linger_s,
    idle_timeout_s: Annotated[
        float, typer.Option(min=0.1, help="How long an idle TCP connection keeps its state.")
    ] = _DEFAULTS.tcp_idle_s,
    other_idle_timeout_s: Annotated[
        float, typer.Option(min=0.1, help="How long any other idle flow does.")
    ] = _DEFAULTS.other_idle_s,
    max_flows: Annotated[
        int, typer.Option(min=1, help="How many flows can have state.")
    ] = _DEFAULTS.max_flows,
    ring_mib: Annotated[
        int, typer.Option(min=1, max=1024, help="Size of the receive ring in MiB.")
    ] = 16,
    log_file: Annotated[
        Path | None, typer.Option(help="Where the log goes; to standard error if not given.")
    ] = None,
) -> None:
    """Run an instance of FUNCTION until SIGTERM or Ctrl-C."""
    try:
        logging.basicConfig(
            filename=log_file,
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        table = FlowTableOptions(
            linger_s=linger_s,
            tcp_idle_s=idle_timeout_s,
            other_idle_s=other_idle_timeout_s,
            max_flows=max_flows,
        )
        options = RunOptions(
            name=name,
            interface=interface,
            listen=listen,
            ring_bytes=ring_mib << 20,
            table=table,
        )
        uvloop.run(run_instance(create(function), options))
    except UnknownFunctionError as error:
        raise typer.BadParameter(str(error), param_hint="FUNCTION") from None
    except (RunError, OSError) as error:
        print(f"nf {name}: {_one_line(error)}", file=sys.stderr)
        raise typer.Exit(1) from None


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main() -> None:
    """Entry point of `python -m nf`: wrong usage is one line, and exit code 2."""
    try:
        sys.exit(app(prog_name="python -m nf", standalone_mode=False))
    except TyperException as error:
        message = " ".join(error.format_message().split())
        if message:  # else the help has been printed
            print(f"nf: {message}", file=sys.stderr)
        sys.exit(error.exit_code)
