"""Which digests the controller wants, and the messages that carry them (section 9.8)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence

from finsy.proto import p4r

from bmv2.embedded.p4runtime.digest_buffer import DigestBuffer, DigestConfig, DigestList
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, invalid, not_found
from bmv2.embedded.p4runtime.schema import Digest, Schema


class Digests:
    """The digests of one program."""

    def __init__(self, schema: Schema) -> None:
        """None is wanted."""
        self._schema = schema
        self._by_name = {digest.name: digest for digest in schema.digests.values()}
        self._buffers: dict[int, DigestBuffer] = {}
        self.on_change: Callable[[], None] = _nothing
        """Hears when `due_ns` may have become another by a write."""

    # --- configuration -----------------------------------------------------------

    def write(self, kind: p4r.Update.Type.ValueType, message: p4r.DigestEntry) -> None:
        """Does one update. Raises P4RuntimeError."""
        digest = self._schema.digest(message.digest_id)
        try:
            if kind == p4r.Update.INSERT:
                if digest.id in self._buffers:
                    raise P4RuntimeError(Code.ALREADY_EXISTS, "it is configured")
                self._buffers[digest.id] = DigestBuffer(_config(message))
            elif kind == p4r.Update.MODIFY:
                self._buffer(digest).config = _config(message)
            else:
                self._buffer(digest)
                del self._buffers[digest.id]
        except P4RuntimeError as error:
            raise error.within(f"digest {digest.name}") from error
        self.on_change()

    def _buffer(self, digest: Digest) -> DigestBuffer:
        buffer = self._buffers.get(digest.id)
        if buffer is None:
            raise not_found("it is not configured")
        return buffer

    def read(self, query: p4r.DigestEntry) -> Generator[p4r.Entity]:
        """The configurations that a query selects; id 0 selects all. Raises P4RuntimeError."""
        selected: Iterable[int] = self._buffers
        if query.digest_id:
            digest = self._schema.digest(query.digest_id)
            if digest.id not in self._buffers:
                raise not_found(f"digest {digest.name}: it is not configured")
            selected = [digest.id]
        for number in selected:
            config = self._buffers[number].config
            entry = p4r.DigestEntry(
                digest_id=number,
                config=p4r.DigestEntry.Config(
                    max_timeout_ns=config.max_timeout_ns,
                    max_list_size=config.max_list_size,
                    ack_timeout_ns=config.ack_timeout_ns,
                ),
            )
            yield p4r.Entity(digest_entry=entry)

    # --- digests -----------------------------------------------------------------

    def receive(
        self, digests: Iterable[tuple[str, Sequence[int]]], now_ns: int
    ) -> list[p4r.DigestList]:
        """Takes digests from the data plane; the messages that are complete with them."""
        messages: list[p4r.DigestList] = []
        for name, values in digests:
            digest = self._by_name.get(name)
            buffer = self._buffers.get(digest.id) if digest else None
            if digest and buffer:
                full = buffer.add(tuple(values), now_ns)
                if full:
                    messages.append(_message(digest, full))
        return messages

    def tick(self, now_ns: int) -> list[p4r.DigestList]:
        """The messages whose time has come."""
        due = ((number, buffer.tick(now_ns)) for number, buffer in self._buffers.items())
        return [_message(self._schema.digests[number], full) for number, full in due if full]

    @property
    def due_ns(self) -> int | None:
        """When the next message has to be sent; none when nothing waits."""
        due = (buffer.due_ns for buffer in self._buffers.values())
        return min((each for each in due if each is not None), default=None)

    def acknowledge(self, message: p4r.DigestListAck) -> None:
        """A controller has a list. Raises P4RuntimeError (INVALID_ARGUMENT)."""
        if message.digest_id not in self._schema.digests:
            raise invalid(f"P4Info has no digest with id {message.digest_id}")
        buffer = self._buffers.get(message.digest_id)
        if buffer is not None:
            buffer.acknowledge(message.list_id)

    def forget(self) -> None:
        """There is another controller, which has seen no digest yet."""
        for buffer in self._buffers.values():
            buffer.forget()


def _nothing() -> None:
    pass


def _config(message: p4r.DigestEntry) -> DigestConfig:
    config = message.config
    if min(config.max_timeout_ns, config.max_list_size, config.ack_timeout_ns) < 0:
        raise invalid("a negative timeout or list size")
    return DigestConfig(config.max_timeout_ns, config.max_list_size, config.ack_timeout_ns)


def _message(digest: Digest, full: DigestList) -> p4r.DigestList:
    return p4r.DigestList(
        digest_id=digest.id,
        list_id=full.list_id,
        data=[digest.type.encode(iter(values)) for values in full.digests],
        timestamp=time.time_ns(),
    )
