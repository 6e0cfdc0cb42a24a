"""The quick path as kubectl starts it, with a stand-in for what follows a miss."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aks_noninteractive.exec_plugin import az_profile, quick_path
from aks_noninteractive.exec_plugin.token_cache import StoredToken, TokenFiles, rfc3339

MISS = "missed"
TOKEN = "eyJ-the-token"
LATER = 4102444800  # 2100
OPENED = """
import runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(args[0]))
sys.argv[0] = script
runpy.run_path(script, run_name="__main__")
sys.stderr.write("\\n".join(str(name) for name in opened))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The quick path, beside a miss path that only says so."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "miss.py").write_text(f"print({MISS!r})\n")
    return Path(shutil.copy(quick_path.__file__, folder))


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    folder.mkdir(mode=0o700)
    return folder / "of-somebody.token"


def store(path: Path, *, use_until: int = LATER, profile: bytes = b"") -> bytes:
    """Store a token, and what the file holds."""
    stored = StoredToken(TOKEN, use_until, use_until + 300, int(time.time()), profile)
    TokenFiles(path).write(stored)
    return path.read_bytes()


def start(*words: str | Path, info: str | None = None) -> subprocess.CompletedProcess[str]:
    variables = {} if info is None else {"KUBERNETES_EXEC_INFO": info}
    done = subprocess.run(
        [sys.executable, "-I", "-S", *map(str, words)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done


def assert_misses(script: Path, token_file: Path, why: object = "") -> None:
    done = start(script, token_file)
    assert (done.stdout, done.stderr) == (f"{MISS}\n", ""), why


@pytest.mark.parametrize(
    ("info", "version"),
    [
        (None, "v1beta1"),
        ("", "v1beta1"),
        ("no JSON", "v1beta1"),
        ('{"apiVersion":"client.authentication.k8s.io/v1beta1"}', "v1beta1"),
        ('{"apiVersion":"client.authentication.k8s.io/v1","spec":{}}', "v1"),
        ('{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}', "v1"),
    ],
)
def test_it_answers_in_the_version_that_is_asked_for(
    script: Path, token_file: Path, info: str | None, version: str
) -> None:
    store(token_file)

    done = start(script, token_file, "--login", "managed", info=info)

    assert json.loads(done.stdout) == {
        "kind": "ExecCredential",
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "status": {"token": TOKEN, "expirationTimestamp": rfc3339(LATER)},
    }
    assert done.stderr == ""


def test_it_imports_nothing_that_python_has_not_loaded(
    script: Path, token_file: Path, tmp_path: Path
) -> None:
    def imported(*words: str | Path) -> set[str]:
        lines = start("-X", "importtime", *words).stderr.splitlines()
        return {line.rpartition("|")[2].strip() for line in lines}

    empty = tmp_path / "empty.py"
    empty.touch()
    store(token_file)

    assert imported(script, token_file) - imported(empty) <= {"sys", "time", "posix", "nt"}


def test_it_opens_the_token_file_and_no_other(script: Path, token_file: Path) -> None:
    store(token_file)

    done = start("-c", OPENED, script, token_file)

    assert TOKEN in done.stdout
    own = {str(script), str(token_file)}
    assert {name for name in done.stderr.splitlines() if ".pyc" not in name} == own


def test_a_token_due_for_renewal_is_a_miss(script: Path, token_file: Path) -> None:
    store(token_file, use_until=int(time.time()))

    assert_misses(script, token_file)


def test_a_token_is_bound_to_the_state_of_the_az_profile(
    script: Path, token_file: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "azureProfile.json"
    profile.write_text("{}")
    store(token_file, profile=az_profile.state(str(tmp_path)))

    assert TOKEN in start(script, token_file).stdout
    profile.write_text("{} ")
    assert_misses(script, token_file, "changed")
    profile.unlink()
    assert_misses(script, token_file, "gone")


def test_a_file_cut_off_anywhere_is_a_miss(script: Path, token_file: Path) -> None:
    whole = store(token_file)

    for length in range(len(whole)):
        token_file.write_bytes(whole[:length])
        assert_misses(script, token_file, length)


def test_a_flipped_byte_never_crashes_the_reader(token_file: Path) -> None:
    whole = store(token_file)

    for at in range(len(whole)):
        for byte in (0, 10, 32, 45, 57, 255):
            token_file.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            quick_path.is_good(quick_path.read_fields(str(token_file)))


def foreign(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 1, 1)


def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.rename(path.with_suffix(".old"))
        make(path)

    return replace


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and kinds of files")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(foreign, id="foreign owner"),
        pytest.param(lambda path: path.chmod(0o644), id="readable by others"),
        pytest.param(lambda path: path.chmod(0o620), id="writable by the group"),
        pytest.param(lambda path: path.write_bytes(bytes(range(256)) * 64), id="garbage"),
        pytest.param(lambda path: path.write_bytes(b"\n" * 8), id="empty lines"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes() * 2), id="twice"),
        pytest.param(replaced(lambda path: None), id="gone"),
        pytest.param(replaced(os.mkfifo), id="FIFO"),
        pytest.param(replaced(lambda path: path.mkdir(0o700)), id="directory"),
        pytest.param(
            replaced(lambda path: path.symlink_to(path.with_suffix(".old"))), id="symbolic link"
        ),
        pytest.param(replaced(lambda path: path.symlink_to(path)), id="symbolic link to itself"),
    ],
)
def test_a_file_that_is_not_whole_and_ours_alone_is_a_miss(
    script: Path, token_file: Path, spoil: Callable[[Path], None]
) -> None:
    store(token_file)
    spoil(token_file)

    assert_misses(script, token_file)


def test_no_token_file_at_all_is_a_miss(script: Path, tmp_path: Path) -> None:
    assert start(script).stdout == f"{MISS}\n"
    assert_misses(script, tmp_path / "no folder" / "no file")
