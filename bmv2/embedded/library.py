"""The compiled program's functions, typed. Each `Library` has a state of its own."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import weakref
from collections.abc import Sequence

from bmv2.embedded.errors import CompileError
from bmv2.embedded.meter import MeterRates

_U8, _U16, _U32, _U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
_I32, _I64, _BOOL = ctypes.c_int32, ctypes.c_int64, ctypes.c_bool
_WORDS = ctypes.POINTER(_U64)
_BYTES = ctypes.c_char_p
_RAW = ctypes.c_void_p


# `enum fate`
_FATES = (
    *("ingress_drop", "egress_drop", "no_group", "no_port"),
    *("loop_full", "assert_failed", "too_large"),
)


class PortCounts(ctypes.Structure):
    """`struct port_counts`: of a port, and why packets that came in there left by none."""

    _fields_ = tuple(
        (name, _U64)
        for name in (
            *("received", "received_bytes", "sent", "sent_bytes"),
            *("too_long", "ring_full", "send_errors"),
            *_FATES,
        )
    )


class FateCounts(ctypes.Structure):
    """`struct fate_counts`: why packets left by no port."""

    _fields_ = tuple(
        (name, _U64)
        for name in (
            *_FATES,
            *("to_cpu_full", "from_cpu_full", "digests_full"),
        )
    )


class Rates(ctypes.Structure):
    """`struct meter_rates`."""

    _fields_ = tuple((name, _U64) for name in MeterRates._fields)

    def value(self) -> MeterRates:
        """The rates."""
        return MeterRates(*(getattr(self, name) for name in MeterRates._fields))

    @classmethod
    def of(cls, rates: MeterRates | None) -> ctypes.Array[Rates] | None:
        """A pointer to rates; a null one where there are none."""
        return None if rates is None else (cls * 1)(cls(*rates))


def describe(counts: PortCounts | FateCounts) -> str:
    """What is not zero, on one line."""
    pairs = [(name, getattr(counts, name)) for name, *_ in counts._fields_]
    return ", ".join(f"{name} {count}" for name, count in pairs if count) or "nothing"


_SIGNATURES: dict[str, tuple[object, Sequence[object]]] = {
    "prepare": (ctypes.c_int, ()),
    "add_port": (ctypes.c_int, (_U32, _BYTES)),
    "start": (ctypes.c_int, ()),
    "process": (ctypes.c_int, (_U64,)),
    "stop": (None, ()),
    "release": (None, ()),
    "send": (ctypes.c_int, (_U32, _BYTES, _U32)),
    "receive_descriptor": (ctypes.c_int, ()),
    "receive": (_U64, (_RAW, _U64)),
    "digest_descriptor": (ctypes.c_int, ()),
    "receive_digests": (_U64, (_RAW, _U64)),
    "table_add": (_I64, (_U32, _BYTES, _BYTES, _BYTES, _I32, _U32, _BYTES)),
    "table_modify": (ctypes.c_int, (_U32, _U32, _U32, _BYTES)),
    "table_delete": (ctypes.c_int, (_U32, _U32)),
    "write_plain": (None, (_RAW, _U32, _BYTES, _U64, _RAW)),
    "table_set_default": (None, (_U32, _U32, _BYTES)),
    "entry_counter": (ctypes.c_int, (_U32, _I64, _WORDS, _WORDS)),
    "set_entry_counter": (ctypes.c_int, (_U32, _I64, _U64, _U64)),
    "entry_meter": (ctypes.c_int, (_U32, _I64, ctypes.POINTER(Rates))),
    "set_entry_meter": (ctypes.c_int, (_U32, _I64, ctypes.POINTER(Rates))),
    "member_add": (_I64, (_U32, _U32, _BYTES)),
    "member_modify": (ctypes.c_int, (_U32, _U32, _U32, _BYTES)),
    "member_delete": (ctypes.c_int, (_U32, _U32)),
    "group_add": (_I64, (_U32,)),
    "group_modify": (ctypes.c_int, (_U32, _U32, _U32, ctypes.POINTER(_U32))),
    "group_delete": (ctypes.c_int, (_U32, _U32)),
    "value_set_write": (ctypes.c_int, (_U32, _U32, _BYTES, _BYTES)),
    "entry_idle_ns": (_I64, (_U32, _U32)),
    "counter_read": (None, (_U32, _U32, _WORDS, _WORDS)),
    "counter_write": (None, (_U32, _U32, _U64, _U64)),
    "meter_read": (_BOOL, (_U32, _U32, ctypes.POINTER(Rates))),
    "meter_write": (None, (_U32, _U32, ctypes.POINTER(Rates))),
    "register_cell_bytes": (_U32, (_U32,)),
    "register_read": (None, (_U32, _RAW)),
    "register_write": (None, (_U32, _U32, _BYTES)),
    "register_message_room": (_U64, (_U32, _U32)),
    "register_message": (_U64, (_U32, _U32, _U32, _U32, _RAW)),
    "set_replication": (
        ctypes.c_int,
        (_U32, _U32, _BOOL, _U32, ctypes.POINTER(_U32), ctypes.POINTER(_U16), _U32),
    ),
    "port_counts": (ctypes.c_int, (_U32, ctypes.POINTER(PortCounts))),
    "fate_counts": (None, (ctypes.POINTER(FateCounts),)),
    "log": (None, (ctypes.c_int, _U32, _U32)),
    "record": (ctypes.c_int, (_U32, ctypes.c_int, ctypes.c_int)),
}


class Library:
    """The functions of api.h, as methods of `call`."""

    def __init__(self, image: bytes) -> None:
        """Loads a library of its own from its bytes. Raises CompileError."""
        # Of one file, or one path, the loader would make one library, with one state. While
        # it is loaded the descriptor stays open, as the path has its number.
        descriptor = os.memfd_create("uhaul-program", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(image)
            self.call = ctypes.CDLL(f"/proc/self/fd/{descriptor}", use_errno=True)
        except OSError as error:
            os.close(descriptor)
            raise CompileError(f"the compiled program cannot be loaded: {error}") from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self.call, f"switch_{name}")
            function.restype, function.argtypes = result, list(arguments)
        # Each function keeps `call`: when that is gone, none is left that could be called.
        release = ctypes.cast(self.call.switch_release, ctypes.c_void_p).value or 0
        end = weakref.finalize(self.call, _unload, self.call._handle, release, descriptor)
        end.atexit = False


def _unload(handle: int, release: int, descriptor: int) -> None:
    ctypes.CFUNCTYPE(None)(release)()
    _ctypes.dlclose(handle)
    os.close(descriptor)
