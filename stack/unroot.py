"""Running a program that refuses to run as root, started by root (a container's usual case), without a system account.

PostgreSQL will not run as user 0. Instead of creating an account and opening folders to it, the program runs as `nobody`
and keeps the one capability to walk folders that only root may enter (CAP_DAC_OVERRIDE, "ambient": it survives exec,
capabilities(7)). For an ordinary user nothing is changed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
from collections.abc import Callable
from pathlib import Path

CAP_DAC_OVERRIDE = 1
CAP_VERSION_3 = 0x20080522  # linux/capability.h: two 32-bit words a set
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2


def owner() -> pwd.struct_passwd | None:
    """The account to run as: `nobody` for root, None (stay who we are) for anyone else."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def give(path: Path) -> None:
    """Hand a file or folder of ours to the account that will use it."""
    account = owner()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def before_exec() -> Callable[[], None] | None:
    """For Popen(preexec_fn=...): become that account in the child. None where nothing has to change."""
    account = owner()
    if account is None:
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: no import or dlopen in the child
    uid, gid = account.pw_uid, account.pw_gid
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAP_VERSION_3, 0))
    bit = 1 << CAP_DAC_OVERRIDE
    sets = ctypes.create_string_buffer(struct.pack("=6I", bit, bit, bit, 0, 0, 0))

    def become() -> None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        libc.capset(header, sets)
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)

    return become
