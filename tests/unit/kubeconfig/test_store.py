"""The file on disk: found, read, replaced whole, and left alone where anything is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aks_noninteractive.errors import AksAuthError, KubeconfigError
from aks_noninteractive.kubeconfig import lock
from aks_noninteractive.kubeconfig.document import load
from aks_noninteractive.kubeconfig.merge import ClusterEntries, merge
from aks_noninteractive.kubeconfig.store import kubeconfig_path, update
from unit.kubeconfig import processes
from unit.kubeconfig.samples import SERVER

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")

needs_root = pytest.mark.skipif(not processes.AS_ROOT, reason="gives files to another user")
OLD = "name: old\nport: 0123\n"


def rename(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "name": "new"}


# The same in a process of its own.
RENAME = 'update(path, lambda document: {**document, "name": "new"}, gets_secret=True)'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def nothing_else_in(directory: Path, *names: str) -> bool:
    """Whether neither locks nor new files stayed behind."""
    return sorted(path.name for path in directory.iterdir()) == sorted(names)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kubeconfig in a directory of its own."""
    path = tmp_path / "kube" / "config"
    path.parent.mkdir()
    path.write_text(OLD)
    path.chmod(0o600)
    return path


@pytest.fixture
def public_config() -> Iterator[Path]:
    """A kubeconfig of nobody's, where nobody gets to (unlike tmp_path)."""
    directory = Path(tempfile.mkdtemp())
    config = directory / "config"
    config.write_text(OLD)
    if processes.AS_ROOT:
        os.chown(directory, processes.NOBODY, processes.NOBODY)
        os.chown(config, processes.NOBODY, processes.NOBODY)
    yield config
    directory.chmod(0o700)
    shutil.rmtree(directory)


@pytest.fixture
def wide_open() -> Iterator[None]:
    """No umask, so that a mode is what was asked for."""
    umask = os.umask(0)
    yield
    os.umask(umask)


