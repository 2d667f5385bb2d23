"""Expressions of any width against Python's integers: in C nothing may be lost or wrap."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from small_program import BUILD

from bmv2.embedded.codegen.arithmetic import MOST_SHIFT
from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.compiler import compile_library
from bmv2.embedded.program.expression import Constant, Expression, Operation, Parameter
from bmv2.embedded.program.load import load_program

EXPRESSIONS, ROUNDS = 60, 25
RESULT_BITS = 256
WIDTHS = (1, 8, 31, 32, 63, 64, 65, 127, 128, 129, 200)


def divided(a: int, b: int) -> int:
    """Towards zero; by zero it is zero."""
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def rest(a: int, b: int) -> int:
    return 0 if b == 0 else a - divided(a, b) * b


def saturated(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def wrapped(value: int, width: int) -> int:
    return (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)


BINARY: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divided,
    "%": rest,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    ">>": lambda a, b: a >> max(b, 0),
    "<<": lambda a, b: a << min(max(b, 0), MOST_SHIFT),
    "two_comp_mod": wrapped,
    "sat_cast": lambda a, w: saturated(a, -(1 << w - 1), (1 << w - 1) - 1),
    "usat_cast": lambda a, w: saturated(a, 0, (1 << w) - 1),
    "==": lambda a, b: int(a == b),
    "<": lambda a, b: int(a < b),
    ">=": lambda a, b: int(a >= b),
}


def value_of(expression: Expression, arguments: Sequence[int]) -> int:
    match expression:
        case Constant(value):
            return value
        case Parameter(index):
            return arguments[index]
        case Operation("~", (operand,)):
            return ~value_of(operand, arguments)
        case Operation("?", (condition, left, right)):
            return value_of(left if value_of(condition, arguments) else right, arguments)
        case Operation(operator, (left, right)):
            return BINARY[operator](value_of(left, arguments), value_of(right, arguments))
        case _:
            raise AssertionError(expression)


def some_expression(dice: random.Random, depth: int) -> Expression:
    def operand() -> Expression:
        return some_expression(dice, depth - 1)

    if depth == 0:
        constant = dice.choice([1, -1]) * dice.getrandbits(dice.choice(WIDTHS))
        return dice.choice([Parameter(dice.randrange(len(WIDTHS))), Constant(constant)])
    match dice.choice(["~", "?", *BINARY]):
        case "~":
            return Operation("~", (operand(),))
        case "?":
            condition = Operation("<", (operand(), operand()))
            return Operation("?", (condition, operand(), operand()))
        case "two_comp_mod" | "sat_cast" | "usat_cast" as cast:
            return Operation(cast, (operand(), Constant(dice.choice(WIDTHS[1:]))))
        case "<<" | ">>" as shift:
            by = Parameter(dice.choice([1, 3, 8]))
            return Operation(shift, (operand(), dice.choice([by, Constant(dice.randrange(300))])))
        case operator:
            return Operation(operator, (operand(), operand()))


def source_of(expressions: Sequence[Expression]) -> str:
    """A function `result(n, d, out)` that puts the low bits of an expression into `out`."""
    parameters: list[tuple[str, int]] = []
    place = 0
    for width in WIDTHS:
        words = 1 if width <= 64 else 2 if width <= 128 else 4
        limbs = ", ".join(f"d[{place + each}]" for each in range(words))
        text = {1: f"d[{place}]", 2: f"U128(d[{place + 1}], d[{place}])"}.get(
            words, f"((struct wide){{{{{limbs}}}}})"
        )
        parameters.append((text, width))
        place += words
    layout = Layout(load_program((BUILD / "zero.json").read_bytes()))
    compiler = Expressions(layout, parameters)
    cases: list[str] = []
    for number, expression in enumerate(expressions):
        exact = compiler.exact(expression).to("struct wide")
        low = compiler.stored(expression, RESULT_BITS)
        cases.append(f"case {number}: exact = {exact}; low = {low}; break;")
    return "\n".join(
        [
            f"#define WIDE_LIMBS {layout.wide_limbs()}",
            '#include "numbers.h"',
            '__attribute__((visibility("default")))',
            "void result(uint32_t n, const uint64_t *d, uint64_t *out) {",
            "  struct wide exact = {{0}}, low = {{0}};",
            "  switch (n) {",
            *cases,
            "  }",
            "  memcpy(out, exact.limb, 32); memcpy(out + 4, low.limb, 32);",
            "}",
        ]
    )


def some_arguments(dice: random.Random) -> list[int]:
    return [
        dice.choice([0, 1, (1 << width) - 1, 1 << width - 1, dice.getrandbits(width)])
        for width in WIDTHS
    ]


def test_expressions_are_those_of_integers_without_bounds(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    expressions = [some_expression(dice, dice.choice([1, 1, 2, 2, 3])) for _ in range(EXPRESSIONS)]
    path = tmp_path / "expressions.so"
    path.write_bytes(compile_library(source_of(expressions), ("-O1", "-shared", "-fPIC", "-w")))
    library = ctypes.CDLL(str(path))
    out = (ctypes.c_uint64 * 8)()
    for _ in range(ROUNDS):
        arguments = some_arguments(dice)
        data = b"".join(
            value.to_bytes(8 if width <= 64 else 16 if width <= 128 else 32, "little")
            for value, width in zip(arguments, WIDTHS, strict=True)
        )
        for number, expression in enumerate(expressions):
            expected = value_of(expression, arguments) & (1 << RESULT_BITS) - 1
            library.result(number, data, out)
            found = bytes(out)
            exact, low = (int.from_bytes(found[start : start + 32], "little") for start in (0, 32))
            assert (exact, low) == (expected, expected), (expression, arguments)
