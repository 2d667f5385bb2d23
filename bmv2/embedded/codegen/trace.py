"""Lines of the log as C: what -DTRACE shows of a packet's way, and the program's log_msg."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bmv2.embedded.codegen.value import Value

_MAX_VALUES = 16
"""What one line shows at most; the runtime has room for twice as many texts."""

_LOG_TEXTS = {
    "uint64_t": "log_unsigned",
    "u128": "log_unsigned",
    "int64_t": "log_signed",
    "i128": "log_signed",
    "struct wide": "log_wide",
}


def step(text: str) -> str:
    """A line on where a packet comes along."""
    return _line("DEBUG_LINE", _format(text), [])


def detail(text: str) -> str:
    """A line on what is done there."""
    return _line("TRACE_LINE", _format(text), [])


def step_numbers(text: str, numbers: Sequence[tuple[str, str, int]]) -> str:
    """A line with numbers in parentheses: for each its name, its C, and its width in bits."""
    shown = numbers[:_MAX_VALUES]
    parts = [f"{_format(name)}=%s" for name, _, _ in shown]
    if len(shown) < len(numbers):
        parts.append("...")
    values = [f"{'log_wide' if width > 128 else 'log_hex'}({number})" for _, number, width in shown]
    return _line("DEBUG_LINE", f"{_format(text)}({', '.join(parts)})", values)


def step_number(text: str, number: str) -> str:
    """A line that ends with a number of type `uint32_t`."""
    return _line("DEBUG_LINE", f"{_format(text)}%u", [number])


def step_choice(text: str, test: str) -> str:
    """A line that ends with a truth value."""
    return _line("DEBUG_LINE", f"{_format(text)}%s", [f'({test}) ? "true" : "false"'])


def step_bytes(text: str, pointer: str, length: str) -> str:
    """A line that ends with bytes of the packet."""
    return f'DEBUG_BYTES(c, "{_escape(text)}", {pointer}, {length});'


def log_message(text: str, values: Sequence[Value]) -> str:
    """What log_msg says: its text with a decimal number for each pair of braces."""
    left = list(values)[:_MAX_VALUES]
    shown: list[str] = []
    parts: list[str] = []
    for part in re.split(r"(\\[{}]|\{[^}]*\})", text):
        if part in (r"\{", r"\}"):
            parts.append(part[1:])
        elif part.startswith("{") and left:
            value = left.pop(0)
            shown.append(f"{_LOG_TEXTS[value.kind]}({value.text})")
            parts.append("%s")
        else:
            parts.append(_format(part))
    return _line("LOG_MESSAGE", "".join(parts), shown)


def _line(macro: str, text: str, values: Sequence[str]) -> str:
    arguments = ", ".join(["c", f'"{text}"', *values])
    return f"{macro}({arguments});"


def _escape(text: str) -> str:
    """A text within a C string, on one line and without what a terminal obeys."""
    plain = re.sub(r"\s+", " ", text)
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
    return re.sub(r"[^ -~]", "?", quoted)


def _format(text: str) -> str:
    return _escape(text).replace("%", "%%")
