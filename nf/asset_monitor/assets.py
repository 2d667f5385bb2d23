"""The hosts of a network: what they run and what they serve.

Assets are shared by flows and are not moved with them; an instance that takes a flow
over learns them from the evidence that the flow's state carries.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from nf.asset_monitor.service import Service

_log = logging.getLogger(__name__)

_PROTOCOL_NAMES = {6: "tcp", 17: "udp"}
_MAX_SERVICES = 1024  # of one host; a scan that is answered on every port ends here


@dataclass
class Host:
    """What is known of one host."""

    operating_system: str | None = None
    services: dict[tuple[int, int], Service] = field(default_factory=dict)
    """By protocol and port."""


class Assets:
    """What is known of all hosts. Each thing that is learnt is logged once."""

    def __init__(self, max_hosts: int = 1 << 16) -> None:
        self._max_hosts = max_hosts
        self._hosts: dict[int, Host] = {}

    def __len__(self) -> int:
        return len(self._hosts)

    def get(self, address: int) -> Host | None:
        """What is known of the host with an address."""
        return self._hosts.get(address)

    def learn_system(self, address: int, system: str) -> None:
        """A host runs an operating system."""
        host = self._host(address)
        if host.operating_system != system:
            host.operating_system = system
            _log.info("host %s runs %s", IPv4Address(address), system)

    def learn_service(self, address: int, protocol: int, port: int, service: Service) -> None:
        """A host offers a service; what was told by its banner is not untold by its port."""
        host = self._host(address)
        known = host.services.get((protocol, port))
        if known is not None:
            if known.by_banner >= service.by_banner:
                return
        elif len(host.services) >= _MAX_SERVICES:
            return
        host.services[protocol, port] = service
        _log.info(
            "host %s serves %s on %s %d (%s)",
            IPv4Address(address),
            service.name,
            _PROTOCOL_NAMES[protocol],
            port,
            repr(service.banner) if service.by_banner else "by its port",
        )

    def _host(self, address: int) -> Host:
        host = self._hosts.get(address)
        if host is None:
            if len(self._hosts) >= self._max_hosts:
                del self._hosts[next(iter(self._hosts))]  # the one known for longest
            host = self._hosts[address] = Host()
        return host
