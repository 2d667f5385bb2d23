"""From the arguments of `python -m bmv2 run` to a switch that runs."""

from __future__ import annotations

import argparse

import uvloop

from bmv2.embedded.observation import Observation
from bmv2.embedded.p4runtime.tls import TlsOptions
from bmv2.errors import SwitchError
from bmv2.switch import EmbeddedSwitchOptions, serve


def run(arguments: argparse.Namespace, observation: Observation) -> None:
    """Runs the switch until it is stopped. Raises SwitchError."""
    uvloop.run(serve(_options(arguments, observation)))


def _options(arguments: argparse.Namespace, observation: Observation) -> EmbeddedSwitchOptions:
    ports: dict[int, str] = {}
    for number, interface in arguments.interface:
        if number in ports:
            raise SwitchError(f"port {number} is given twice")
        if interface in ports.values():
            raise SwitchError(f"interface {interface} is given twice")
        if number == arguments.cpu_port:
            raise SwitchError(f"port {number} is the CPU port")
        ports[number] = interface
    return EmbeddedSwitchOptions(
        program=arguments.program,
        p4info=arguments.p4info,
        ports=ports,
        cpu_port=arguments.cpu_port,
        grpc_address=arguments.grpc_server_addr,
        device_id=arguments.device_id,
        tls=_tls(arguments) if arguments.grpc_server_ssl else None,
        observation=observation,
    )


def _tls(arguments: argparse.Namespace) -> TlsOptions:
    return TlsOptions(
        certificate=arguments.grpc_server_cert,
        key=arguments.grpc_server_key,
        ca=arguments.grpc_server_cacert,
        needs_client_certificate=arguments.grpc_server_with_client_auth,
    )
