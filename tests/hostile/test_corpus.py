"""What the fuzzer found to be of use, and all that ever crashed, goes through its target again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostile.targets import TARGETS, feed

_FOLDER = Path(__file__).parent
_FILES = sorted(_FOLDER.glob("c*/*/*"))


def test_belongs_to_targets() -> None:
    assert {path.parent.name for path in _FILES} <= set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_is_accepted_or_refused(target: str) -> None:
    files = [path for path in _FILES if path.parent.name == target]
    assert files
    for path in files:
        try:
            feed(target, path.read_bytes())
        except BaseException as error:
            raise AssertionError(f"{path.relative_to(_FOLDER)} crashes its target") from error
