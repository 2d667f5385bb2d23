"""Choosing a switch target by its name."""

from __future__ import annotations

from bmv2 import simple_switch
from bmv2.embedded_target import EmbeddedTarget
from bmv2.simple_switch import SimpleSwitchTarget
from bmv2.target import SwitchOptions, Target, TargetError

NAMES = ("embedded", "simple_switch", "auto")


def resolve(name: str) -> str:
    """The target that a name stands for: `auto` is simple_switch where it is installed.

    Raises TargetError for an unknown name.
    """
    if name not in NAMES:
        raise TargetError(f"no switch target {name!r}; there are {', '.join(NAMES)}")
    if name != "auto":
        return name
    return "simple_switch" if simple_switch.is_installed() else "embedded"


def create(name: str, options: SwitchOptions) -> Target:
    """A target that is not started yet.

    Raises TargetError for an unknown name, and for a switch that is not installed.
    """
    if resolve(name) == "embedded":
        return EmbeddedTarget(options)
    simple_switch.check_installed()
    return SimpleSwitchTarget(options)
