"""Choosing a switch target by its name."""

from __future__ import annotations

from bmv2 import simple_switch
from bmv2.embedded_target import EmbeddedTarget
from bmv2.simple_switch import SimpleSwitchTarget
from bmv2.target import SwitchOptions, Target, TargetError

NAMES = ("embedded", "simple_switch", "auto")


def create(name: str, options: SwitchOptions) -> Target:
    """A target that is not started yet.

    `auto` is simple_switch where it is installed, otherwise the embedded switch. Raises
    TargetError for an unknown name, and for a switch that is not installed.
    """
    match name:
        case "embedded":
            return EmbeddedTarget(options)
        case "simple_switch":
            simple_switch.check_installed()
            return SimpleSwitchTarget(options)
        case "auto":
            installed = simple_switch.is_installed()
            return SimpleSwitchTarget(options) if installed else EmbeddedTarget(options)
        case _:
            raise TargetError(f"no switch target {name!r}; there are {', '.join(NAMES)}")
