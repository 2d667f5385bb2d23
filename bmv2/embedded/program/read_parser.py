"""The parser from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.document import Object, integer, objects
from bmv2.embedded.program.expression import Constant, Expression, FieldRef, Operation, StackRef
from bmv2.embedded.program.model import (
    Advance,
    Extract,
    ExtractAt,
    ExtractNext,
    ExtractUnion,
    Lookahead,
    Parser,
    ParserOp,
    ParseState,
    Primitive,
    Set,
    Transition,
    ValueSet,
    Verify,
)
from bmv2.embedded.program.read_expression import read_expression


def _extract(parameters: list[Any]) -> ParserOp:
    target = parameters[0]
    bits = read_expression(parameters[1]) if len(parameters) > 1 else None
    match target["type"]:
        case "regular" if isinstance(target["value"], Mapping):
            match read_expression(target["value"]):
                case Operation("dereference_header_stack", (StackRef(stack), index)):
                    return ExtractAt(stack, index, bits)
                case _:
                    raise UnsupportedProgram("extract into an expression")
        case "regular":
            return Extract(target["value"], bits)
        case "stack":
            return ExtractNext(target["value"], bits)
        case "union_stack":
            return ExtractUnion(target["value"][0], target["value"][1], bits)
        case other:
            raise UnsupportedProgram(f"extract into {other!r}")


def _source(operand: Object) -> Expression | Lookahead:
    if operand["type"] == "lookahead":
        offset, width = operand["value"]
        return Lookahead(offset, width)
    return read_expression(operand)


def _set(parameters: list[Any]) -> ParserOp:
    target = read_expression(parameters[0])
    if not isinstance(target, FieldRef):
        raise UnsupportedProgram(f"the parser sets a {parameters[0]['type']}")
    return Set(target.header, target.field, _source(parameters[1]))


def _operation(item: Object) -> ParserOp:
    parameters: list[Any] = list(item["parameters"])
    match item["op"]:
        case "extract" | "extract_VL":
            return _extract(parameters)
        case "set":
            return _set(parameters)
        case "verify":
            return Verify(read_expression(parameters[0]), read_expression(parameters[1]))
        case "advance":
            return Advance(read_expression(parameters[0]))
        case "shift":
            return Advance(Constant(8 * integer(parameters[0], "a shift")))
        case "primitive":
            inner = parameters[0]
            operands = tuple(read_expression(each) for each in inner["parameters"])
            return Primitive(inner["op"], operands)
        case other:
            raise UnsupportedProgram(f"parser operation {other!r}")


def _transition(item: Object) -> Transition:
    target = item["next_state"]
    match item.get("type", "hexstr"):
        case "default":
            return Transition(None, None, None, target)
        case "hexstr":
            if item["value"] == "default":
                return Transition(None, None, None, target)
            mask = item.get("mask")
            return Transition(
                integer(item["value"], "a transition's value"),
                None if mask is None else integer(mask, "a transition's mask"),
                None,
                target,
            )
        case "parse_vset":
            mask = item.get("mask")
            return Transition(
                None,
                None if mask is None else integer(mask, "a transition's mask"),
                item["value"],
                target,
            )
        case other:
            raise UnsupportedProgram(f"parser transition {other!r}")


def _state(item: Object) -> ParseState:
    return ParseState(
        item["name"],
        tuple(_operation(each) for each in objects(item, "parser_ops")),
        tuple(_source(each) for each in objects(item, "transition_key")),
        tuple(_transition(each) for each in objects(item, "transitions")),
    )


def read_parser(document: Object) -> Parser:
    """The parser named `parser`."""
    for item in objects(document, "parsers"):
        if item["name"] == "parser":
            states = {each["name"]: _state(each) for each in objects(item, "parse_states")}
            return Parser(item["init_state"], states)
    raise UnsupportedProgram("the JSON is not of a v1model program: it has no parser")


def read_value_sets(document: Object) -> dict[str, ValueSet]:
    """The parser value sets by name."""
    return {
        item["name"]: ValueSet(
            item["name"], item["compressed_bitwidth"], item.get("max_size") or 1024
        )
        for item in objects(document, "parse_vsets")
    }
