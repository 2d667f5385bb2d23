"""What was compiled before is not compiled again, but for what has suffered in the cache.

Run: pytest tests/unit/embedded/test_embedded_cache.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bmv2.embedded import compiler

SOURCE = "int answer(void) { return 42; }"


@pytest.fixture(autouse=True)
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the compiler was called for; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compile_anew, sources = compiler._compile, list[str]()  # pyright: ignore[reportPrivateUsage]

    def noted(path: str, source: str, flags: tuple[str, ...]) -> bytes:
        sources.append(source)
        return compile_anew(path, source, flags)

    monkeypatch.setattr(compiler, "_compile", noted)
    return sources


def test_what_was_compiled_is_in_the_cache(compilations: list[str]) -> None:
    library = compiler.compile_library(SOURCE)
    assert compiler.compile_library(SOURCE) == library
    assert compilations == [SOURCE]


def emptied(kept: bytes) -> bytes:
    return b""


def cut_short(kept: bytes) -> bytes:
    return kept[:-1]


def overwritten(kept: bytes) -> bytes:
    return kept[:100] + bytes(8) + kept[108:]


@pytest.mark.parametrize("damage", [emptied, cut_short, overwritten])
def test_what_is_damaged_in_the_cache_is_compiled_again(
    compilations: list[str], damage: Callable[[bytes], bytes]
) -> None:
    library = compiler.compile_library(SOURCE)
    (kept,) = compiler.cache_directory().iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert compiler.compile_library(SOURCE) == library
    assert compiler.compile_library(SOURCE) == library
    assert compilations == [SOURCE, SOURCE]