@pytest.mark.parametrize(
    ("file", "variable", "expected"),
    [
        ("given", "a:b", "given"),
        ("~/given", None, "/home/zoe/given"),
        (None, "/a:/b", "/a"),
        (None, "/a", "/a"),
        (None, "::/b:", "/b"),
        (None, "~/a:/b", "/home/zoe/a"),
        (None, "", "/home/zoe/.kube/config"),
        (None, ":", "/home/zoe/.kube/config"),
        (None, None, "/home/zoe/.kube/config"),
        ("", None, "/home/zoe/.kube/config"),
    ],
)
def test_the_file_is_the_one_given_or_kubectls(
    monkeypatch: pytest.MonkeyPatch, file: str | None, variable: str | None, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/zoe")
    environ = {} if variable is None else {"KUBECONFIG": variable}
    assert kubeconfig_path(file, environ) == Path(expected)


def test_the_home_of_a_user_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(AksAuthError, match="~no-such-user"):
        update(kubeconfig_path("~no-such-user/config", {}), rename, gets_secret=True)


@pytest.mark.usefixtures("wide_open")
def test_a_new_file_and_its_directories_are_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "config"
    update(path, rename, gets_secret=False)
    assert path.read_text() == "name: new\n"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert nothing_else_in(path.parent, "config")


@pytest.mark.usefixtures("wide_open")
@pytest.mark.parametrize(
    ("before", "gets_secret", "after"),
    [
        (0o644, True, 0o600),
        (0o644, False, 0o644),
        (0o660, True, 0o600),
        (0o666, False, 0o666),
        (0o700, True, 0o600),
        (0o600, False, 0o600),
    ],
)
def test_a_file_that_gets_a_secret_is_closed_to_others(
    config: Path, before: int, gets_secret: bool, after: int
) -> None:
    config.chmod(before)
    update(config, rename, gets_secret=gets_secret)
    assert mode(config) == after
    assert config.read_text() == "name: new\nport: 0123\n"
    assert nothing_else_in(config.parent, "config")


def test_an_empty_file_is_an_empty_kubeconfig(config: Path) -> None:
    config.write_text("")
    update(config, rename, gets_secret=True)
    assert config.read_text() == "name: new\n"


def test_a_relative_path_is_relative_to_where_we_are(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    update(Path("config"), rename, gets_secret=True)
    assert load(config.read_text())["name"] == "new"


@pytest.mark.parametrize("target", ["config", "../kube/config", "{absolute}", "second"])
def test_a_symbolic_link_is_followed_and_kept(config: Path, target: str) -> None:
    (config.parent / "second").symlink_to("config")
    link = config.parent / "link"
    link.symlink_to(target.format(absolute=config))
    config.chmod(0o644)
    update(link, rename, gets_secret=True)
    assert link.is_symlink() and not config.is_symlink()
    assert load(config.read_text())["name"] == "new"
    assert mode(config) == 0o600
    assert nothing_else_in(config.parent, "config", "link", "second")


def test_a_link_to_nothing_yet_gets_its_file(config: Path) -> None:
    link = config.with_name("link")
    target = config.parent / "elsewhere" / "config"
    link.symlink_to(target)
    update(link, rename, gets_secret=True)
    assert link.is_symlink()
    assert target.read_text() == "name: new\n"
    assert (mode(target), mode(target.parent)) == (0o600, 0o700)


def test_a_linked_directory_is_one_file_under_two_names(config: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("kube")
    update(tmp_path / "link" / "config", rename, gets_secret=True)
    assert load(config.read_text())["name"] == "new"
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize("held", ["link.lock", "kube/config.lock"])
def test_a_link_takes_the_lock_of_both_names(
    config: Path, tmp_path: Path, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "TIMEOUT", 0.1)
    link = tmp_path / "link"
    link.symlink_to(config)
    (tmp_path / held).touch(0)
    with pytest.raises(KubeconfigError, match=f"{held} is held by another process"):
        update(link, rename, gets_secret=True)
    (tmp_path / held).unlink()
    update(link, rename, gets_secret=True)
    assert nothing_else_in(tmp_path, "kube", "link") and nothing_else_in(config.parent, "config")


@needs_root
def test_another_users_link_is_refused(config: Path) -> None:
    link = config.with_name("link")
    link.symlink_to(config)
    os.lchown(link, processes.NOBODY, processes.NOBODY)
    with pytest.raises(KubeconfigError, match="link is a symbolic link of another user"):
        update(link, rename, gets_secret=True)
    assert config.read_text() == OLD


@needs_root
def test_the_file_stays_its_owners(config: Path) -> None:
    os.chown(config, processes.NOBODY, processes.NOBODY)
    update(config, rename, gets_secret=True)
    assert (config.stat().st_uid, config.stat().st_gid) == (processes.NOBODY, processes.NOBODY)


def test_a_read_only_file_is_left_alone(config: Path) -> None:
    config.chmod(0o444)
    with pytest.raises(KubeconfigError, match="config cannot be written: .*read-only") as raised:
        update(config, rename, gets_secret=True)
    assert "--file" in raised.value.remedy
    assert config.read_text() == OLD
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize(
    "name", ["", "config/in-a-file", "fifo", "loop", "n" * 300, "nul\0", "config/a/b", ".."]
)
def test_what_cannot_be_a_kubeconfig_is_a_clear_error(config: Path, name: str) -> None:
    os.mkfifo(config.with_name("fifo"))
    config.with_name("loop").symlink_to("loop")
    with pytest.raises(KubeconfigError):
        update(config.parent / name, rename, gets_secret=True)
    assert nothing_else_in(config.parent, "config", "fifo", "loop")


@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "problem"),
    [
        (0o555, 0o644, "config.lock cannot be created: Permission denied"),
        (0o000, 0o644, "Permission denied"),
        (0o700, 0o000, "config cannot be written: Permission denied"),
        (0o700, 0o200, "config cannot be written: Permission denied"),
    ],
)
def test_missing_permissions_are_a_clear_error(
    public_config: Path, directory_mode: int, file_mode: int, problem: str
) -> None:
    public_config.chmod(file_mode)
    public_config.parent.chmod(directory_mode)
    said = processes.run(RENAME, public_config, as_nobody=True)
    public_config.parent.chmod(0o700)
    public_config.chmod(0o600)
    assert problem in said and "--file" in said
    assert public_config.read_text() == OLD
    assert nothing_else_in(public_config.parent, "config")


@needs_root
def test_another_users_file_is_not_taken_over(public_config: Path) -> None:
    os.chown(public_config, 0, 0)
    public_config.chmod(0o666)
    assert "cannot be written" in processes.run(RENAME, public_config, as_nobody=True)
    assert public_config.read_text() == OLD
    assert nothing_else_in(public_config.parent, "config")


def test_a_directory_that_cannot_be_listed_will_do(public_config: Path) -> None:
    public_config.parent.chmod(0o300)
    assert processes.run(RENAME, public_config, as_nobody=True) == ""
    assert load(public_config.read_text())["name"] == "new"


def test_a_leftover_of_kubectls_is_removed_without_being_root(public_config: Path) -> None:
    leave = "os.close(os.open(f'{path}.lock', os.O_CREAT, 0))\nlock.STALE_AFTER = 0.2\n"
    assert processes.run(leave + RENAME, public_config, as_nobody=True) == ""
    assert nothing_else_in(public_config.parent, "config")


def test_a_full_disk_leaves_the_file_as_it_was(config: Path) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
    grow = "update(path, lambda document: {**document, 'name': 'n' * 1000}, gets_secret=True)"
    assert "config cannot be written: File too large" in processes.run(limit + grow, config)
    assert config.read_text() == OLD
    assert nothing_else_in(config.parent, "config")


def test_a_mounted_file_that_cannot_be_replaced_is_left_as_it_was(config: Path) -> None:
    private_mounts = ["unshare", "--mount", "--propagation", "private"]
    try:
        subprocess.run([*private_mounts, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespaces here")
    mount = 'mount --bind "$0" "$0" && exec "$@"'
    said = processes.run(RENAME, config, *private_mounts, "sh", "-c", mount, str(config))
    assert "config cannot be written: Device or resource busy" in said
    assert config.read_text() == OLD
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize("failure", [KubeconfigError("no"), ZeroDivisionError(), SystemExit(1)])
def test_a_change_that_fails_leaves_the_file_as_it_was(
    config: Path, failure: BaseException
) -> None:
    def fail(document: dict[str, Any]) -> dict[str, Any]:
        document.clear()
        raise failure

    before = config.stat()
    with pytest.raises(type(failure)):
        update(config, fail, gets_secret=True)
    assert config.read_text() == OLD
    assert config.stat().st_ino == before.st_ino
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize("content", [b"a: [", b"- a", b"a: 1\na: 2", b"a: \xff", b"\0" * 100])
def test_what_stays_malformed_is_refused_and_left_as_it_was(config: Path, content: bytes) -> None:
    config.write_bytes(content)
    with pytest.raises(KubeconfigError, match="config is not a kubeconfig: it ") as raised:
        update(config, rename, gets_secret=True)
    assert raised.value.remedy
    assert config.read_bytes() == content
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize("half", ["name: old\nport: [", ""])
def test_what_somebody_is_just_writing_in_place_is_read_again(config: Path, half: str) -> None:
    config.write_text(half)
    with processes.in_a_moment(lambda: config.write_text(OLD)):
        update(config, rename, gets_secret=True)
    assert config.read_text() == "name: new\nport: 0123\n"


def test_text_that_is_no_unicode_is_a_clear_error(config: Path) -> None:
    # An argument's bytes that are not UTF-8 come from the command line so.
    with pytest.raises(AksAuthError):
        update(config, lambda document: {**document, "name": "\udcff"}, gets_secret=True)
    assert config.read_text() == OLD
    assert nothing_else_in(config.parent, "config")


def _chain(links: int) -> str:
    """Aliases within aliases: no deeper than allowed as text, far deeper as a value."""
    deep = "".join(
        f"    a{link}: &a{link} {'[' * 90}{f'*a{link - 1}' if link else ''}{']' * 90}\n"
        for link in range(links)
    )
    return f"users:\n- name: shop\n  user:\n{deep}rest: *a{links - 1}\n"


@pytest.mark.parametrize(
    "text",
    [_chain(100), "users: &x [*x]\n", "users: [{name: shop, user: &x {token: [*x]}}]\n"],
    ids=["deep", "endless list", "endless user"],
)
def test_aliases_end_in_a_kubeconfig_or_a_clear_error(config: Path, text: str) -> None:
    config.write_text(text)
    ours = ClusterEntries("shop", "shop", "shop", {}, {"server": SERVER}, {"token": "t"})
    try:
        update(config, lambda document: merge(document, ours), gets_secret=True)
        assert "token: t\n" in config.read_text()
    except KubeconfigError:
        assert config.read_text() == text
    assert nothing_else_in(config.parent, "config")


def test_what_a_killed_process_left_behind_is_cleared_away(config: Path) -> None:
    stray = config.with_name(".config.aks-noninteractive.new")
    stray.write_text("half a secr")
    stray.chmod(0o444)
    update(config, rename, gets_secret=True)
    assert mode(config) == 0o600
    assert nothing_else_in(config.parent, "config")


def test_a_process_killed_at_any_moment_spoils_nothing(config: Path) -> None:
    config.write_text(f"{OLD}filler: {'x' * 200_000}\n")
    forever = f"print('go', flush=True)\nwhile True:\n    {RENAME}"
    for _ in range(3):
        with processes.start(forever, config) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "go\n"
            while load(config.read_text())["name"] != "new":
                pass
            writer.kill()
        update(config, lambda document: {**document, "name": "old"}, gets_secret=True)
        assert config.read_text().startswith(OLD)
        assert nothing_else_in(config.parent, "config")


_INTERRUPTED = """\
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
def change(document):
    os.kill(os.getpid(), signal.{name})
    return {{**document, 'name': 'new'}}
update(path, change, gets_secret=True)
print('went on')
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_waits_until_the_file_is_replaced(config: Path, name: str) -> None:
    with processes.start(_INTERRUPTED.format(name=name), config) as writer:
        output, _ = writer.communicate()
    assert (writer.returncode, output) == (-signal.Signals[name], "")
    assert load(config.read_text())["name"] == "new"
    assert nothing_else_in(config.parent, "config")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_the_wait_for_a_lock(config: Path, name: str) -> None:
    before = config.read_bytes()
    second = config.with_name("second")
    second.symlink_to("config")
    config.with_name("second.lock").touch(0o000)  # after config.lock in the order of names
    with processes.start(_INTERRUPTED.format(name=name), second) as writer:
        while not config.with_name("config.lock").exists():
            pass
        writer.send_signal(signal.Signals[name])
        output, _ = writer.communicate()
    assert (writer.returncode, output) == (-signal.Signals[name], "")
    assert config.read_bytes() == before
    assert nothing_else_in(config.parent, "config", "second", "second.lock")


# Forked from one process, because 30 interpreters take long to start.
_THIRTY_WRITERS = """\
for writer in range(30):
    if os.fork() == 0:
        name = path if writer % 3 else path.with_name('link')
        for turn in range(6):
            entry = {f'entry-{writer}-{turn}': 'x' * 1000}
            update(name, lambda document: {**document, **entry}, gets_secret=True)
        os._exit(0)
for _ in range(30):
    if os.wait()[1] != 0:
        sys.exit('a writer failed')
"""


def test_thirty_writers_at_once_lose_nothing_and_no_reader_sees_half_a_file(config: Path) -> None:
    config.with_name("link").symlink_to("config")
    seen = 1
    with processes.start(_THIRTY_WRITERS, config) as writers:
        while writers.poll() is None:
            document = load(config.read_bytes())
            assert document["name"] == "old" and len(document) >= seen
            seen = len(document)
    assert writers.returncode == 0
    written = {f"entry-{writer}-{turn}" for writer in range(30) for turn in range(6)}
    assert set(load(config.read_text())) == written | {"name", "port"}
    assert nothing_else_in(config.parent, "config", "link")
