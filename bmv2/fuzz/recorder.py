"""Calls of the data plane's library, done and written down as C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

from bmv2.embedded.library import Library, Rates

_WORD_BYTES = 8
# Every switch does these by itself.
_NOT_RECORDED = ("switch_prepare", "switch_add_port")


class Call(NamedTuple):
    """A call as C, and what it gave; None of a function without a result."""

    text: str
    result: int | None


class _RecordingCalls(ctypes.CDLL):
    """The functions of a library; a call of one is noted, with its result."""

    def __init__(self, library: ctypes.CDLL, calls: list[Call]) -> None:
        self._library = library
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        function: Callable[..., int | None] = getattr(self._library, name)

        def recorded(*arguments: object) -> int | None:
            result = function(*arguments)
            if name not in _NOT_RECORDED:
                texts = ", ".join(argument_text(each) for each in arguments)
                self._calls.append(Call(f"{name}({texts})", result))
            return result

        return recorded


class RecordingLibrary(Library):
    """A library whose calls are in `calls`, in their order."""

    def __init__(self, image: bytes) -> None:
        """Loads a library of its own. Raises CompileError."""
        super().__init__(image)
        self.calls: list[Call] = []
        self.call = _RecordingCalls(self.call, self.calls)


def argument_text(argument: object) -> str:
    """An argument as C: a number, or an array that is as long as what was given."""
    match argument:
        case None:
            return "NULL"
        case int():  # truth values, too
            return f"(-{-argument})" if argument < 0 else f"{int(argument):#x}u"
        case bytes():
            size = 1 if len(argument) % _WORD_BYTES else _WORD_BYTES
            parts = [argument[place : place + size] for place in range(0, len(argument), size)]
            return _array([int.from_bytes(part, "little") for part in parts], size)
        case ctypes.Array() if issubclass(argument._type_, Rates):
            return (
                f"&(struct meter_rates){{{', '.join(f'{each}u' for each in argument[0].value())}}}"
            )
        case ctypes.Array():
            return _array(list(argument), ctypes.sizeof(argument._type_))
        case _:
            raise TypeError(f"{type(argument).__name__} cannot be written as C")


def _array(numbers: list[int], element_bytes: int) -> str:
    literals = ", ".join(f"{number:#x}u" for number in numbers)
    return f"(uint{8 * element_bytes}_t[{len(numbers) or 1}]){{{literals}}}"
