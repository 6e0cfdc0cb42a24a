"""kubectl starts this file with `python -I -S`, a token file, and what a renewal needs.

While the token in the file is good it is printed, and nothing else happens: no module of ours, no
json, no os, no site-packages, and no other file than az's profile, whose state is compared where
the token came from the az login. Otherwise miss.py goes on in this process.
"""

import _signal  # type: ignore[import-not-found]  # as Python has it loaded
import sys
import time

try:
    import posix as system
except ImportError:
    import nt as system  # type: ignore[no-redef]

MAGIC = b"aks-noninteractive token 1"
FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")
TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="

# use until, the same in RFC 3339, expiry, stored at, state of az's profile, token
Fields = tuple[int, bytes, int, int, bytes, bytes]


def read_fields(path: str) -> Fields | None:
    """What a token file says; None for one that is not there, whole, well-formed and ours alone."""
    try:
        file = system.open(path, sum(getattr(system, flag, 0) for flag in FLAGS))
        try:
            status = system.fstat(file)
            if hasattr(system, "geteuid") and (
                status.st_uid != system.geteuid() or status.st_mode & 0o77
            ):
                return None
            lines = system.read(file, 1 << 20).split(b"\n")
        finally:
            system.close(file)
        magic, until, renewal, expiry, stored, profile, token, end, nothing = lines
        instants = int(until), int(expiry), int(stored)
        if (
            (magic, end, nothing) == (MAGIC, b"end", b"")
            and 0 <= min(instants) <= max(instants) < 1 << 37
            and not renewal.translate(None, b"0123456789-:TZ")
            and not token.translate(None, TOKEN)
        ):
            return instants[0], renewal, *instants[1:], profile, token
    except (OSError, ValueError):
        pass
    return None


def profile_state(path: bytes) -> bytes:
    """One line that changes whenever az's profile file does, its path at the end."""
    status = system.stat(path)
    return b"%d %d %d %s" % (status.st_mtime_ns, status.st_size, status.st_ino, path)


def is_good(fields: Fields | None) -> bool:
    """Whether the token is to be used now: not due for renewal, and az's login as it was."""
    if not fields or time.time() >= fields[0]:
        return False
    try:
        return not fields[4] or fields[4] == profile_state(fields[4].split(b" ", 3)[3])
    except (OSError, ValueError, IndexError):
        return False


def exec_credential(token: bytes, expiry: bytes) -> bytes:
    """What kubectl reads (ExecCredential), in the version that it asks for."""
    name = "KUBERNETES_EXEC_INFO" if system.__name__ == "nt" else b"KUBERNETES_EXEC_INFO"
    wants_v1 = 'client.authentication.k8s.io/v1"' in str(system.environ.get(name))  # type: ignore
    return (
        b'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/%s",'
        b'"status":{"token":"%s","expirationTimestamp":"%s"}}\n'
        % (b"v1" if wants_v1 else b"v1beta1", token, expiry)
    )


if __name__ == "__main__":
    if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C ends this at once
    found = read_fields(sys.argv[1]) if len(sys.argv) > 1 else None
    if found and is_good(found):
        system.write(1, exec_credential(found[5], found[1]))
    else:
        import runpy

        runpy.run_path(__file__.removesuffix("quick_path.py") + "miss.py", run_name="__main__")
