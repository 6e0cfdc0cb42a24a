"""YAML as kubeconfigs use it: what is read and not changed is written as it was.

PyYAML reads YAML 1.1, where a plain `0123`, `1e3`, `2020-01-01` or `yes` is not a string and would
come out in another spelling; kubectl's reader differs from it in turn. So here every plain scalar
keeps its text and stays plain, and every other string is quoted unless all readers agree on it.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _BaseDumper
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeDumper as _BaseDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_DEPTH = 100
# Some thousand clusters. libyaml's nodes take half a kilobyte each, for two bytes of text.
MAX_NODES = 250_000

_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + kind for kind in ("str", "bool", "int", "float", "timestamp", "merge", "value")}
# Strings that no version of YAML takes for anything else.
_PLAIN_STRING = re.compile(r"[A-Za-z/][A-Za-z0-9._/@+=-]*((:| +)[A-Za-z0-9._/@+=-]+)*")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


class DocumentError(ValueError):
    """The text is not a YAML mapping that can be read and written again."""


class PlainScalar(str):
    """A scalar that stood in the file without quotes; tag is what YAML 1.1 takes it for."""

    tag: str

    def __new__(cls, text: str, tag: str) -> PlainScalar:
        scalar = super().__new__(cls, text)
        scalar.tag = tag
        return scalar


class _Dumper(_BaseDumper):
    pass


_Dumper.add_representer(
    PlainScalar, lambda dumper, scalar: dumper.represent_scalar(scalar.tag, str(scalar))
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        _TAG + "str",
        text,
        style=None if _PLAIN_STRING.fullmatch(text) and text.lower() not in _WORDS else "'",
    ),
)


def load(text: str | bytes) -> dict[str, Any]:
    """The one mapping in text; {} for an empty document. Raises DocumentError.

    All scalars but null are strings.
    """
    try:
        _check_size(text)
        root = yaml.compose(text, Loader=_Loader)
        document = None if root is None else _value(root, {})
    except DocumentError:
        raise
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise DocumentError(_explain(error)) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DocumentError("it is not a mapping")
    return document


def dump(document: dict[str, Any]) -> str:
    """document as YAML, keys in their order.

    Raises DocumentError for what cannot be written, or would be refused when it is read again.
    """
    try:
        text: str = yaml.dump(
            document,
            Dumper=_Dumper,
            sort_keys=False,
            default_flow_style=False,
            allow_unicode=True,
            width=2**31 - 1,
        )
        text.encode("utf-8")
        _check_size(text)
    except UnicodeEncodeError:
        raise DocumentError("a value is not Unicode text") from None
    except RecursionError:
        raise DocumentError("its aliases are nested too deep") from None
    return text


def _check_size(text: str | bytes) -> None:
    """Refuse what would overflow the stack (libyaml composes by recursion, in C) or the memory."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > MAX_NODES:
            raise DocumentError(f"it has more than {MAX_NODES} values")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise DocumentError(f"it is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(node: yaml.Node, known: dict[int, Any]) -> Any:
    """What a node stands for; aliases of one node give one object.

    known: objects by the id of their node, None for those that are being made.
    """
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if id(node) in known:
        if known[id(node)] is None:
            raise _refusal(node, "an alias is within what it stands for")
        return known[id(node)]
    known[id(node)] = None
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        value: Any = [_value(item, known) for item in node.value]
    elif isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        value = _mapping(node, known)
    else:
        raise _refusal(node, "a tag is not one that kubeconfigs have")
    known[id(node)] = value
    return value


def _mapping(node: yaml.MappingNode, known: dict[int, Any]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _value(key_node, known)
        if not isinstance(key, str):
            raise _refusal(key_node, "a key is not a string")
        if key in mapping:
            raise _refusal(key_node, f"the key {key!r} is there twice")
        mapping[key] = _value(value_node, known)
    return mapping


def _scalar(node: yaml.ScalarNode) -> str | None:
    if node.tag == _TAG + "null":
        return None
    if node.tag not in _SCALARS:
        raise _refusal(node, "a tag is not one that kubeconfigs have")
    if node.style and node.tag == _TAG + "str":
        return str(node.value)
    return PlainScalar(node.value, node.tag)


def _refusal(node: yaml.Node, problem: str) -> DocumentError:
    return DocumentError(f"it is not valid YAML in line {node.start_mark.line + 1}: {problem}")


def _explain(error: Exception) -> str:
    """What is wrong and in which line, without quoting the text: it may be a secret."""
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or "it holds bytes or characters that YAML does not"
    return f"it is not valid YAML{where}: {problem.partition(chr(39))[0].strip()}"
