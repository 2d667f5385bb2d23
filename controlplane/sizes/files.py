"""Distributions out of files: a CDF, a list of flows, or a packet capture.

A CDF has a line for each point, bytes and cumulative share, the share up to 1 or up to 100:

    10000  0.15
    20000  0.20

A list of flows has a size on each line, or is CSV with a heading that has a column `bytes`.
Empty lines, and what follows `#`, count for nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from controlplane.sizes.builtin import BUILTIN
from controlplane.sizes.capture_file import is_capture
from controlplane.sizes.distribution import SizeDistribution, SizesError
from controlplane.sizes.estimate import estimate
from controlplane.sizes.pcap import captured_flows
from controlplane.sizes.units import parse_size

_COLUMN = "bytes"


def find_distribution(name: str) -> SizeDistribution:
    """The built-in distribution of that name, or the one in that file. Raises SizesError."""
    if name in BUILTIN:
        return BUILTIN[name]
    path = Path(name)
    try:
        exists = path.exists()
    except OSError:  # no name of a file
        exists = False
    if exists and not (path.is_file() or path.is_dir()):
        # Who opens it may wait for ever, and cannot read it twice.
        raise SizesError(f"{name}: a pipe or device, not a file")
    if not exists:
        known = ", ".join(BUILTIN)
        raise SizesError(f"{name}: no such file, and no built-in distribution ({known})")
    return read_distribution(path)


def read_distribution(path: Path) -> SizeDistribution:
    """The distribution in a file of any of the three kinds. Raises SizesError."""
    try:
        if is_capture(path):
            flows = captured_flows(path)
            return estimate(str(path), flows.ended, flows.live)
        lines = list(_lines(path))
    except OSError as error:
        raise SizesError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SizesError(f"{path}: neither text nor a packet capture") from None
    if not lines:
        raise SizesError(f"{path}: is empty")
    _, first = lines[0]
    if any(word.strip().lower() == _COLUMN for word in first.split(",")):
        return _flow_table(path, lines)
    if len(_words(first)) == 1:
        sizes = [_size(path, number, text) for number, text in lines]
        return estimate(str(path), np.array(sizes, np.int64))
    return _cdf(path, lines)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.partition("#")[0].strip()
            if text:
                yield number, text


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _cdf(path: Path, lines: list[tuple[int, str]]) -> SizeDistribution:
    points: list[tuple[float, float]] = []
    for number, text in lines:
        words = _words(text)
        if len(words) != 2:
            raise SizesError(f"{path}: line {number}: {text!r} is not bytes and a share")
        try:
            share = float(words[1].removesuffix("%"))
        except ValueError:
            raise SizesError(f"{path}: line {number}: {words[1]!r} is no share") from None
        size = _number(path, number, words[0])
        if points and (size <= points[-1][0] or not share >= points[-1][1]):
            raise SizesError(f"{path}: line {number}: not above the line before it")
        points.append((size, share))
    whole = points[-1][1]
    if whole not in (1, 100):
        raise SizesError(f"{path}: the last share is {whole:g}, neither 1 nor 100")
    scaled = [(size, share / whole) for size, share in points]
    if scaled[0][1] > 0 and scaled[0][0] > 0:
        scaled.insert(0, (0.0, 0.0))
    return SizeDistribution(str(path), False, tuple(scaled))


def _flow_table(path: Path, lines: list[tuple[int, str]]) -> SizeDistribution:
    heading = [word.strip().lower() for word in lines[0][1].split(",")]
    column = heading.index(_COLUMN)
    sizes: list[int] = []
    try:
        rows = list(csv.reader(text for _, text in lines[1:]))
    except csv.Error as error:
        raise SizesError(f"{path}: {error}") from None
    if len(rows) != len(lines) - 1:
        raise SizesError(f"{path}: a line ends within quotes")
    for (number, _), row in zip(lines[1:], rows, strict=True):
        if len(row) != len(heading):
            raise SizesError(
                f"{path}: line {number}: {len(row)} columns, the heading has {len(heading)}"
            )
        sizes.append(_size(path, number, row[column]))
    return estimate(str(path), np.array(sizes, np.int64))


def _size(path: Path, number: int, text: str) -> int:
    """A whole size; at least one byte."""
    size = round(_number(path, number, text))
    if size < 1:
        raise SizesError(f"{path}: line {number}: a flow without a byte")
    return size


def _number(path: Path, number: int, text: str) -> float:
    try:
        return parse_size(text)
    except ValueError as error:
        raise SizesError(f"{path}: line {number}: {error}") from None
