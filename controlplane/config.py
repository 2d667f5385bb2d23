"""The topology file: what there is, where it is, and how it is set up.

`load` is the only way in; the command `check-config` uses it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from controlplane.detection.choice import LEARNT, Settings
from controlplane.sizes.builtin import BUILTIN
from controlplane.sizes.distribution import SizesError
from controlplane.sizes.files import find_distribution
from controlplane.yaml_file import YamlLoader


class ConfigError(Exception):
    """A topology file cannot be used. One line: file, place in it, what is wrong."""


# --- values ---------------------------------------------------------------------


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(f"{name!r} is no name: letters, digits, '_', '.' and '-'")
    return name


def check_address(address: str) -> str:
    """An address as it may be written: `unix:/path` or `host:port`. Raises ValueError."""
    scheme, _, path = address.partition(":")
    if scheme == "unix":
        if not Path(path).is_absolute():
            raise ValueError(f"{address!r} has no absolute path after 'unix:'")
        return address
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{address!r} is neither unix:/PATH nor HOST:PORT")
    return address


def _check_tcp_address(address: str) -> str:
    if address.startswith("unix:"):
        raise ValueError(f"{address!r} is not HOST:PORT")
    return check_address(address)


def _check_mac(mac: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", mac):
        raise ValueError(f"{mac!r} is no MAC address")
    if int(mac[:2], 16) & 1 or not mac.strip("0:"):
        raise ValueError(f"{mac!r} is not the MAC address of one host")
    return mac.lower()


Name = Annotated[str, AfterValidator(_check_name)]
Address = Annotated[str, AfterValidator(check_address)]
"""`unix:/path` or `host:port`."""
TcpAddress = Annotated[str, AfterValidator(_check_tcp_address)]
"""`host:port`."""
Mac = Annotated[str, AfterValidator(_check_mac)]
"""Six octets in hexadecimal, with colons."""
Id = Annotated[int, Field(ge=1, le=255, strict=True)]
"""Number of an instance or a group, as the switch knows it (8 bits; 0 is none)."""


class Protocol(StrEnum):
    """What a group looks at."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    ANY = "any"

    @property
    def number(self) -> int | None:
        """Protocol number of IPv4; none for any."""
        return {"tcp": 6, "udp": 17, "icmp": 1}.get(self)


# --- sections of the file -------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SwitchConfig(_Section):
    """The switch."""

    name: Name
    """Name of the switch in `links`."""

    device_id: PositiveInt = 1
    """P4Runtime device id."""

    p4runtime: Address
    """Where its P4Runtime server listens."""

    thrift: TcpAddress | None = None
    """Where BMv2's Thrift server listens; none where registers are read by P4Runtime."""

    program: Path
    """BMv2 JSON of the P4 program. A relative path is relative to the topology file."""

    p4info: Path
    """P4Info of the program, as protobuf text. Relative as `program`."""


class HostConfig(_Section):
    """An end of the traffic, one hop behind the switch."""

    name: Name
    address: IPv4Interface
    """Address and prefix length."""
    mac: Mac
    gateway: IPv4Address
    """The host's default gateway; the switch answers ARP requests for it."""

    @model_validator(mode="after")
    def _check(self) -> HostConfig:
        if self.gateway not in self.address.network:
            raise ValueError(f"the gateway {self.gateway} is not in {self.address.network}")
        if self.gateway == self.address.ip:
            raise ValueError(f"the gateway {self.gateway} is the host itself")
        return self


class InstanceConfig(_Section):
    """A network function instance."""

    name: Name
    id: Id
    southbound: Address
    """Where its southbound server listens."""


class TrafficConfig(_Section):
    """Traffic that a group looks at, in both directions."""

    clients: IPv4Network
    servers: IPv4Network
    protocol: Protocol = Protocol.ANY

    def overlaps(self, other: TrafficConfig) -> bool:
        """Whether a packet can belong to both."""
        if Protocol.ANY not in (self.protocol, other.protocol) and self.protocol != other.protocol:
            return False
        return any(
            self.clients.overlaps(clients) and self.servers.overlaps(servers)
            for clients, servers in (
                (other.clients, other.servers),
                (other.servers, other.clients),
            )
        )


