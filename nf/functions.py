"""The network functions, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from inspect import isabstract
from typing import Any, TypeAlias

from nf.asset_monitor.monitor import AssetMonitor
from nf.runtime.function import NetworkFunction

# Each function has a type of state of its own, which only the function itself looks into.
AnyFunction: TypeAlias = NetworkFunction[Any]

FUNCTIONS: dict[str, Callable[[], AnyFunction]] = {AssetMonitor.name: AssetMonitor}
"""What comes with the project."""


class UnknownFunctionError(Exception):
    """No function goes by this name. The message is one line."""


def create(name: str) -> AnyFunction:
    """A function by its name, or by `module:Class` for one from elsewhere.

    Raises UnknownFunctionError.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]()
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise UnknownFunctionError(
            f"no function {name!r}: there is {', '.join(sorted(FUNCTIONS))}, or module:Class"
        )
    try:
        kind: object = getattr(importlib.import_module(module_name), class_name, None)
    except ImportError as error:
        raise UnknownFunctionError(f"cannot import {module_name}: {error}") from None
    if not isinstance(kind, type) or not issubclass(kind, NetworkFunction) or isabstract(kind):
        raise UnknownFunctionError(f"{name} is no network function")
    return kind()
