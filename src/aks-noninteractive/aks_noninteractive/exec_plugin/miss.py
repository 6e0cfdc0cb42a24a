"""Finds our package again, in a Python that was started without site-packages, and renews.

`site` adds what belongs to this Python (a virtual environment's packages included). What was found
elsewhere at login (az's extension folder, `pip --user`, a PYTHONPATH) is recorded in the arguments
as --python-path; such a folder is used only if nobody else can write to it or to what we import
from it.
"""

import os
import site
import sys

# What a renewal imports beside the standard library.
PACKAGES = ("aks_noninteractive", "msal", "msal_extensions", "requests", "yaml")


def recorded_directories(arguments: list[str]) -> list[str]:
    """The values of all --python-path options."""
    return [
        value
        for option, value in zip(arguments, arguments[1:], strict=False)
        if option == "--python-path"
    ]


def open_to_others(directory: str) -> str | None:
    """directory, or the first of PACKAGES in it, that somebody else can write to."""
    for place in (directory, *(os.path.join(directory, package) for package in PACKAGES)):
        if os.path.isdir(place) and not is_trusted(place):
            return place
    return None


def is_trusted(directory: str) -> bool:
    """Whether nobody but us and root can put something into directory."""
    if os.name == "nt":
        return True
    status = os.stat(directory)
    if not is_trusted_but_for_groups(status):
        return False
    return not status.st_mode & 0o020 or is_private_group(status.st_gid)


def is_trusted_but_for_groups(status: os.stat_result) -> bool:
    """Whether what has this status is ours or root's, and not everybody can write to it."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o002


def is_private_group(group: int) -> bool:
    """Whether a group is the one that many systems make for each user, with nobody else in it."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_gid == user.pw_gid and entry.gr_name == user.pw_name and not entry.gr_mem


if __name__ == "__main__":
    site.main()
    front = []
    for folder in recorded_directories(sys.argv):
        if folder in sys.path or not os.path.isdir(folder):
            continue
        place = open_to_others(folder)
        if place is not None:
            sys.exit(f"aks-noninteractive: others can write to {place}, nothing is loaded from it")
        front.append(folder)
    sys.path[:0] = front
    try:
        from aks_noninteractive.exec_plugin.renew import main
    except ImportError as error:
        sys.exit(
            f"aks-noninteractive: the installation that made this kubeconfig entry is gone "
            f"({error}); install it again and get the credentials anew"
        )
    sys.exit(main(sys.argv[1], sys.argv[2:]))
