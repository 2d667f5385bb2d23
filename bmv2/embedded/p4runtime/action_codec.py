"""Actions with their arguments, from P4Runtime messages and back (section 9.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import NamedTuple

from finsy.proto import p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.errors import Code, denied, invalid
from bmv2.embedded.p4runtime.schema import Action, Table


class Call(NamedTuple):
    """An action and its arguments in their order."""

    action: Action
    arguments: tuple[int, ...]

    def message(self) -> p4r.Action:
        """The call as a message."""
        return p4r.Action(
            action_id=self.action.id,
            params=[
                p4r.Action.Param(param_id=param.id, value=bitstring.encode(argument))
                for param, argument in zip(self.action.params, self.arguments, strict=True)
            ],
        )


def calls(action: Action, arguments: Iterable[tuple[int, ...]]) -> Iterable[Call]:
    """Calls of one action, made at a third of what `Call` takes for each."""
    return map(tuple.__new__, repeat(Call), zip(repeat(action), arguments, strict=False))


def decode_call(actions: Mapping[int, Action], message: p4r.Action) -> Call:
    """One of some actions, called. Raises P4RuntimeError (INVALID_ARGUMENT)."""
    action = actions.get(message.action_id)
    if action is None:
        raise invalid(f"no action of it has id {message.action_id}")
    return _usual_call(action, message) or _checked_call(action, message)


def _usual_call(action: Action, message: p4r.Action) -> Call | None:
    """The call that has each parameter in its place, as it mostly is; none if anything is odd."""
    params = message.params
    if len(params) != len(action.params):
        return None
    arguments: list[int] = []
    for param, (number, maximum) in zip(params, action.limits, strict=True):
        data = param.value
        value = int.from_bytes(data, "big")
        if value > maximum or param.param_id != number or not data:
            return None
        arguments.append(value)
    return Call(action, tuple(arguments))


def _checked_call(action: Action, message: p4r.Action) -> Call:
    params = message.params
    given = {param.param_id: param.value for param in params}
    if len(given) != len(params):
        raise invalid(f"action {action.name}: a parameter is given twice")
    arguments: list[int] = []
    for param in action.params:
        data = given.pop(param.id, None)
        if data is None:
            raise invalid(f"action {action.name}: parameter {param.name} is missing")
        what = f"action {action.name}: parameter {param.name}"
        arguments.append(bitstring.decode(data, param.width, what, Code.INVALID_ARGUMENT))
    if given:
        raise invalid(f"action {action.name}: no parameter with id {min(given)}")
    return Call(action, tuple(arguments))


def decode_table_call(table: Table, message: p4r.TableAction, *, is_default: bool) -> Call:
    """What an entry of a table without action profile does. Raises P4RuntimeError."""
    kind = message.WhichOneof("type")
    if kind is None:
        raise invalid("the action is missing")
    if kind != "action":
        raise invalid(f"{kind} is given, the table has no action profile")
    call = decode_call(table.actions, message.action)
    if call.action.id in (table.table_only if is_default else table.default_only):
        place = "the default entry" if is_default else "an entry"
        raise denied(f"action {call.action.name} cannot be that of {place}")
    return call
