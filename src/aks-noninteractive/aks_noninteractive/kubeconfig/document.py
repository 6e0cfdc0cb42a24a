"""YAML as kubeconfigs use it: what is read and not changed is written as it was.

PyYAML reads YAML 1.1, where a plain `0123`, `1e3`, `2020-01-01` or `yes` is not a string and would
come out in another spelling. Here every plain scalar keeps its text; only null is resolved.
"""

from __future__ import annotations

from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _BaseDumper
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeDumper as _BaseDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]


MAX_DEPTH = 100


class DocumentError(ValueError):
    """The text is not a YAML mapping that can be read and written again."""


class PlainScalar(str):
    """A number, boolean or date as it stood in the file; tag is what YAML 1.1 takes it for."""

    tag: str

    def __new__(cls, text: str, tag: str) -> PlainScalar:
        scalar = super().__new__(cls, text)
        scalar.tag = tag
        return scalar


class _Loader(_BaseLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is not a string", key_node.start_mark
                )
            if key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


class _Dumper(_BaseDumper):
    pass


def _construct_plain(loader: Any, node: Any) -> PlainScalar:
    return PlainScalar(node.value, node.tag)


for _kind in ("bool", "int", "float", "timestamp", "merge", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct_plain)
_Dumper.add_representer(
    PlainScalar, lambda dumper, scalar: dumper.represent_scalar(scalar.tag, str(scalar))
)


def load(text: str | bytes) -> dict[str, Any]:
    """The one mapping in text; {} for an empty document. Raises DocumentError."""
    try:
        _check_depth(text)
        document = yaml.load(text, Loader=_Loader)
    except DocumentError:
        raise
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise DocumentError(_explain(error)) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DocumentError("it is not a mapping")
    return document


def _check_depth(text: str | bytes) -> None:
    """Refuse what would overflow the stack: libyaml composes a document by recursion, in C."""
    depth = 0
    for event in yaml.parse(text, Loader=_BaseLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise DocumentError(f"it is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def dump(document: dict[str, Any]) -> str:
    """document as YAML, keys in their order."""
    text: str = yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=2**31 - 1,
    )
    return text


def _explain(error: Exception) -> str:
    """What is wrong and in which line, without quoting the text: it may be a secret."""
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or "it holds bytes or characters that YAML does not"
    return f"it is not valid YAML{where}: {problem}"
