"""The parser as a C function: a label for each state."""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.headers import extract_name
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.names import Names, comment
from bmv2.embedded.codegen.places import HeaderPlace
from bmv2.embedded.codegen.statements import Statements
from bmv2.embedded.codegen.storage import WORD, constant, wide_constant, word_count, word_type
from bmv2.embedded.codegen.trace import step, step_bytes, step_number
from bmv2.embedded.codegen.value_sets import number_value_sets
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import Expression, FieldRef
from bmv2.embedded.program.model import (
    Advance,
    Extract,
    ExtractAt,
    ExtractNext,
    ExtractUnion,
    Lookahead,
    ParserOp,
    ParseState,
    Primitive,
    Program,
    Set,
    Transition,
    Verify,
)
from bmv2.embedded.program.widths import part_width

# Enough for any packet; only a parser that does not move gets there.
_MAX_STATES = 1 << 17


class ParserCode:
    """Writes `parse(c)`: headers, `c->parsed` and `c->parser_error`."""

    def __init__(
        self, program: Program, layout: Layout, expressions: Expressions, statements: Statements
    ) -> None:
        self._program = program
        self._layout = layout
        self._expressions = expressions
        self._statements = statements
        self._value_sets = number_value_sets(program)
        self._labels = Names("state_")

    def function(self) -> str:
        """The whole function."""
        parser = self._program.parser
        lines = [
            "static void parse(struct context *c) {",
            "  const uint8_t *const data = c->data;",
            "  const uint32_t length = c->length;",
            "  uint32_t at = 0, states = 0;",
            f"  {self._go(parser.initial_state)}",
        ]
        for state in parser.states.values():
            lines += [f"  {line}" for line in self._state(state)]
        lines += [
            f"accept: {step_number('parsed, bytes: ', 'at')}",
            "  c->parsed = at;",
            "  (void)data, (void)length, (void)states;",
            "}",
        ]
        return "\n".join(lines)

    def _go(self, state: str | None) -> str:
        if state is None:
            return "goto accept;"
        if state not in self._program.parser.states:
            raise UnsupportedProgram(f"no parser state {state!r}")
        return f"goto {self._labels[state]};"

    def _fail(self, error: str) -> str:
        number = self._program.errors.get(error)
        if number is None:
            raise UnsupportedProgram(f"the JSON has no error {error}")
        line = step(f"parser error {error}")
        return f"{{ {line} c->parser_error = {number}; goto accept; }}"

    def _state(self, state: ParseState) -> list[str]:
        lines = [
            f"{self._labels[state.name]}: {comment(state.name)}",
            step(f"parser state {state.name}"),
            f"if (++states > {_MAX_STATES}) {self._fail('ParserTimeout')}",
        ]
        for operation in state.operations:
            lines += self._operation(operation)
        return [*lines, "{", *self._transitions(state), "}"]

    # --- operations ---------------------------------------------------------------------------

    def _operation(self, operation: ParserOp) -> list[str]:
        match operation:
            case Extract(header, bits):
                return self._extract(header, self._expressions.places.named(header), bits)
            case ExtractNext(stack, bits):
                return self._extract_next(stack, bits)
            case ExtractAt(stack, index, bits):
                return self._extract_at(stack, index, bits)
            case ExtractUnion(stack, member, bits):
                return self._extract_union(stack, member, bits)
            case Set():
                return self._set(FieldRef(operation.header, operation.field), operation.source)
            case Verify(condition, error):
                test = self._expressions.boolean(condition)
                number = self._expressions.modular(error, 32)
                line = step_number("parser error ", f"(uint32_t){number}")
                fail = f"{{ {line} c->parser_error = (uint32_t){number}; goto accept; }}"
                return [f"if (!({test})) {fail}"]
            case Advance(bits):
                return [
                    f"{{ const u128 bits = {self._expressions.exact(bits).to('u128')};",
                    f"if (bits % 8) {self._fail('ParserInvalidArgument')}",
                    f"if ((u128)(length - at) * 8 < bits) {self._fail('PacketTooShort')}",
                    "at += (uint32_t)(bits / 8); }",
                ]
            case Primitive():
                return [self._statements.statement(operation)]

    def _extract(self, name: str, place: HeaderPlace, bits: Expression | None) -> list[str]:
        fixed = place.type.width // 8
        varbit = place.type.varbit
        function = extract_name(self._layout, place.type)
        if place.type.width % 8:
            raise UnsupportedProgram(f"header type {place.type.name}: no whole bytes")
        after = [f"{each}.valid = 0;" for each in place.others]
        if varbit is None or bits is None:
            return [
                f"if (length - at < {fixed}) {self._fail('PacketTooShort')}",
                step_bytes(f"extracted {name}: ", "data + at", str(fixed)),
                f"{function}(data + at, &{place.text}, 0); at += {fixed};",
                *after,
            ]
        return [
            f"{{ const u128 bits = {self._expressions.exact(bits).to('u128')};",
            f"if (bits % 8) {self._fail('ParserInvalidArgument')}",
            f"if ((u128)(length - at) < bits / 8 + {fixed}) {self._fail('PacketTooShort')}",
            f"if (bits > {varbit.width}) {self._fail('HeaderTooShort')}",
            step_bytes(f"extracted {name}: ", "data + at", f"{fixed} + (uint32_t)(bits / 8)"),
            f"{function}(data + at, &{place.text}, (uint32_t)bits);",
            f"at += {fixed} + (uint32_t)(bits / 8); }}",
            *after,
        ]

    def _extract_next(self, name: str, bits: Expression | None) -> list[str]:
        stack = self._expressions.places.stack(name)
        following = f"{self._layout.stack(name)}.next"
        place = HeaderPlace(f"{self._layout.stack(name)}.at[{following}]", stack.type, None)
        return [
            f"if ({following} >= {len(stack.headers)}) {self._fail('StackOutOfBounds')}",
            *self._extract(f"{name}.next", place, bits),
            f"{following}++;",
        ]

    def _extract_at(self, name: str, index: Expression, bits: Expression | None) -> list[str]:
        stack = self._expressions.places.stack(name)
        place = HeaderPlace(f"{self._layout.stack(name)}.at[place]", stack.type, None)
        return [
            f"{{ const u128 place = {self._expressions.exact(index).to('u128')};",
            f"if (place >= {len(stack.headers)}) {self._fail('StackOutOfBounds')}",
            *self._extract(f"{name}[...]", place, bits),
            "}",
        ]

    def _extract_union(self, name: str, member: str, bits: Expression | None) -> list[str]:
        unions = self._program.union_stacks[name].unions
        following = self._layout.union_stack_next(name)
        lines = [f"if ({following} >= {len(unions)}) {self._fail('StackOutOfBounds')}"]
        lines.append(f"switch ({following}) {{")
        for number, union in enumerate(unions):
            header = self._program.unions[union].members[member]
            body = self._extract(header, self._expressions.places.named(header), bits)
            lines += [f"case {number}: {{", *body, "break; }"]
        return [*lines, "}", f"{following}++;"]

    def _ahead(self, source: Lookahead) -> tuple[str, str]:
        """A check that the packet is long enough, and the value."""
        self._layout.widen(source.width)
        end = source.offset + source.width
        check = f"if ((uint64_t)(length - at) * 8 < {end}) {self._fail('PacketTooShort')}"
        reader = "wide_get_bits" if source.width > 128 else "get_bits"
        return check, f"{reader}(data + at, {source.offset}, {source.width})"

    def _set(self, target: FieldRef, source: Expression | Lookahead) -> list[str]:
        if isinstance(source, Lookahead):
            return self._set_ahead(target, source)
        return [self._statements.assign_to(target, source)]

    def _set_ahead(self, target: FieldRef, source: Lookahead) -> list[str]:
        check, value = self._ahead(source)
        place = self._expressions.places.field(target)
        if source.width > 128 >= place.field.width:
            value = f"wide_u128({value})"
        elif place.field.width > 128 >= source.width:
            value = f"wide_of_u({value})"
        if place.field.width < min(source.width, 128):
            value = f"{value} & {constant((1 << place.field.width) - 1)}"
        return [check, f"{place.text} = {value};"]

    # --- transitions ----------------------------------------------------------------------------

    def _transitions(self, state: ParseState) -> list[str]:
        lines: list[str] = []
        widths = [part_width(self._program, part) for part in state.key]
        for number, (part, width) in enumerate(zip(state.key, widths, strict=True)):
            if isinstance(part, Lookahead):
                check, value = self._ahead(part)
                lines.append(check)
            else:
                value = self._expressions.stored(part, width)
            lines.append(f"const {word_type(width)} k{number} = {value}; (void)k{number};")
        for transition in state.transitions:
            if transition.value is not None or transition.value_set is not None:
                test = self._test(transition, widths)
                lines.append(f"if ({test}) {self._go(transition.next_state)}")
        defaults = [each for each in state.transitions if each.value is None and not each.value_set]
        lines.append(self._go(defaults[-1].next_state if defaults else None))
        return lines

    def _test(self, transition: Transition, widths: Sequence[int]) -> str:
        """Whether the key parts have the values of a transition; each fills whole bytes there."""
        if transition.value is None:
            return self._value_set_test(transition, widths)
        tests: list[str] = []
        shift = 8 * sum(-(-width // 8) for width in widths)
        for number, width in enumerate(widths):
            shift -= 8 * -(-width // 8)
            every_bit = (1 << width) - 1
            mask = every_bit if transition.mask is None else transition.mask >> shift & every_bit
            value = transition.value >> shift & mask
            if mask == 0:
                continue
            if width > 128:
                masked = f"wide_and(k{number}, {wide_constant(mask)})"
                tests.append(f"wide_compare({masked}, {wide_constant(value)}) == 0")
            elif mask == every_bit:
                tests.append(f"k{number} == {constant(value)}")
            else:
                tests.append(f"(k{number} & {constant(mask)}) == {constant(value)}")
        return " && ".join(tests) or "true"

    def _value_set_test(self, transition: Transition, widths: Sequence[int]) -> str:
        """Whether the key is a member of a value set."""
        name = transition.value_set
        numbers = None if name is None else self._value_sets.get(name)
        if numbers is None:
            raise UnsupportedProgram(f"no parser value set {name!r}")
        if transition.mask is not None or tuple(widths) != numbers.widths:
            raise UnsupportedProgram(f"parser value set {name!r} for a part of the key")
        words: list[str] = []
        for number, width in enumerate(widths):
            if width <= WORD:
                words.append(f"k{number}")
            elif width <= 2 * WORD:
                words += [f"(uint64_t)k{number}", f"(uint64_t)(k{number} >> {WORD})"]
            else:
                words += [f"k{number}.limb[{each}]" for each in range(word_count(width))]
        key = f"(const uint64_t[]){{{', '.join(words)}}}"
        place = f"&value_sets[{numbers.number}]"
        return f"table_find({place}, {key}, TABLE_TERNARY, {numbers.words}, NULL)"
