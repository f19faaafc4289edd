"""Run a job that kills itself (-9) before its n-th change of the file system: `killed.py N ROOT APPLICATION ARGS...`.

Only changes under ROOT count. With N below 0 nothing is killed, and the number of changes is the last line of the output.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

CHANGES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "shutil.rmtree"}


def is_change(event: str, args: tuple[object, ...], root: str) -> bool:
    """Whether an audit event is a change of something under `root`."""
    if event == "open":
        return isinstance(args[1], str) and bool(set(args[1]) & set("wax")) and str(args[0]).startswith(root)
    return event in CHANGES and any(str(arg).startswith(root) for arg in args[:2])


def main(step: int, root: str) -> None:
    seen = [0]

    def count(event: str, args: tuple[object, ...]) -> None:
        if is_change(event, args, root):
            if seen[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[0] += 1

    sys.addaudithook(count)
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.stdout.write(f"\n{seen[0]}\n")


if __name__ == "__main__":
    step, root, *sys.argv = sys.argv[1:]
    main(int(step), root)
