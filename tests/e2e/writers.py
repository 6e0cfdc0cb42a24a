"""Many processes that get credentials at one moment: `python -m e2e.writers COUNT ARGUMENT...`.

Each is `azaksauth` with the arguments, `{}` in which is its number. They are forked from one
process that has imported everything, because so many interpreters would start one after another.
It prints `ready`, starts them all when its standard input is closed, and prints their exit codes.
"""

import json
import os
import sys

from aks_noninteractive import cli


def main(count: int, arguments: list[str]) -> None:
    with open(os.devnull, "w") as nowhere:
        output, sys.stdout = sys.stdout, nowhere
        # Imports what the command imports; nothing is written.
        assert cli.main([*(word.format("warm") for word in arguments), "--file", "-"]) == 0
        start, started = os.pipe()
        writers = []
        for number in range(count):
            pid = os.fork()
            if pid == 0:
                os.close(started)
                os.read(start, 1)
                code = 99
                try:
                    code = cli.main([word.format(number) for word in arguments])
                finally:
                    os._exit(code)
            writers.append(pid)
        print("ready", file=output, flush=True)
        sys.stdin.read()
        os.close(started)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in writers]
        print(json.dumps(codes), file=output)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
