"""Generated C to a shared library, by the system's compiler, cached by its content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path

from bmv2.embedded.errors import CompileError

_SEAL_BYTES = 32
_compiling = threading.Lock()

RUNTIME = Path(__file__).parent / "runtime"

FLAGS = (
    *("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-march=native", "-fPIC", "-shared", "-pthread"),
    *("-fvisibility=hidden", "-fno-strict-aliasing", "-fwrapv", "-w"),
)


@cache
def find_compiler() -> str:
    """The C compiler: $CC, or the first of cc, gcc and clang. Raises CompileError."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise CompileError("no C compiler: install gcc, or set CC")


@cache
def _compiler_version(compiler: str) -> bytes:
    result = subprocess.run([compiler, "--version"], capture_output=True, check=False)
    return result.stdout


@cache
def _cpu() -> bytes:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return b""
    return b"".join(line for line in lines if line.startswith((b"flags", b"model name")))


def cache_directory() -> Path:
    """Where libraries are kept: $XDG_CACHE_HOME/uhaul, or ~/.cache/uhaul."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "uhaul"


def compile_library(source: str, flags: tuple[str, ...] = FLAGS) -> bytes:
    """The shared library of a C source, from the cache if it was compiled before.

    Flags in $CFLAGS come after the others. In one process one is compiled at a time: who asks
    for it meanwhile finds it in the cache. Raises CompileError.
    """
    with _compiling:
        return _compiled(source, flags)


def _compiled(source: str, flags: tuple[str, ...]) -> bytes:
    flags = (*flags, *shlex.split(os.environ.get("CFLAGS", "")))
    compiler = find_compiler()
    digest = hashlib.sha256()
    for part in (source.encode(), " ".join(flags).encode(), _compiler_version(compiler), _cpu()):
        digest.update(len(part).to_bytes(8, "big") + part)
    for header in sorted(RUNTIME.glob("*.h")):
        digest.update(header.read_bytes())
    cached = cache_directory() / f"{digest.hexdigest()}.so"
    with contextlib.suppress(OSError):
        library = _unsealed(cached.read_bytes())
        if library is not None:
            return library
    library = _compile(compiler, source, flags)
    # A cache that cannot be written costs time, nothing else.
    with contextlib.suppress(OSError):
        _store(cached, library)
    return library


def _compile(compiler: str, source: str, flags: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="uhaul-") as directory:
        path, output = Path(directory) / "program.c", Path(directory) / "program.so"
        path.write_text(source)
        command = [compiler, *flags, f"-I{RUNTIME}", str(path), "-o", str(output)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode < 0:
            raise CompileError(f"{compiler} was ended by signal {-result.returncode}")
        if result.returncode != 0:
            lines = [line for line in result.stderr.splitlines() if "error" in line]
            first = (lines or result.stderr.splitlines() or ["no message"])[0]
            raise CompileError(f"{compiler} refuses the generated C: {first.strip()}")
        return output.read_bytes()


def _store(path: Path, library: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(library + _seal(library))
    Path(file.name).replace(path)


def _unsealed(kept: bytes) -> bytes | None:
    """A library from the cache; none if that is not what was stored there."""
    library = kept[:-_SEAL_BYTES]
    return library if kept[-_SEAL_BYTES:] == _seal(library) else None


def _seal(library: bytes) -> bytes:
    return hashlib.sha256(library).digest()