class GroupConfig(_Section):
    """Instances that share the work on some traffic."""

    name: Name
    id: Id
    instances: tuple[Name, ...] = Field(min_length=1)
    owners: tuple[Name, ...] = Field(min_length=1)
    """Instances that new flows are spread over when the switch starts."""
    traffic: tuple[TrafficConfig, ...] = Field(min_length=1)


class TimersConfig(_Section):
    """Times after which the switch forgets."""

    activity_window_ms: PositiveInt = 100
    """A flow is active for so long after its last packet."""

    affinity_timeout_s: PositiveFloat = 60
    """For so long after its last packet a flow's instance is remembered without a rule.
    At least the time for which an instance keeps the state of an idle flow."""

    flow_rule_timeout_s: PositiveFloat = 120
    """A flow's rule expires so long after its last packet."""

    @model_validator(mode="after")
    def _check(self) -> TimersConfig:
        if self.affinity_timeout_s * 1000 < self.activity_window_ms:
            raise ValueError(
                f"affinity_timeout_s ({self.affinity_timeout_s:g} s) is shorter than"
                f" activity_window_ms ({self.activity_window_ms} ms)"
            )
        if self.flow_rule_timeout_s < self.affinity_timeout_s:
            raise ValueError(
                f"flow_rule_timeout_s ({self.flow_rule_timeout_s:g} s) is shorter than"
                f" affinity_timeout_s ({self.affinity_timeout_s:g} s): an expired rule would"
                " send a moved flow back"
            )
        if self.affinity_timeout_s * 1e6 >= 1 << 48:
            raise ValueError(f"affinity_timeout_s ({self.affinity_timeout_s:g} s) is too long")
        return self


class BufferConfig(_Section):
    """Bounds of the controller's packet buffer."""

    max_packets: PositiveInt = 100_000
    max_bytes: PositiveInt = 1 << 28


class Config(_Section):
    """The whole topology file."""

    switch: SwitchConfig
    hosts: tuple[HostConfig, ...] = Field(min_length=1)
    gateway_mac: Mac
    """MAC address of every gateway, and source of what the switch routes."""
    instances: tuple[InstanceConfig, ...] = Field(min_length=1)
    links: tuple[tuple[Name, str], ...]
    """Pairs of a host's or an instance's name and `SWITCH:PORT`."""
    groups: tuple[GroupConfig, ...] = ()
    timers: TimersConfig = TimersConfig()
    buffer: BufferConfig = BufferConfig()
    detection: Settings = Settings()
    """Which flows are elephants."""
    northbound: Address
    """Where the controller's own API listens."""
    journal: Path = Path("journal.sqlite")
    """Where moves under way are written down, for a controller that takes over."""
    reconnect_s: float = Field(default=30.0, ge=0)
    """How long a switch that went away is waited for."""

    @cached_property
    def instances_by_name(self) -> dict[str, InstanceConfig]:
        """The instances."""
        return {instance.name: instance for instance in self.instances}

    @model_validator(mode="after")
    def _check(self) -> Config:
        for problem in _problems(self):
            raise ValueError(problem)
        return self


# --- what one section cannot know by itself -----------------------------------------


def _problems(config: Config) -> Iterator[str]:
    """What is wrong between sections: place and reason."""
    yield from _name_problems(config)
    hosts, instances, groups = config.hosts, config.instances, config.groups
    yield from _duplicates("instances", "id", (i.id for i in instances))
    yield from _duplicates("instances", "southbound", (i.southbound for i in instances))
    yield from _duplicates("hosts", "mac", (h.mac for h in hosts))
    yield from _duplicates("hosts", "address", (h.address.ip for h in hosts))
    yield from _duplicates("groups", "name", (g.name for g in groups))
    yield from _duplicates("groups", "id", (g.id for g in groups))
    gateways = {host.gateway for host in hosts}
    for index, host in enumerate(hosts):
        if host.mac == config.gateway_mac:
            yield f"hosts[{index}].mac: {host.mac} is the gateway_mac"
        if host.address.ip in gateways:
            yield f"hosts[{index}].address: {host.address.ip} is a gateway"
    yield from _group_problems(config)


