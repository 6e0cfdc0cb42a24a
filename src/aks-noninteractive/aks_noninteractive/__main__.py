"""azaksauth as a program: Ctrl-C ends it at once, whatever it is about to import."""

import signal
import sys

if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command; its exit status."""
    from .cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
