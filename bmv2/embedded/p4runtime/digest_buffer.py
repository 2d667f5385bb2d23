"""The digests of one kind on their way to the controller (specification, section 9.8).

Pure: times are of a monotonic clock and passed in. What is sent is remembered until it is
acknowledged or too old; meanwhile the same digest is not sent again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Values: TypeAlias = tuple[int, ...]
"""A digest: the values of its fields in their order."""

_DEFAULT_LIST_SIZE = 1024
"""Where the controller sets no limit."""
_MAX_LIST_SIZE = 1 << 14
"""Whatever the controller allows: a list waits in memory, and is one message."""
_MAX_REMEMBERED = 1 << 16
"""Digests that wait for an acknowledgement; past them the oldest list is forgotten."""


@dataclass(frozen=True, slots=True)
class DigestConfig:
    """How digests are collected."""

    max_timeout_ns: int
    """How long the first digest of a list waits at most."""
    max_list_size: int
    """Digests in a list; 0 for no limit."""
    ack_timeout_ns: int
    """How long a sent digest is not sent again."""


class DigestList(NamedTuple):
    """Distinct digests that are to be sent together."""

    list_id: int
    digests: tuple[Values, ...]


class _Sent(NamedTuple):
    at_ns: int
    digests: tuple[Values, ...]


class DigestBuffer:
    """Collects the digests of one kind into lists."""

    def __init__(self, config: DigestConfig) -> None:
        self.config = config
        self._waiting: dict[Values, None] = {}
        """A set that knows its order."""
        self._since_ns = 0
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._remembered: set[Values] = set()
        self._last_list_id = 0

    def add(self, digest: Values, now_ns: int) -> DigestList | None:
        """Takes a digest from the data plane; the list that is full with it."""
        self._forget_old(now_ns)
        if digest in self._remembered or digest in self._waiting:
            return None
        if not self._waiting:
            self._since_ns = now_ns
        self._waiting[digest] = None
        limit = min(self.config.max_list_size or _DEFAULT_LIST_SIZE, _MAX_LIST_SIZE)
        if self.config.max_timeout_ns == 0 or len(self._waiting) >= limit:
            return self._send(now_ns)
        return None

    def tick(self, now_ns: int) -> DigestList | None:
        """Forgets what was sent long ago; the list that has waited long enough."""
        self._forget_old(now_ns)
        if self._waiting and now_ns - self._since_ns >= self.config.max_timeout_ns:
            return self._send(now_ns)
        return None

    def _forget_old(self, now_ns: int) -> None:
        while self._sent:
            list_id, sent = next(iter(self._sent.items()))
            if now_ns - sent.at_ns < self.config.ack_timeout_ns:
                break
            self.acknowledge(list_id)

    @property
    def due_ns(self) -> int | None:
        """When the next `tick` has something to send; none when nothing waits."""
        return self._since_ns + self.config.max_timeout_ns if self._waiting else None

    def acknowledge(self, list_id: int) -> None:
        """The controller has a list, or never will: its digests may be sent again.

        A list that is not known any more is no error.
        """
        sent = self._sent.pop(list_id, None)
        if sent is not None:
            self._remembered.difference_update(sent.digests)

    def forget(self) -> None:
        """Forgets what was sent: there is another controller."""
        self._sent.clear()
        self._remembered.clear()

    def _send(self, now_ns: int) -> DigestList:
        self._last_list_id += 1
        digests = tuple(self._waiting)
        self._waiting.clear()
        if self.config.ack_timeout_ns:
            self._sent[self._last_list_id] = _Sent(now_ns, digests)
            self._remembered.update(digests)
            while len(self._remembered) > _MAX_REMEMBERED and len(self._sent) > 1:
                self.acknowledge(next(iter(self._sent)))
        return DigestList(self._last_list_id, digests)
