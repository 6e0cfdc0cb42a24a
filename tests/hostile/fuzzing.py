"""One target under libFuzzer, in a process of its own.

scripts/fuzz starts it: python -m hostile.fuzzing TARGET PROGRAM [options], where PROGRAM is a
command that does the same with other options, which libFuzzer needs to merge corpora. What it finds
(a crash, a hang, too much memory) ends it with a code that is not 0 and leaves the input where
-artifact_prefix says.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["aks_noninteractive"]):
    from hostile.targets import feed


def main() -> None:
    target, *arguments = sys.argv[1:]

    def feed_target(data: bytes) -> None:
        feed(target, data)

    atheris.Setup(arguments, feed_target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
