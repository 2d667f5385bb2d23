"""Headers and fields that an expression names, as places in C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import (
    Constant,
    Expression,
    FieldRef,
    HeaderRef,
    Operation,
    StackFieldRef,
    StackRef,
    UnionRef,
    UnionStackFieldRef,
    UnionStackRef,
)
from bmv2.embedded.program.model import Field, HeaderType, Stack

VALID = "$valid$"


@dataclass(frozen=True, slots=True)
class HeaderPlace:
    """A header: its place in C, its type, and its name where it is known.

    `others` are the C places of the other members of its union.
    """

    text: str
    type: HeaderType
    name: str | None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A field: its place in C, what it is, and its header's place."""

    text: str
    field: Field
    header: HeaderPlace


class Places:
    """Finds places. `index_text` compiles an index of a stack to C, `test_text` a condition."""

    def __init__(
        self,
        layout: Layout,
        index_text: Callable[[Expression], str],
        test_text: Callable[[Expression], str],
    ) -> None:
        self._layout = layout
        self._index_text = index_text
        self._test_text = test_text

    def header(self, expression: Expression) -> HeaderPlace:
        """The header of an expression. Raises UnsupportedProgram."""
        match expression:
            case HeaderRef(name):
                return self.named(name)
            case Operation("dereference_header_stack", (StackRef(name), Constant(index))):
                stack = self.stack(name)
                if 0 <= index < len(stack.headers):
                    return self.named(stack.headers[index])
                return self._member(stack, str(len(stack.headers)))
            case Operation("dereference_header_stack", (StackRef(name), index)):
                stack = self.stack(name)
                size = len(stack.headers)
                return self._member(stack, f"stack_place({self._index_text(index)}, {size})")
            case StackFieldRef(name, "last"):
                return self.last_of(name)
            case Operation("access_union_header", (union, Constant(member))):
                return self.union_members(union)[member]
            case Operation("?", (condition, left, right)):
                one, other = self.header(left), self.header(right)
                text = f"({self._test_text(condition)} ? &{one.text} : &{other.text})[0]"
                return HeaderPlace(f"({text})", one.type, None)
            case _:
                raise UnsupportedProgram(f"{type(expression).__name__} is used as a header")

    def named(self, name: str) -> HeaderPlace:
        """The header of a name. Raises UnsupportedProgram."""
        others = tuple(self._layout.others_of_union(name))
        return HeaderPlace(self._layout.header(name), self._layout.type_of(name), name, others)

    def stack(self, name: str) -> Stack:
        """The header stack of a name. Raises UnsupportedProgram."""
        stack = self._layout.program.stacks.get(name)
        if stack is None:
            raise UnsupportedProgram(f"no header stack {name!r}")
        return stack

    def union_members(self, expression: Expression) -> tuple[HeaderPlace, ...]:
        """The headers of the union of an expression. Raises UnsupportedProgram."""
        program = self._layout.program
        match expression:
            case UnionRef(name) if name in program.unions:
                return tuple(self.named(each) for each in program.unions[name].members.values())
            case Operation("dereference_union_stack", (UnionStackRef(name), index)):
                members = program.unions[self._unions(name)[0]].members
                text = self._index_text(index)
                places = [self._union_member(name, member, text) for member in members]
                return tuple(
                    replace(each, others=tuple(other.text for other in places if other is not each))
                    for each in places
                )
            case _:
                raise UnsupportedProgram(f"{type(expression).__name__} is used as a header union")

    def _unions(self, stack: str) -> tuple[str, ...]:
        if stack not in self._layout.program.union_stacks:
            raise UnsupportedProgram(f"no stack of header unions {stack!r}")
        return self._layout.program.union_stacks[stack].unions

    def _union_member(self, stack: str, member: str, index: str) -> HeaderPlace:
        """A member of a union by its index in C."""
        unions = self._layout.program.unions
        headers = [unions[union].members[member] for union in self._unions(stack)]
        text = f"&{self._layout.beyond_union_stack(stack)}.{self._layout.union_member(member)}"
        for place, header in reversed(list(enumerate(headers))):
            text = f"({index} == {place} ? &{self._layout.header(header)} : {text})"
        return HeaderPlace(f"(*{text})", self._layout.type_of(headers[0]), None)

    def beyond(self, expression: Expression) -> str | None:
        """The C place that an expression means where its index is beyond a stack's end.

        It has zeros, and is to have them again when it was written to.
        """
        match expression:
            case Operation("access_field" | "access_union_header", (inner, _)):
                return self.beyond(inner)
            case Operation("dereference_header_stack", (StackRef(name), Constant(index))):
                is_within = 0 <= index < len(self.stack(name).headers)
                return None if is_within else self._beyond_stack(name)
            case Operation("dereference_header_stack", (StackRef(name), _)):
                return self._beyond_stack(name)
            case StackFieldRef(name, _):
                return self._beyond_stack(name)
            case Operation("dereference_union_stack", (UnionStackRef(name), _)):
                return self._layout.beyond_union_stack(name)
            case UnionStackFieldRef(name, _, _):
                return self._layout.beyond_union_stack(name)
            case _:
                return None

    def _beyond_stack(self, name: str) -> str:
        return f"{self._layout.stack(name)}.at[{len(self.stack(name).headers)}]"

    def field(self, expression: Expression) -> FieldPlace:
        """The field of an expression; not `$valid$`. Raises UnsupportedProgram."""
        match expression:
            case FieldRef(header, name):
                return self.field_of(self.named(header), name)
            case StackFieldRef(name, field):
                return self.field_of(self.last_of(name), field)
            case UnionStackFieldRef(name, member, field):
                last = f"({self._layout.union_stack_next(name)} - 1)"
                return self.field_of(self._union_member(name, member, last), field)
            case Operation("access_field", (header, Constant(index))):
                place = self.header(header)
                fields = place.type.fields
                if index >= len(fields):
                    raise UnsupportedProgram("access_field beyond the header's fields")
                return self.field_of(place, fields[index].name)
            case _:
                raise UnsupportedProgram(f"{type(expression).__name__} is used as a field")

    def field_of(self, header: HeaderPlace, name: str) -> FieldPlace:
        """A field of a header. Raises UnsupportedProgram."""
        field = self._layout.field_of(header.type, name)
        return FieldPlace(f"{header.text}.{self._layout.field(header.type, name)}", field, header)

    def last_of(self, stack_name: str) -> HeaderPlace:
        """The header that was extracted last into a stack."""
        stack = self.stack(stack_name)
        text = f"{self._layout.stack(stack_name)}.next"
        return self._member(stack, f"stack_place((u128){text} - 1, {len(stack.headers)})")

    def _member(self, stack: Stack, index: str) -> HeaderPlace:
        return HeaderPlace(f"{self._layout.stack(stack.name)}.at[{index}]", stack.type, None)
