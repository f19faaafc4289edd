"""One job in a process just forked from the warm server: become what `python application.py` (or `python -m module`) would
be, and run it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

from stack.reaper import die_with_parent


def run(request: dict[str, Any], descriptors: list[int], server: int) -> NoReturn:
    """Never returns to the server's code: the process ends here, whatever happens."""
    code = 70
    try:
        become_leader(server)
        take_descriptors(descriptors)
        take_surroundings(request)
        code = execute(request)
    except BaseException:  # last stop before _exit: nothing may unwind into the server's loop
        traceback.print_exc()
    finally:
        finish(code)


def become_leader(server: int) -> None:
    """Our own process group, so that one signal reaches all that the job starts; and no life without the server (Linux):
    its death is our SIGKILL."""
    os.setpgid(0, 0)  # not setsid: Spark's daemon makes itself a group leader too, which a session leader may not
    die_with_parent()()
    if os.getppid() != server:  # it died before we asked
        os._exit(137)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def take_descriptors(descriptors: list[int]) -> None:
    """The client's standard streams become ours, unbuffered by line as under spark-submit."""
    for target, received in enumerate(descriptors):
        os.dup2(received, target)
    for received in descriptors:
        os.close(received)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def take_surroundings(request: dict[str, Any]) -> None:
    """Environment, working folder and import path of the client; a job also gets the address of the Spark session."""
    remote = os.environ.get("NOTEMILL_SPARK_REMOTE", "")
    os.environ.clear()
    os.environ.update(request["environment"])
    if "application" in request:
        os.environ["NOTEMILL_JOB_NAME"] = request["name"]
        os.environ["NOTEMILL_SPARK_CONF"] = json.dumps(request["conf"])
        if remote:
            os.environ["SPARK_REMOTE"] = remote
    os.chdir(request["cwd"])
    first = str(Path(request["application"]).parent) if "application" in request else request["cwd"]
    on_path = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = list(dict.fromkeys([first, *request["py_files"], *filter(None, on_path), *sys.path[1:]]))
    random.seed()


def execute(request: dict[str, Any]) -> int:
    """Run the file or module as __main__; its exit status. An error is shown from its own first line on."""
    try:
        if "application" in request:
            sys.argv = [request["application"], *request["arguments"]]
            runpy.run_path(request["application"], run_name="__main__")
        else:
            sys.argv = [request["module"], *request["arguments"]]
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return (leaving.code or 0) & 0xFF
        sys.stderr.write(f"{leaving.code}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:  # a job may fail in any way: shown, then status 1
        traceback.print_exception(type(error), error, own_frames(error))
        return 1
    return 0


def own_frames(error: BaseException) -> Any:
    """The traceback without this file and runpy."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def is_ours(filename: str) -> bool:
    return filename == __file__ or "runpy" in filename


def finish(code: int) -> NoReturn:
    """Leave as the interpreter would: wait for threads, run exit handlers, flush; then without unwinding the server."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code)
