"""The network around the switch, and the paths through it."""

from __future__ import annotations

import re

import networkx as nx

from controlplane.config import Config

_MAX_PORT = 509  # 9 bits; 510 is the CPU port, 511 drops


class TopologyError(Exception):
    """The links do not make a usable network. One line: place and reason."""


class Topology:
    """A graph of the switch, the hosts and the instances; an edge knows the switch's port."""

    def __init__(self, config: Config) -> None:
        """Raises TopologyError."""
        self.switch = config.switch.name
        self._hosts = frozenset(host.name for host in config.hosts)
        self._instances = frozenset(instance.name for instance in config.instances)
        self._graph: nx.Graph[str] = nx.Graph()
        self._graph.add_nodes_from((self.switch, *self._hosts, *self._instances))
        self._ports: dict[str, int] = {}
        for index, (node, end) in enumerate(config.links):
            self._link(f"links[{index}]", node, end)
        for node in (*config.hosts, *config.instances):
            if not nx.has_path(self._graph, node.name, self.switch):
                raise TopologyError(f"links: {node.name!r} is not connected")

    def _link(self, place: str, node: str, end: str) -> None:
        match = re.fullmatch(r"([^:]+):([0-9]{1,5})", end)
        if match is None:
            raise TopologyError(f"{place}: {end!r} is not SWITCH:PORT")
        switch, port = match[1], int(match[2])
        if node == self.switch or (node not in self._hosts and node not in self._instances):
            raise TopologyError(f"{place}: {node!r} is neither a host nor an instance")
        if switch in self._hosts or switch in self._instances:
            raise TopologyError(f"{place}: {switch!r} is no switch")
        if switch != self.switch:
            raise TopologyError(
                f"{place}: no switch {switch!r}; there is one switch, {self.switch!r}"
            )
        if not 0 <= port <= _MAX_PORT:
            raise TopologyError(f"{place}: port {port} is not in 0…{_MAX_PORT}")
        if node in self._ports:
            raise TopologyError(
                f"{place}: {node!r} is already on {self.switch}:{self._ports[node]}"
            )
        for other, taken in self._ports.items():
            if taken == port:
                raise TopologyError(f"{place}: port {port} is taken by {other!r}")
        self._ports[node] = port
        self._graph.add_edge(node, self.switch, port=port)

    def port(self, name: str) -> int:
        """The switch's port that a host or an instance is on. Raises TopologyError."""
        try:
            return self._ports[name]
        except KeyError:
            raise TopologyError(f"no host or instance {name!r}") from None
