"""How large groups of an action selector may be (specification, sections 9.2.2 and 9.2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r

from bmv2.embedded.p4runtime.errors import exhausted, invalid, unimplemented
from bmv2.embedded.p4runtime.schema import ActionProfile

_MAX_WEIGHTS = 1 << 16
"""The sum of weights in a group: the data plane keeps a member once for each."""

_Set = p4r.ActionProfileActionSet


class Weights:
    """The limits of one action profile."""

    def __init__(self, profile: ActionProfile) -> None:
        self._profile = profile

    def check_max_size(self, max_size: int) -> None:
        """Checks the size that a new group declares. Raises P4RuntimeError."""
        limit = self._profile.max_group_size
        if max_size < 0 or (limit and not 0 < max_size <= limit):
            raise invalid(f"max_size {max_size} is not {f'1 … {limit}' if limit else '0 or more'}")
        if max_size > _MAX_WEIGHTS:
            raise exhausted(f"max_size {max_size} is above {_MAX_WEIGHTS}")

    def size_of(self, weights: Sequence[int], max_size: int) -> int:
        """The size of a group with these weights. Raises P4RuntimeError."""
        size = self._checked_size(weights)
        if max_size and size > max_size:
            raise exhausted(f"a group of size {size}, its max_size is {max_size}")
        return size

    def size_of_set(self, message: p4r.ActionProfileActionSet, weights: Sequence[int]) -> int:
        """The size of a one-shot action set. Raises P4RuntimeError."""
        own = _Set.SUM_OF_MEMBERS if self._profile.counts_members else _Set.SUM_OF_WEIGHTS
        if message.size_semantics not in (
            _Set.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR,
            own,
        ):
            raise unimplemented("size semantics that are not those of the action profile")
        if message.action_selection_mode not in (
            _Set.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR,
            _Set.HASH,
        ):
            raise unimplemented("an action selection mode that is not HASH")
        size = self._checked_size(weights)
        limit = self._profile.max_group_size
        if limit and size > limit:
            raise invalid(f"an action set of size {size}, its limit is {limit}")
        return size

    def _checked_size(self, weights: Sequence[int]) -> int:
        profile = self._profile
        for weight in weights:
            if profile.weights_disallowed:
                if weight:
                    raise invalid(f"weight {weight}: the switch determines the weights")
            elif weight <= 0:
                raise invalid(f"weight {weight} is not above 0")
            elif profile.max_member_weight and weight > profile.max_member_weight:
                raise invalid(f"weight {weight} is above {profile.max_member_weight}")
        if sum(weights) > _MAX_WEIGHTS:
            raise exhausted(f"the weights of a group add up to {_MAX_WEIGHTS} at most")
        return len(weights) if profile.counts_members else sum(weight or 1 for weight in weights)
