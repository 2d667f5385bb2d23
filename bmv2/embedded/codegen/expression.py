"""Expressions as C.

BMv2 computes with unbounded integers. Here each expression has the interval of its
values, from which follows the smallest C type that is exact. Where p4c has put a mask or
where a field ends, only the low bits are wanted: then +, -, *, <<, &, |, ^ and ~ are done
in the width that is wanted, as their low bits depend on low bits only.
"""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.places import VALID, Places
from bmv2.embedded.codegen.storage import (
    constant,
    fills_storage,
    storage_type,
    wide_constant,
    word_type,
)
from bmv2.embedded.codegen.value import Value, constant_value, convert, kind_of
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
_RING = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
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
        return self._signed(place.text, word_type(width), width)

    @staticmethod
    def _signed(text: str, kind: str, width: int) -> Value:
        """The low `width` bits as a signed number."""
        low, high = -(1 << width - 1), (1 << width - 1) - 1
        name = {"uint64_t": "signed_64", "u128": "signed_128"}.get(kind, "wide_signed")
        result = {"uint64_t": "int64_t", "u128": "i128"}.get(kind, "struct wide")
        value = Value(f"{name}({text}, {width})", low, high)
        return Value(convert(value.text, result, value.kind), low, high)

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
                return self._signed(self.modular(operand, width), kind, width)
            case (("sat_cast" | "usat_cast") as name, (operand, Constant(width))):
                return self._saturated(operand, width, is_signed=name == "sat_cast")
            case "last_stack_index", (StackRef(name),):
                return Value(f"((int64_t){self._layout.stack(name)}.next - 1)", -1, 1 << 31)
            case "size_stack", (StackRef(name),):
                return constant_value(len(self.places.stack(name).headers))
            case "?", (condition, left, right):
                return self._choice(condition, self.exact(left), self.exact(right))
            case "~", (operand,):
                return self._complement(self.exact(operand))
            case "<<" | ">>", (left, right):
                return self._shift(operator, self.exact(left), self.exact(right))
            case _, (left, right):
                return self._arithmetic(operator, self.exact(left), self.exact(right))
            case _:
                raise UnsupportedProgram(f"operator {operator!r} is used as a number")

    def _choice(self, condition: Expression, left: Value, right: Value) -> Value:
        low, high = min(left.low, right.low), max(left.high, right.high)
        kind = kind_of(low, high)
        test = self.boolean(condition)
        return Value(f"({test} ? {left.to(kind)} : {right.to(kind)})", low, high)

    @staticmethod
    def _complement(value: Value) -> Value:
        low, high = ~value.high, ~value.low
        kind = kind_of(low, high)
        text = value.to(kind)
        return Value(f"wide_not({text})" if kind == "struct wide" else f"(~{text})", low, high)

    def _shift(self, operator: str, value: Value, by: Value) -> Value:
        if by.low < 0:
            raise UnsupportedProgram("a shift by a signed number")
        amount = by.to("u128")
        if operator == ">>":
            low, high = min(value.low, value.low >> by.low), max(value.high, value.high >> by.low)
            low, high = (0, value.high >> by.low) if value.low >= 0 else (low, high)
            name = {
                "uint64_t": "shift_right_u64",
                "int64_t": "shift_right_i64",
                "u128": "shift_right_u128",
                "i128": "shift_right_i128",
            }.get(value.kind, "wide_shift_right")
            text = f"{name}({value.text}, {amount})"
            return Value(convert(text, value.kind, kind_of(low, high)), low, high)
        if by.high > 4096:
            raise UnsupportedProgram("a shift to the left by a number without bound")
        low, high = min(value.low << by.high, value.low), max(value.high << by.high, value.high)
        kind = kind_of(low, high)
        if kind == "struct wide":
            return Value(f"wide_shift_left({value.to(kind)}, {amount})", low, high)
        return Value(f"({kind})shift_left_128({value.to('u128')}, {amount})", low, high)

    @staticmethod
    def _interval(operator: str, left: Value, right: Value) -> tuple[int, int]:
        match operator:
            case "+":
                return left.low + right.low, left.high + right.high
            case "-":
                return left.low - right.high, left.high - right.low
            case "*":
                products = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
                return min(products), max(products)
            case "&" if left.low >= 0 or right.low >= 0:
                return 0, min(value.high for value in (left, right) if value.low >= 0)
            case "&" | "|" | "^":
                ends = (left.low, left.high, right.low, right.high)
                bits = max(end.bit_length() for end in ends)
                return (0 if min(ends) >= 0 else -(1 << bits)), (1 << bits) - 1
            case "/" | "%" if left.low >= 0 and right.low >= 0:
                return 0, left.high
            case "/" | "%":
                raise UnsupportedProgram(f"operator {operator!r} on signed numbers")
            case _:
                raise UnsupportedProgram(f"operator {operator!r} is used as a number")

    def _arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        low, high = self._interval(operator, left, right)
        kind = kind_of(min(low, left.low, right.low), max(high, left.high, right.high))
        if operator in "/%":
            if kind == "struct wide":
                raise UnsupportedProgram(f"operator {operator!r} beyond 128 bits")
            name = "divide" if operator == "/" else "modulo"
            name += "_64" if kind == "uint64_t" else ""
            text = f"{name}({left.to(kind)}, {right.to(kind)})"
        else:
            text = _ring(operator, kind, left.to(kind), right.to(kind))
        return Value(convert(text, kind, kind_of(low, high)), low, high)

    def _saturated(self, operand: Expression, width: int, *, is_signed: bool) -> Value:
        value = self.exact(operand)
        low, high = (
            (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
        )
        kind = kind_of(min(low, value.low), max(high, value.high))
        result = kind_of(low, high)
        least, most = constant_value(low).to(kind), constant_value(high).to(kind)
        if kind == "struct wide":
            text = f"wide_clamp({value.to(kind)}, {least}, {most})"
        else:
            text = f"({{ const {kind} x = {value.to(kind)}; "
            text += f"x < {least} ? {least} : x > {most} ? {most} : x; }})"
        return Value(convert(text, kind, result), low, high)

    # --- integers, their low bits ------------------------------------------------------------

    def modular(self, expression: Expression, bits: int) -> str:
        """C of the word type of `bits`, whose low `bits` bits are right; the others may not be."""
        kind = word_type(bits)
        match expression:
            case Operation("&" | "|" | "^" | "+" | "-" | "*" as operator, (left, right)):
                return _ring(operator, kind, self.modular(left, bits), self.modular(right, bits))
            case Operation("~", (operand,)):
                text = self.modular(operand, bits)
                return f"wide_not({text})" if kind == "struct wide" else f"(~{text})"
            case Operation("<<", (left, right)):
                name = {"uint64_t": "shift_left_64", "u128": "shift_left_128"}
                function = name.get(kind, "wide_shift_left")
                by = self.exact(right)
                if by.low < 0:
                    raise UnsupportedProgram("a shift by a signed number")
                return f"{function}({self.modular(left, bits)}, {by.to('u128')})"
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
                return f"({' || '.join(f'{self._layout.header(each)}.valid' for each in members)})"
            case Operation("?", (condition, left, right)):
                test = self.boolean(condition)
                return f"({test} ? {self.boolean(left)} : {self.boolean(right)})"
            case Operation(operator, (left, right)) if operator in _COMPARISONS:
                return self._comparison(operator, self.exact(left), self.exact(right))
            case _:
                value = self.exact(expression)
                return self._comparison("!=", value, constant_value(0))

    @staticmethod
    def _comparison(operator: str, left: Value, right: Value) -> str:
        kind = kind_of(min(left.low, right.low), max(left.high, right.high))
        texts = left.to(kind), right.to(kind)
        if kind == "struct wide":
            return f"(wide_compare({texts[0]}, {texts[1]}) {operator} 0)"
        return f"({texts[0]} {operator} {texts[1]})"

    def _is_varbit(self, expression: Expression) -> bool:
        match expression:
            case FieldRef(_, field) if field == VALID:
                return False
            case FieldRef() | StackFieldRef() | UnionStackFieldRef() | Operation("access_field"):
                return self.places.field(expression).field.is_varbit
            case _:
                return False

    def _same_header(self, left: Expression, right: Expression) -> str:
        one, other = self.places.header(left), self.places.header(right)
        return self._same(one.text, other.text, [f.name for f in one.type.fields], one.type.name)

    def _same(self, one: str, other: str, fields: list[str], type_name: str) -> str:
        header_type = next(
            header.type
            for header in self._layout.program.headers.values()
            if header.type.name == type_name
        )
        tests: list[str] = []
        for name in fields:
            field, place = header_type.field(name), self._layout.field(header_type, name)
            if field is None or field.width == 0:
                continue
            if field.is_varbit:
                tests.append(f"varbit_same(&{one}.{place}, &{other}.{place})")
            elif field.width > 128:
                tests.append(f"wide_compare({one}.{place}, {other}.{place}) == 0")
            else:
                tests.append(f"{one}.{place} == {other}.{place}")
        same = " && ".join(tests) or "true"
        return f"({one}.valid == {other}.valid && (!{one}.valid || ({same})))"

    def _same_union(self, left: Expression, right: Expression) -> str:
        pairs = zip(self.places.union_members(left), self.places.union_members(right), strict=True)
        tests: list[str] = []
        for one, other in pairs:
            header_type = self._layout.type_of(one)
            names = [field.name for field in header_type.fields]
            texts = self._layout.header(one), self._layout.header(other)
            tests.append(self._same(*texts, names, header_type.name))
        return f"({' && '.join(tests)})"


def _ring(operator: str, kind: str, left: str, right: str) -> str:
    if kind == "struct wide":
        return f"wide_{_RING[operator]}({left}, {right})"
    return f"({left} {operator} {right})"
