"""YAML as the controller reads it: a key that stands twice is an error."""

from __future__ import annotations

from typing import Any

import yaml


class YamlLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself silently keeps the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises yaml.constructor.ConstructorError."""
        keys: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key: Any = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float | bool | None):
                if key in keys:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice", key_node.start_mark
                    )
                keys.add(key)
        return super().construct_mapping(node, deep)