def _name_problems(config: Config) -> Iterator[str]:
    places = {config.switch.name: "switch"}
    for section, nodes in (("hosts", config.hosts), ("instances", config.instances)):
        for index, node in enumerate(nodes):
            place = f"{section}[{index}]"
            if node.name in places:
                yield f"{place}.name: {node.name!r} is also {places[node.name]}"
            places[node.name] = place


def _group_problems(config: Config) -> Iterator[str]:
    known = {instance.name for instance in config.instances}
    group_of: dict[str, str] = {}
    for index, group in enumerate(config.groups):
        place = f"groups[{index}]"
        yield from _duplicates(f"{place}.instances", "", group.instances)
        yield from _duplicates(f"{place}.owners", "", group.owners)
        for name in group.instances:
            if name not in known:
                yield f"{place}.instances: no instance {name!r}"
            if name in group_of:
                yield f"{place}.instances: {name!r} is in group {group_of[name]!r} already"
            group_of[name] = group.name
        for name in group.owners:
            if name not in group.instances:
                yield f"{place}.owners: {name!r} is no instance of the group"
    for (index, one), (other_index, other) in combinations(enumerate(config.groups), 2):
        for number, traffic in enumerate(other.traffic):
            if any(traffic.overlaps(each) for each in one.traffic):
                yield (
                    f"groups[{other_index}].traffic[{number}]: overlaps with traffic of"
                    f" groups[{index}] ({one.name})"
                )


def _duplicates(section: str, field: str, values: Iterable[object]) -> Iterator[str]:
    first: dict[object, int] = {}
    for index, value in enumerate(values):
        if value in first:
            place = f"{section}[{index}].{field}".rstrip(".")
            yield f"{place}: {value} is also in {section}[{first[value]}]"
        first.setdefault(value, index)


# --- loading ------------------------------------------------------------------------


def load(path: Path) -> Config:
    """The configuration in a topology file. Raises ConfigError."""
    try:
        with path.open(encoding="utf-8") as file:
            content: Any = yaml.load(file, YamlLoader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except ValueError as error:  # an impossible date, a number of too many digits
        raise ConfigError(f"{path}: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{path}: {place}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: is no mapping of sections")
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_line(error)}") from error
    switch = config.switch.model_copy(
        update={
            "program": path.parent / config.switch.program,
            "p4info": path.parent / config.switch.p4info,
        }
    )
    for name in ("program", "p4info"):
        file = getattr(switch, name)
        if not file.is_file():
            raise ConfigError(f"{path}: switch.{name}: there is no file {file}")
    journal = path.parent / config.journal
    if not journal.parent.is_dir():
        raise ConfigError(f"{path}: journal: there is no directory {journal.parent}")
    try:
        detection = _with_distribution(config.detection, path.parent)
    except SizesError as error:
        raise ConfigError(f"{path}: detection.distribution: {error}") from None
    return config.model_copy(update={"switch": switch, "journal": journal, "detection": detection})


def _with_distribution(detection: Settings, directory: Path) -> Settings:
    """The same with the path of a file of flow sizes, if there is one, from the root.

    Raises SizesError if it cannot be used.
    """
    name = detection.distribution
    if name == LEARNT or name in BUILTIN:
        return detection
    name = str((directory / name).absolute())
    find_distribution(name)
    return detection.model_copy(update={"distribution": name})


def _first_line(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    first = details[0]
    place = ""
    for step in first["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    match first["type"]:
        case "extra_forbidden":
            reason = "unknown key"
        case "missing":
            reason = "missing"
        case _:
            reason = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{place}: {reason}{more}" if place else f"{reason}{more}"
