"""The command `python -m demo`: a world of notes, pictures, users and logs, with the truth beside it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from demo.build import build
from demo.world import log, resolve

_WHAT = """\
Generate a world of notes, pictures, users and click logs, with the truth kept beside it.

The world is what a team would bring (events, notes, users, images and a config.yaml that
the jobs read) plus a folder truth/ that says what each note is, which notes belong
together, which notes answer which query, and what was put wrong on purpose.
"""
_EXAMPLES = """\
what appears in DIR:
  events/ds=YYYY-MM-DD/  the log by day of arrival, Shanghai time (several files a day when large)
  notes/ users/ images/  what the log is about; pictures show a colour and pattern no text says
  config.yaml            what the jobs read
  truth/                 note_truth, user_truth, pair_truth, relevance_truth, dirt (Parquet)
  world.json             the options and what was written; it comes last

examples:
  python -m demo --out world                                   the small world, in seconds
  python -m demo --out big --events 5000000 --notes 50000      for load
  python -m demo --out huge --events 100000000 --pictures 0    any size, at bounded memory

What is not given follows from what is: about 30 events a note and 50 events a user over
nine days. The same options make the same bytes. Run again on a finished world, the
command changes nothing.
"""


def arg_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description=_WHAT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to make; new or empty"
    )
    parser.add_argument("--notes", type=_count, metavar="N", help="notes (500, or one for every 100 events)")
    parser.add_argument(
        "--users", type=_count, metavar="N", help="users without robots (one for every 50 events)"
    )
    parser.add_argument(
        "--events", type=_count, metavar="N", help="rows of the log, about (30 for every note)"
    )
    parser.add_argument("--days", type=_count, default=9, metavar="N", help="days of log (%(default)s)")
    parser.add_argument("--end", default="2026-01-14", metavar="DAY", help="the last day (%(default)s)")
    parser.add_argument(
        "--seed", type=_count, default=7, metavar="N", help="decides everything (%(default)s)"
    )
    parser.add_argument(
        "--pictures", type=_count, metavar="N", help="notes with a picture (all, at most 5000)"
    )
    return parser


def _count(text: str) -> int:
    """A whole number; `100_000` and `100000` are the same."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def main(argv: list[str] | None = None) -> int:
    """Build the world that the options describe; 2 where they or the folder do not allow it."""
    parser = arg_parser()
    options = vars(parser.parse_args(argv))
    out = options.pop("out")
    started = time.monotonic()
    try:
        world = resolve(**options)
    except ValueError as error:
        parser.error(str(error))
    try:
        is_new = build(world, out)
    except FileExistsError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot write the world: {error}")
    if is_new:
        log(f"{out} is ready after {time.monotonic() - started:.1f} s; the jobs read {out / 'config.yaml'}")
    else:
        log(f"{out} already holds this very world; nothing was changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
