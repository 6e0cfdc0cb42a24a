"""Whatever is done to valid input, it is accepted with all that holds then, or refused."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aks_noninteractive.errors import KubeconfigError
from aks_noninteractive.kubeconfig.document import load
from aks_noninteractive.kubeconfig.merge import merge
from aks_noninteractive.kubeconfig.store import update
from hostile.damage import damaged
from hostile.samples import SAMPLES
from hostile.targets import FRESH, TARGETS, feed

_IN_CI = bool(os.environ.get("CI"))
_ERRORS = {"fault", "token-error", "resource-manager-error", "refusal-file", "az-profile"}


@pytest.mark.parametrize("target", TARGETS)
def test_takes_valid_input(target: str) -> None:
    refusals = [feed(target, sample) for sample in SAMPLES[target]]
    assert all(refusals) if target in _ERRORS else not refusals[0]


@pytest.mark.parametrize("target", TARGETS)
@settings(deadline=None, max_examples=80, derandomize=_IN_CI, database=None)
@given(data=st.data())
def test_never_crashes(target: str, data: st.DataObject) -> None:
    feed(target, data.draw(damaged(target)))


@pytest.mark.parametrize("target", TARGETS)
@settings(deadline=None, max_examples=20, derandomize=_IN_CI, database=None)
@given(data=st.binary(max_size=200))
def test_never_crashes_for_any_bytes(target: str, data: bytes) -> None:
    feed(target, data)


# Few, because a file that is malformed is read again, should kubectl be writing it.
@settings(deadline=None, max_examples=30, derandomize=_IN_CI, database=None)
@given(content=damaged("kubeconfig"))
def test_a_kubeconfig_that_is_refused_stays_as_it_was(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "config")
        path.write_bytes(content)
        try:
            update(path, lambda existing: merge(existing, FRESH), gets_secret=True)
        except KubeconfigError:
            assert path.read_bytes() == content
        else:
            assert load(path.read_bytes())["current-context"] == FRESH.context
        assert os.listdir(folder) == ["config"]
