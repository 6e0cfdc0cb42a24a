"""Strategies that damage valid input: its values, its text, its encoding."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from hostile.attacks import places
from hostile.dictionaries import words
from hostile.samples import SAMPLES, TREES

_ENCODINGS = ["utf-8"] * 8 + "utf-8-sig utf-16 utf-16-le utf-16-be utf-32 latin-1 utf-7".split()  # noqa: SIM905
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(), max_size=20)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def damaged(target: str) -> st.SearchStrategy[bytes]:
    """Samples of target with wrong values in places, then with wrong text, in any encoding."""
    texts = st.sampled_from([sample.decode() for sample in SAMPLES[target]])
    if target in TREES:
        texts |= st.sampled_from(TREES[target]).flatmap(_with_wrong_values)
    text = st.builds(_edit, texts, st.lists(_edits(target), max_size=3))
    return st.builds(
        lambda text, encoding, noise, cut: (text.encode(encoding, "ignore") + noise)[:cut],
        text,
        st.sampled_from(_ENCODINGS),
        st.just(b"") | st.binary(max_size=5),
        st.none() | st.integers(0, 3000),
    )


def _edits(target: str) -> st.SearchStrategy[tuple[float, int, str]]:
    """Where, as a part of the whole, how much goes, and what comes in its place."""
    return st.tuples(
        st.floats(0, 1), st.integers(0, 30), st.sampled_from(words(target)) | st.text(max_size=10)
    )


def _edit(text: str, edits: list[tuple[float, int, str]]) -> str:
    for part, length, new in edits:
        at = int(part * len(text))
        text = text[:at] + new + text[at + length :]
    return text


@st.composite
def _with_wrong_values(draw: st.DrawFn, tree: Any) -> str:
    """tree as JSON, with a value or two replaced, a key twice, or a key missing."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(tree))))
        tree = _put(tree, place, draw(_VALUES))
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    key = draw(st.sampled_from(["", '"name": 1, ', '"users": [], ', '"error": {}, ']))
    return text.replace("{", "{" + key, 1)


def _put(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    first, *rest = place
    if isinstance(tree, dict):
        return {k: _put(v, tuple(rest), value) if k == first else v for k, v in tree.items()}
    return [_put(v, tuple(rest), value) if i == first else v for i, v in enumerate(tree)]
