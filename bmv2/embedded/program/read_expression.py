"""Expressions and operands from JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.document import Object, integer
from bmv2.embedded.program.expression import (
    Arguments,
    Boolean,
    Constant,
    Expression,
    FieldRef,
    HeaderRef,
    ObjectRef,
    Operation,
    Parameter,
    RegisterRef,
    StackFieldRef,
    StackRef,
    Text,
    UnionRef,
    UnionStackFieldRef,
    UnionStackRef,
)

_ARITY = {
    **dict.fromkeys(("not", "~", "valid", "valid_union", "d2b", "b2d"), 1),
    **dict.fromkeys(("last_stack_index", "size_stack"), 1),
    **dict.fromkeys(("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^"), 2),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "and", "or"), 2),
    **dict.fromkeys(("==h", "!=h", "==b", "!=b", "==u", "!=u"), 2),
    **dict.fromkeys(("two_comp_mod", "sat_cast", "usat_cast"), 2),
    **dict.fromkeys(("access_field", "access_union_header"), 2),
    **dict.fromkeys(("dereference_header_stack", "dereference_union_stack"), 2),
    "?": 3,
}


def _operation(value: Object) -> Expression:
    if "type" in value:
        return read_expression(value)
    operator = value.get("op")
    arity = _ARITY.get(operator) if isinstance(operator, str) else None
    if operator is None or arity is None:
        raise UnsupportedProgram(f"expression operator {operator!r}")
    if operator in ("access_field", "access_union_header"):
        place = integer(value["right"], f"the place in {operator}")
        return Operation(operator, (read_expression(value["left"]), Constant(place)))
    names = {1: ("right",), 2: ("left", "right"), 3: ("cond", "left", "right")}[arity]
    if arity == 1 and value.get("right") is None:
        names = ("left",)
    return Operation(operator, tuple(read_expression(value[name]) for name in names))


def _field(value: Any) -> Expression:
    header, field = value
    if isinstance(header, dict) and field == "$valid$":  # of a place in a stack
        return Operation("valid", (_operation(header),))
    if not isinstance(header, str):
        raise UnsupportedProgram(f"a field {field!r} of an expression")
    return FieldRef(header, field)


def _register(value: Any) -> Expression:
    name, index = value
    return RegisterRef(name, read_expression(index))


def _reference(kind: str) -> Callable[[Any], Expression]:
    return lambda value: ObjectRef(kind, value)


_READERS: dict[str, Callable[[Any], Expression]] = {
    "expression": _operation,
    "field": _field,
    "hexstr": lambda value: Constant(integer(value, "a constant")),
    "bool": lambda value: Boolean(bool(value)),
    "local": Parameter,
    "runtime_data": Parameter,
    "header": HeaderRef,
    "header_stack": StackRef,
    "header_union": UnionRef,
    "header_union_stack": UnionStackRef,
    "stack_field": lambda value: StackFieldRef(value[0], value[1]),
    "union_stack_field": lambda value: UnionStackFieldRef(value[0], value[1], value[2]),
    "register": _register,
    "calculation": _reference("calculation"),
    "counter_array": _reference("counter"),
    "meter_array": _reference("meter"),
    "register_array": _reference("register"),
    "string": Text,
    "parameters_vector": lambda value: Arguments(tuple(read_expression(each) for each in value)),
}


def read_expression(value: Object) -> Expression:
    """The expression, or the operand of a primitive, of a JSON object."""
    kind = value.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise UnsupportedProgram(f"operand type {kind!r}")
    return reader(value["value"])
