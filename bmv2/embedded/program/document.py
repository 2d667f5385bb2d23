"""The JSON document: typed access, and one clear error where it is not as expected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from bmv2.embedded.errors import UnsupportedProgram

Object: TypeAlias = Mapping[str, Any]


def parse_document(text: bytes) -> Object:
    """The document of a JSON text. Raises UnsupportedProgram."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnsupportedProgram(f"the program is no JSON: {error}") from error
    if not isinstance(document, dict) or "pipelines" not in document:
        raise UnsupportedProgram("the JSON is not a program for BMv2: it has no pipelines")
    return document


def objects(parent: Object, key: str) -> Iterator[Object]:
    """The objects of a list; none where the list is missing."""
    values = parent.get(key) or ()
    if not isinstance(values, Sequence):
        raise UnsupportedProgram(f"{key} is no list")
    for value in values:
        if not isinstance(value, Mapping):
            raise UnsupportedProgram(f"{key} has an element that is no object")
        yield value


def integer(text: object, what: str) -> int:
    """A number as p4c writes it: hexadecimal text, or an integer."""
    if isinstance(text, int):
        return int(text)
    if isinstance(text, str):
        try:
            return int(text, 16)
        except ValueError:
            pass
    raise UnsupportedProgram(f"{what} is no number: {text!r}")


def source(item: Object) -> str:
    """The place in the source that an object comes from, and the text there; may be empty."""
    info = item.get("source_info")
    if not isinstance(info, Mapping):
        return ""
    text = str(info.get("source_fragment", "")).strip()
    return f"{info.get('filename')}({info.get('line')}): {text}"


def place(item: Object) -> str:
    """Where in the source an object comes from, for a message; may be empty."""
    info = item.get("source_info")
    if not isinstance(info, Mapping):
        return ""
    return f" ({info.get('filename')}:{info.get('line')})"
