"""Expressions as C.

BMv2 computes with unbounded integers. Here each expression has the interval of its
values, from which follows the smallest C type that is exact. Where p4c has put a mask or
where a field ends, only the low bits are wanted: then +, -, *, <<, &, |, ^ and ~ are done
in the width that is wanted, as their low bits depend on low bits only.
"""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.codegen.arithmetic import (
    choice,
    combined,
    comparison,
    complement,
    negated_bits,
    ring,
    saturated,
    shift_amount,
    shifted_left,
    shifted_right,
    signed,
)
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.places import VALID, HeaderPlace, Places
from bmv2.embedded.codegen.storage import (
    constant,
    fills_storage,
    storage_type,
    wide_constant,
    word_type,
)
from bmv2.embedded.codegen.value import Value, constant_value
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import (
    Boolean,
    Constant,
    Expression,
    FieldRef,
    Operation,
    Parameter,
    RegisterRef,
    StackFieldRef,
    StackRef,
    UnionStackFieldRef,
)

_COMPARISONS = {"==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_BOOLEAN_OPERATORS = {
    *_COMPARISONS,
    *("and", "or", "not", "==b", "!=b", "==h", "!=h", "==u", "!=u", "valid", "valid_union", "d2b"),
}


class Expressions:
    """Compiles expressions. `parameters` are the action's, as (C text, width)."""

    def __init__(self, layout: Layout, parameters: Sequence[tuple[str, int]] = ()) -> None:
        self._layout = layout
        self._parameters = parameters
        self.places = Places(layout, lambda index: self.exact(index).to("u128"), self.boolean)

    # --- integers, exactly ------------------------------------------------------------------

    def exact(self, expression: Expression) -> Value:
        """The integer that an expression stands for. Raises UnsupportedProgram."""
        value = self._exact(expression)
        self._layout.widen(max(value.low.bit_length(), value.high.bit_length()))
        return value

    def _exact(self, expression: Expression) -> Value:
        match expression:
            case Constant(value):
                return constant_value(value)
            case Parameter(index):
                text, width = self._parameters[index]
                return Value(text, 0, (1 << width) - 1)
            case FieldRef(_, field) if field == VALID:
                return Value(f"(uint64_t)({self.boolean(expression)})", 0, 1)
            case FieldRef() | StackFieldRef() | UnionStackFieldRef():
                return self._field(expression)
            case RegisterRef(array, index):
                return self._cell(array, index)
            case Boolean():
                return Value(f"(uint64_t)({self.boolean(expression)})", 0, 1)
            case Operation("access_field"):
                return self._field(expression)
            case Operation(operator, operands):
                return self._operation(expression, operator, operands)
            case _:
                raise UnsupportedProgram(f"{type(expression).__name__} is used as a number")

    def _field(self, expression: Expression) -> Value:
        place = self.places.field(expression)
        width = place.field.width
        if place.field.is_varbit:
            raise UnsupportedProgram(f"varbit field {place.field.name} is used as a number")
        if not place.field.is_signed or width == 0:
            kind = word_type(width)
            text = place.text if kind == "struct wide" else f"({kind}){place.text}"
            return Value(text, 0, (1 << width) - 1)
        return signed(place.text, word_type(width), width)

    def _cell(self, array: str, index: Expression) -> Value:
        register = self._layout.program.registers.get(array)
        if register is None:
            raise UnsupportedProgram(f"no register {array!r}")
        numbers = list(self._layout.program.registers)
        text = f"register_{numbers.index(array)}[stack_place({self.exact(index).to('u128')}, "
        text += f"{register.size})]"
        return Value(f"({word_type(register.width)}){text}", 0, (1 << register.width) - 1)

    def _operation(
        self, expression: Expression, operator: str, operands: tuple[Expression, ...]
    ) -> Value:
        if operator in _BOOLEAN_OPERATORS:
            return Value(f"(uint64_t)({self.boolean(expression)})", 0, 1)
        match operator, operands:
            case "b2d", (operand,):
                return Value(f"(uint64_t)({self.boolean(operand)})", 0, 1)
            case "&", (operand, Constant(mask)) | (Constant(mask), operand) if mask >= 0:
                bits = mask.bit_length()
                return Value(self._masked(operand, bits, mask), 0, mask)
            case ("two_comp_mod", (operand, Constant(width))):
                kind = word_type(width)
                return signed(self.modular(operand, width), kind, width)
            case (("sat_cast" | "usat_cast") as name, (operand, Constant(width))):
                return saturated(self.exact(operand), width, is_signed=name == "sat_cast")
            case "last_stack_index", (StackRef(name),):
                return Value(f"((int64_t){self._layout.stack(name)}.next - 1)", -1, 1 << 31)
            case "size_stack", (StackRef(name),):
                # Not its size: p4c knows that, and BMv2 gives how many there are.
                return Value(f"(uint64_t){self._layout.stack(name)}.next", 0, 1 << 31)
            case "?", (condition, left, right):
                return choice(self.boolean(condition), self.exact(left), self.exact(right))
            case "~", (operand,):
                return complement(self.exact(operand))
            case "<<", (left, right):
                return shifted_left(self.exact(left), self.exact(right))
            case ">>", (left, right):
                return shifted_right(self.exact(left), self.exact(right))
            case _, (left, right):
                return combined(operator, self.exact(left), self.exact(right))
            case _:
                raise UnsupportedProgram(f"operator {operator!r} is used as a number")

    # --- integers, their low bits ------------------------------------------------------------

    def modular(self, expression: Expression, bits: int) -> str:
        """C of the word type of `bits`, whose low `bits` bits are right; the others may not be."""
        kind = word_type(bits)
        match expression:
            case Operation("&" | "|" | "^" | "+" | "-" | "*" as operator, (left, right)):
                return ring(operator, kind, self.modular(left, bits), self.modular(right, bits))
            case Operation("~", (operand,)):
                return negated_bits(kind, self.modular(operand, bits))
            case Operation("<<", (left, right)):
                name = {"uint64_t": "shift_left_64", "u128": "shift_left_128"}
                function = name.get(kind, "wide_shift_left")
                by = shift_amount(self.exact(right))
                return f"{function}({self.modular(left, bits)}, {by})"
            case Operation("two_comp_mod", (operand, Constant(width))) if width >= bits:
                return self.modular(operand, bits)
            case Operation("?", (condition, left, right)):
                texts = self.modular(left, bits), self.modular(right, bits)
                return f"({self.boolean(condition)} ? {texts[0]} : {texts[1]})"
            case Constant(value):
                low_bits = value & (1 << bits) - 1
                if kind == "struct wide":
                    return wide_constant(low_bits)
                return f"({kind}){constant(low_bits)}"
            case _:
                return self.exact(expression).to(kind)

    def _masked(self, expression: Expression, bits: int, mask: int) -> str:
        """The low bits under a mask of `bits` bits, in their word type."""
        text, kind = self.modular(expression, bits), word_type(bits)
        if kind == "struct wide":
            return f"wide_and({text}, {wide_constant(mask)})"
        return f"({text} & {constant(mask)})"

    def stored(self, expression: Expression, width: int) -> str:
        """C of a value as it is stored in `width` bits."""
        self._layout.widen(width)
        if width == 0:
            return "0"
        if isinstance(expression, Constant):
            value = expression.value & (1 << width) - 1
            return wide_constant(value) if width > 128 else constant(value)
        if self._is_stored_as(expression, width):
            return self.modular(expression, width)
        if fills_storage(width):
            return f"({storage_type(width)})({self.modular(expression, width)})"
        return self._masked(expression, width, (1 << width) - 1)

    def _is_stored_as(self, expression: Expression, width: int) -> bool:
        """Whether an expression cannot have more bits than `width`."""
        match expression:
            case Operation("&" | "?" | "b2d", _) | FieldRef() | StackFieldRef() | Parameter():
                value = self.exact(expression)
                return value.low >= 0 and value.high < 1 << width
            case _:
                return False

    # --- truth ----------------------------------------------------------------------------------

    def boolean(self, expression: Expression) -> str:
        """C of a truth value. Raises UnsupportedProgram."""
        match expression:
            case Boolean(value):
                return "true" if value else "false"
            case FieldRef(header, field) if field == VALID:
                is_metadata = self._layout.is_metadata(header)
                return "true" if is_metadata else f"{self._layout.header(header)}.valid"
            case Operation("d2b", (operand,)):
                return self.boolean(operand)
            case Operation("and", (left, right)):
                return f"({self.boolean(left)} && {self.boolean(right)})"
            case Operation("or", (left, right)):
                return f"({self.boolean(left)} || {self.boolean(right)})"
            case Operation("not", (operand,)):
                return f"!({self.boolean(operand)})"
            case Operation("==b" | "!=b" as operator, (left, right)):
                sign = operator[:2]
                return f"((bool){self.boolean(left)} {sign} (bool){self.boolean(right)})"
            case Operation("==h" | "!=h" as operator, (left, right)):
                text = self._same_header(left, right)
                return text if operator == "==h" else f"!({text})"
            case Operation("==u" | "!=u" as operator, (left, right)):
                text = self._same_union(left, right)
                return text if operator == "==u" else f"!({text})"
            case Operation("==" | "!=" as operator, (left, right)) if self._is_varbit(left):
                one, other = self.places.field(left).text, self.places.field(right).text
                return f"{'!' if operator == '!=' else ''}varbit_same(&{one}, &{other})"
            case Operation("valid", (operand,)):
                return f"{self.places.header(operand).text}.valid"
            case Operation("valid_union", (operand,)):
                members = self.places.union_members(operand)
                return f"({' || '.join(f'{each.text}.valid' for each in members)})"
            case Operation("?", (condition, left, right)):
                test = self.boolean(condition)
                return f"({test} ? {self.boolean(left)} : {self.boolean(right)})"
            case Operation(operator, (left, right)) if operator in _COMPARISONS:
                return comparison(operator, self.exact(left), self.exact(right))
            case _:
                value = self.exact(expression)
                return comparison("!=", value, constant_value(0))

    def _is_varbit(self, expression: Expression) -> bool:
        match expression:
            case FieldRef(_, field) if field == VALID:
                return False
            case FieldRef() | StackFieldRef() | UnionStackFieldRef() | Operation("access_field"):
                return self.places.field(expression).field.is_varbit
            case _:
                return False

    def _same_header(self, left: Expression, right: Expression) -> str:
        return self._same(self.places.header(left), self.places.header(right))

    def _same(self, one: HeaderPlace, other: HeaderPlace) -> str:
        tests: list[str] = []
        for field in one.type.fields:
            place = self._layout.field(one.type, field.name)
            if field.width == 0:
                continue
            if field.is_varbit:
                tests.append(f"varbit_same(&{one.text}.{place}, &{other.text}.{place})")
            elif field.width > 128:
                tests.append(f"wide_compare({one.text}.{place}, {other.text}.{place}) == 0")
            else:
                tests.append(f"{one.text}.{place} == {other.text}.{place}")
        same = " && ".join(tests) or "true"
        valid = f"{one.text}.valid"
        return f"({valid} == {other.text}.valid && (!{valid} || ({same})))"

    def _same_union(self, left: Expression, right: Expression) -> str:
        pairs = zip(self.places.union_members(left), self.places.union_members(right), strict=True)
        return f"({' && '.join(self._same(*pair) for pair in pairs)})"
