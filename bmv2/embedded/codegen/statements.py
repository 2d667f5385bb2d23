"""Primitives as C statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bmv2.embedded.codegen.arrays import indirect_meters
from bmv2.embedded.codegen.calculations import Calculations
from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.headers import size_text
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.meters import execute
from bmv2.embedded.codegen.places import VALID, HeaderPlace
from bmv2.embedded.codegen.storage import constant
from bmv2.embedded.codegen.trace import detail, log_message
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import (
    Arguments,
    Constant,
    Expression,
    FieldRef,
    HeaderRef,
    ObjectRef,
    StackRef,
    Text,
    UnionRef,
    UnionStackRef,
)
from bmv2.embedded.program.model import Primitive, Program

Operands: TypeAlias = tuple[Expression, ...]


_TARGETS = {"execute_meter": 2}
"""Where the operand is that a primitive writes to, if it is not the first one."""


class Statements:
    """Compiles primitives of one action, or of the parser."""

    def __init__(
        self,
        program: Program,
        layout: Layout,
        expressions: Expressions,
        calculations: Calculations,
    ) -> None:
        self._program = program
        self._layout = layout
        self._expressions = expressions
        self._calculations = calculations
        self._compilers: dict[str, Callable[[Operands], str]] = {
            "assign": self._assign,
            "assign_VL": self._assign,
            "modify_field": self._assign,
            "assign_header": self._assign_header,
            "copy_header": self._assign_header,
            "assign_union": self._assign_union,
            "assign_header_stack": self._assign_stack,
            "assign_union_stack": self._assign_union_stack,
            "add_header": self._add_header,
            "remove_header": self._remove_header,
            "push": lambda operands: self._shift(operands, is_push=True),
            "pop": lambda operands: self._shift(operands, is_push=False),
            "modify_field_with_hash_based_offset": self._hash,
            "count": self._count,
            "register_read": self._register_read,
            "register_write": self._register_write,
            "execute_meter": self._execute_meter,
            "modify_field_rng_uniform": self._random,
            "generate_digest": self._digest,
            "clone_ingress_pkt_to_egress": self._clone,
            "clone_egress_pkt_to_egress": self._clone,
            "resubmit": lambda operands: f"c->resubmit_list = {self._u64(operands[0])};",
            "recirculate": lambda operands: f"c->recirculate_list = {self._u64(operands[0])};",
            "truncate": self._truncate,
            "mark_to_drop": self._mark_to_drop,
            "drop": self._mark_to_drop,
            "exit": lambda _: "c->exit = true; return;",
            "assert": self._assert,
            "assume": self._assert,
            "log_msg": self._log,
            "no_op": lambda _: "",
        }

    def block(self, primitives: tuple[Primitive, ...]) -> list[str]:
        """The statements of a list of primitives, jumps within it included."""
        targets = {
            _jump_target(primitive) for primitive in primitives if _is_jump(primitive.operation)
        }
        lines: list[str] = []
        for place, primitive in enumerate(primitives):
            if place in targets:
                lines.append(f"label_{place}:;")
            if primitive.source:
                lines.append(detail(f"  {primitive.source}"))
            lines.append(self.statement(primitive))
        if targets - set(range(len(primitives))):
            lines.append(f"label_{len(primitives)}:;")
        return [line for line in lines if line]

    def statement(self, primitive: Primitive) -> str:
        """One primitive. Raises UnsupportedProgram."""
        operands = primitive.operands
        if primitive.operation == "_jump":
            return f"goto label_{_jump_target(primitive)};"
        if primitive.operation == "_jump_if_zero":
            test = self._expressions.boolean(operands[0])
            return f"if (!({test})) goto label_{_jump_target(primitive)};"
        compiler = self._compilers.get(primitive.operation)
        if compiler is None:
            raise UnsupportedProgram(f"primitive {primitive.operation!r}")
        return f"{compiler(operands)}{self._clear_beyond(primitive)}"

    def _clear_beyond(self, primitive: Primitive) -> str:
        """What is written beyond a stack's end is gone."""
        place = _TARGETS.get(primitive.operation, 0)
        if place >= len(primitive.operands):
            return ""
        beyond = self._expressions.places.beyond(primitive.operands[place])
        return "" if beyond is None else f" memset(&{beyond}, 0, sizeof {beyond});"

    def _u64(self, expression: Expression) -> str:
        return self._expressions.modular(expression, 64)

    # --- assignments --------------------------------------------------------------------------

    def assign_to(self, target: Expression, source: Expression) -> str:
        """An assignment to a field."""
        if isinstance(target, FieldRef) and target.field == VALID:
            place = self._layout.header(target.header)
            return f"{place}.valid = {self._expressions.boolean(source)};"
        place = self._expressions.places.field(target)
        if place.field.is_varbit:
            other = self._expressions.places.field(source)
            return f"varbit_assign(&{place.text}, &{other.text});"
        return f"{place.text} = {self._expressions.stored(source, place.field.width)};"

    def _assign(self, operands: Operands) -> str:
        return self.assign_to(operands[0], operands[1])

    def _assign_header(self, operands: Operands) -> str:
        places = self._expressions.places
        return self._copy(places.header(operands[0]), places.header(operands[1]))

    @staticmethod
    def _copy(target: HeaderPlace, source: HeaderPlace) -> str:
        """What is invalid is not copied: the fields of the target stay."""
        if target.text == source.text:
            return ""
        copy = f"{target.text} = {source.text}; {_invalidated(target.others)}"
        return f"if ({source.text}.valid) {{ {copy} }} else {target.text}.valid = 0;"

    def _assign_union(self, operands: Operands) -> str:
        members = self._expressions.places.union_members
        return self._copy_members(members(operands[0]), members(operands[1]))

    def _copy_members(self, target: Sequence[HeaderPlace], source: Sequence[HeaderPlace]) -> str:
        return " ".join(self._copy(*pair) for pair in zip(target, source, strict=True))

    def _assign_stack(self, operands: Operands) -> str:
        target, source = operands
        if not isinstance(target, StackRef) or not isinstance(source, StackRef):
            raise UnsupportedProgram("assign_header_stack of what is no header stack")
        size = len(self._expressions.places.stack(target.name).headers)
        to, of = self._layout.stack(target.name), self._layout.stack(source.name)
        return f"memcpy({to}.at, {of}.at, {size} * sizeof {to}.at[0]); {to}.next = {of}.next;"

    def _assign_union_stack(self, operands: Operands) -> str:
        target, source = operands
        if not isinstance(target, UnionStackRef) or not isinstance(source, UnionStackRef):
            raise UnsupportedProgram("assign_union_stack of what is no stack of unions")
        following = self._layout.union_stack_next
        return " ".join(
            [
                *(
                    self._copy_members(*pair)
                    for pair in zip(
                        self._union_stack(target.name), self._union_stack(source.name), strict=True
                    )
                ),
                f"{following(target.name)} = {following(source.name)};",
            ]
        )

    def _union_stack(self, name: str) -> list[tuple[HeaderPlace, ...]]:
        unions = self._program.union_stacks[name].unions
        return [self._expressions.places.union_members(UnionRef(union)) for union in unions]

    # --- headers --------------------------------------------------------------------------------

    def _add_header(self, operands: Operands) -> str:
        place = self._expressions.places.header(operands[0])
        if place.name is not None and self._layout.is_metadata(place.name):
            return ""
        fixed = place.type.width // 8
        body = f"memset(&{place.text}, 0, sizeof {place.text}); {place.text}.valid = 1;"
        body += f" c->packet_length += {fixed}; {_invalidated(place.others)}"
        return f"if (!{place.text}.valid) {{ {body} }}"

    def _remove_header(self, operands: Operands) -> str:
        place = self._expressions.places.header(operands[0])
        if place.name is not None and self._layout.is_metadata(place.name):
            return ""
        size = str(place.type.width // 8)
        if place.name is not None:
            size = size_text(self._layout, place.name)
        return f"if ({place.text}.valid) {{ c->packet_length -= {size}; {place.text}.valid = 0; }}"

    def _shift(self, operands: Operands, *, is_push: bool) -> str:
        match operands:
            case (StackRef(name), number):
                return self._shift_stack(name, number, "stack_push" if is_push else "stack_pop")
            case (UnionStackRef(name), Constant(number)):
                return self._shift_union_stack(name, number if is_push else -number)
            case _:
                raise UnsupportedProgram("push or pop of what is no header stack")

    def _shift_stack(self, name: str, number: Expression, function: str) -> str:
        size = len(self._expressions.places.stack(name).headers)
        place = self._layout.stack(name)
        call = f"{function}({place}.at, sizeof {place}.at[0], {size}, "
        call += f"{self._u64(number)}, &{place}.next)"
        cleared = f"for (uint32_t i = clear.from; i < clear.to; i++) {place}.at[i].valid = 0;"
        return f"{{ const struct stack_part clear = {call}; {cleared} }}"

    def _shift_union_stack(self, name: str, number: int) -> str:
        """Moves each union by `number` places towards the end, or to the front."""
        unions = self._union_stack(name)
        following, size = self._layout.union_stack_next(name), len(unions)
        lines: list[str] = []
        # A union is moved before another one comes to its place.
        for place in range(size - 1, -1, -1) if number > 0 else range(size):
            if 0 <= place - number < size:
                lines.append(self._copy_members(unions[place], unions[place - number]))
            else:
                lines += [f"{header.text}.valid = 0;" for header in unions[place]]
        by = abs(number)
        moved = (
            f"{following} + {by} < {size} ? {following} + {by} : {size}"
            if number > 0
            else f"{following} > {by} ? {following} - {by} : 0"
        )
        return " ".join([*lines, f"{following} = {moved};"])

    # --- externs --------------------------------------------------------------------------------

    def _object(self, operand: Expression, kind: str) -> str:
        if not isinstance(operand, ObjectRef) or operand.kind != kind:
            raise UnsupportedProgram(f"an operand that should be a {kind}")
        return operand.name

    def _hash(self, operands: Operands) -> str:
        target, base, calculation, size = operands
        place = self._expressions.places.field(target)
        value = self._calculations.call(self._object(calculation, "calculation"))
        if isinstance(size, Constant) and size.value > 0:
            if size.value < 1 << 64 and size.value & (size.value - 1):
                value = f"{value} % {constant(size.value)}"
            elif size.value < 1 << 64:
                value = f"({value} & {constant(size.value - 1)})"
        else:
            value = f"hash_modulo({value}, {self._u64(size)})"
        if base != Constant(0):
            value = f"{value} + {self._u64(base)}"
        width = place.field.width
        if width < 64:
            value = f"({value}) & {constant((1 << width) - 1)}"
        if width > 128:
            value = f"wide_of_u({value})"
        return f"{place.text} = {value};"

    def _count(self, operands: Operands) -> str:
        name = self._object(operands[0], "counter")
        number = list(self._program.counters).index(name)
        size = self._program.counters[name].size
        return (
            f"{{ const u128 i = {self._expressions.exact(operands[1]).to('u128')}; "
            f"if (i < {size}) counter_add(&counter_{number}[i], c->ingress_length); }}"
        )

    def _register(self, operand: Expression) -> tuple[str, int, int]:
        """A register's C name, size and width."""
        name = self._object(operand, "register")
        number = list(self._program.registers).index(name)
        register = self._program.registers[name]
        return f"register_{number}", register.size, register.width

    def _register_read(self, operands: Operands) -> str:
        target, array, index = operands
        name, size, register_width = self._register(array)
        place = self._expressions.places.field(target)
        value = f"{name}[i]"
        if place.field.width < register_width and register_width <= 128:
            value = f"{value} & {constant((1 << place.field.width) - 1)}"
        elif place.field.width > 128 >= register_width:
            value = f"wide_of_u({value})"
        text = self._expressions.exact(index).to("u128")
        return f"{{ const u128 i = {text}; if (i < {size}) {place.text} = {value}; }}"

    def _register_write(self, operands: Operands) -> str:
        array, index, source = operands
        name, size, width = self._register(array)
        text = self._expressions.exact(index).to("u128")
        value = self._expressions.stored(source, width)
        return f"{{ const u128 i = {text}; if (i < {size}) {name}[i] = {value}; }}"

    def _execute_meter(self, operands: Operands) -> str:
        name = self._object(operands[0], "meter")
        meters = indirect_meters(self._program)
        if name not in meters:
            raise UnsupportedProgram(f"no meter {name!r}")
        cell = f"&meter_{list(meters).index(name)}[i]"
        colored = execute(meters[name], cell, self._expressions.places.field(operands[2]))
        index = self._expressions.exact(operands[1]).to("u128")
        return f"{{ const u128 i = {index}; if (i < {meters[name].size}) {colored} }}"

    def _random(self, operands: Operands) -> str:
        target, low, high = operands
        place = self._expressions.places.field(target)
        call = f"random_between(low, high) & {constant((1 << min(place.field.width, 64)) - 1)}"
        if place.field.width > 128:
            call = f"wide_of_u({call})"
        return (
            f"{{ const uint64_t low = {self._u64(low)}, high = {self._u64(high)}; "
            f"if (low <= high) {place.text} = {call}; }}"
        )

    # --- the packet ------------------------------------------------------------------------------

    def _digest(self, operands: Operands) -> str:
        return f"c->digest_list = (uint32_t){self._u64(operands[1])};"

    def _clone(self, operands: Operands) -> str:
        session, fields = operands
        return (
            f"c->is_cloned = true; c->clone_session = {self._u64(session)} & 0x7fff; "
            f"c->clone_list = (uint32_t){self._u64(fields)};"
        )

    def _truncate(self, operands: Operands) -> str:
        """Cuts the packet where it leaves; the shortest of several lengths counts."""
        length = self._u64(operands[0])
        return (
            f"{{ const uint32_t length = (uint32_t){length}; "
            "if (length < c->truncate_to) c->truncate_to = length; }"
        )

    def _mark_to_drop(self, operands: Operands) -> str:
        places = self._expressions.places
        metadata = places.header(operands[0] if operands else HeaderRef("standard_metadata"))
        egress_spec = places.field_of(metadata, "egress_spec").text
        return f"{egress_spec} = DROP_PORT; {places.field_of(metadata, 'mcast_grp').text} = 0;"

    def _log(self, operands: Operands) -> str:
        match operands:
            case (Text(text), Arguments(values)):
                return log_message(text, [self._expressions.exact(each) for each in values])
            case _:
                raise UnsupportedProgram("log_msg of what is no text")

    def _assert(self, operands: Operands) -> str:
        return f"if (!({self._expressions.boolean(operands[0])})) c->has_failed = true;"


def _invalidated(headers: Sequence[str]) -> str:
    return " ".join(f"{each}.valid = 0;" for each in headers)


def _is_jump(operation: str) -> bool:
    return operation in ("_jump", "_jump_if_zero")


def _jump_target(primitive: Primitive) -> int:
    target = primitive.operands[-1]
    if not isinstance(target, Constant):
        raise UnsupportedProgram("a jump to a place that is not constant")
    return target.value
