"""Actions, and the graph of nodes of ingress and egress, as C."""

from __future__ import annotations

from collections.abc import Callable

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.names import Names, comment
from bmv2.embedded.codegen.statements import Statements
from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.codegen.tables import Tables, is_fixed
from bmv2.embedded.codegen.trace import step_choice, step_numbers
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.model import (
    Action,
    ActionCall,
    Conditional,
    Node,
    Pipeline,
    Program,
    Table,
)


def _parameters(action: Action) -> list[tuple[str, int]]:
    """The C text of each argument, from the words at `d`, and its width."""
    texts: list[tuple[str, int]] = []
    place = 0
    for parameter in action.parameters:
        words = word_count(parameter.width)
        if words == 1:
            text = f"d[{place}]"
        elif words == 2:
            text = f"U128(d[{place + 1}], d[{place}])"
        else:
            limbs = ", ".join(f"d[{place + each}]" for each in range(words))
            text = f"((struct wide){{{{{limbs}}}}})"
        texts.append((text, parameter.width))
        place += words
    return texts


def actions(
    program: Program,
    expressions_for: Callable[[list[tuple[str, int]]], Expressions],
    statements_for: Callable[[Expressions], Statements],
) -> str:
    """`action_N(c, d)` for the action with id N."""
    texts: list[str] = []
    for action in program.actions.values():
        parameters = _parameters(action)
        statements = statements_for(expressions_for(parameters))
        lines = [
            f"static inline void action_{action.id}(struct context *c, const uint64_t *d) {{"
            f" {comment(action.name)}"
        ]
        names = [parameter.name for parameter in action.parameters]
        arguments = [(name, *each) for name, each in zip(names, parameters, strict=True)]
        lines.append(f"  {step_numbers(f'action {action.name}', arguments)}")
        try:
            lines += [f"  {line}" for line in statements.block(action.primitives)]
        except UnsupportedProgram as error:
            raise UnsupportedProgram(f"action {action.name}: {error}") from error
        lines += ["  (void)c, (void)d;", "}"]
        texts.append("\n".join(lines))
    return "\n".join(texts)


class PipelineCode:
    """Writes the function of a pipeline: a label for each node."""

    def __init__(
        self, program: Program, pipeline: Pipeline, tables: Tables, expressions: Expressions
    ) -> None:
        self._program = program
        self._pipeline = pipeline
        self._tables = tables
        self._expressions = expressions
        self._labels = Names("node_")

    def function(self) -> str:
        """The whole function, named as the pipeline."""
        lines = [
            f"static void {self._pipeline.name}(struct context *c) {{",
            "  bool hit; uint32_t action;",
            f"  {self._go(self._pipeline.initial_node)}",
        ]
        for name, node in self._pipeline.nodes.items():
            lines.append(f"{self._labels[name]}: {comment(name)}")
            lines += [f"  {line}" for line in self._node(node)]
        lines += ["end:", "  (void)c, (void)hit, (void)action;", "}"]
        return "\n".join(lines)

    def _go(self, node: str | None) -> str:
        if node is None:
            return "goto end;"
        if node not in self._pipeline.nodes:
            raise UnsupportedProgram(f"no node {node!r} in {self._pipeline.name}")
        return f"goto {self._labels[node]};"

    def _node(self, node: Node) -> list[str]:
        match node:
            case Conditional(name, condition, if_true, if_false, source):
                test = self._expressions.boolean(condition)
                return [
                    step_choice(f"condition {name}: {source}: ", test),
                    f"if ({test}) {self._go(if_true)} else {self._go(if_false)}",
                ]
            case ActionCall(_, action, next_node):
                return [*self._call(action), self._go(next_node)]
            case Table() if is_fixed(node):
                return self._fixed(node)
            case Table():
                return self._table(node)

    def _call(self, action: int) -> list[str]:
        if action not in self._program.actions:
            raise UnsupportedProgram(f"no action with id {action}")
        return [f"action_{action}(c, NULL);", "if (c->exit) goto end;"]

    def _fixed(self, table: Table) -> list[str]:
        entry = table.default
        if entry is None:
            return [self._go(table.default_next)]
        if entry.arguments:
            raise UnsupportedProgram(f"table {table.name}: a default action with arguments")
        return [*self._call(entry.action_id), self._go(self._after(table, entry.action_id))]

    @staticmethod
    def _after(table: Table, action: int) -> str | None:
        if table.next_on_miss is not None:
            return table.next_on_miss[0]
        return table.next_nodes.get(action, table.default_next)

    def _table(self, table: Table) -> list[str]:
        number = self._tables.numbers[table.name].number
        lines = [f"action = table_{number}(c, &hit);", "if (c->exit) goto end;"]
        if table.next_on_hit is not None or table.next_on_miss is not None:
            hit = table.next_on_hit[0] if table.next_on_hit else table.default_next
            miss = table.next_on_miss[0] if table.next_on_miss else table.default_next
            return [*lines, f"if (hit) {self._go(hit)} else {self._go(miss)}"]
        if set(table.next_nodes.values()) <= {table.default_next}:
            return [*lines, self._go(table.default_next)]
        lines.append("switch (action) {")
        for action, node in table.next_nodes.items():
            lines.append(f"case {action}: {self._go(node)}")
        return [*lines, f"default: {self._go(table.default_next)}", "}"]
