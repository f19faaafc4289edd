"""Builds a world beside its folder and moves it there once complete: a reader never sees half of one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from demo.dirt import Record, break_pictures, record_notes
from demo.events import town_of, write_events
from demo.notes import draw_notes, write_notes
from demo.operator import write_names
from demo.pictures import write_pictures
from demo.relevance import write_relevance_truth
from demo.truth import write_dirt, write_note_truth, write_pair_truth, write_user_truth
from demo.users import draw_users, write_users
from demo.world import TIME_ZONE, World, log

MARKER = "world.json"
_CONFIG = f"""timezone: {TIME_ZONE}
lake: lake            # relative to this file
sources:
  events: {{path: events}}
  notes: {{path: notes}}
  users: {{path: users}}
image_roots: [images]
"""


def build(world: World, out: Path) -> bool:
    """Make `out` this world; false where it already is.

    Raises `FileExistsError` where something else lies there: nothing of it is touched.
    """
    out = out.resolve()
    if _is_there(world, out):
        return False
    unfinished = out.parent / f".{out.name}.unfinished"
    _clear(unfinished)
    (unfinished / "truth").mkdir(parents=True)
    figures = _write_parts(world, unfinished)
    (unfinished / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    write_names(unfinished / "lake" / "decisions" / "interest_handbook.csv")
    described = json.dumps({"world": world.as_dict(), "written": figures}, indent=2)
    (unfinished / MARKER).write_text(described + "\n", encoding="utf-8")
    if out.exists():
        out.rmdir()
    unfinished.rename(out)
    return True


def _is_there(world: World, out: Path) -> bool:
    """Whether `out` is this world already; false where there is nothing."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not out.is_dir():
        raise FileExistsError(f"{out} is a file: choose another --out")
    if not (out / MARKER).is_file():
        raise FileExistsError(
            f"{out} is not empty and is no world (it has no {MARKER}): choose another --out"
        )
    try:
        found = json.loads((out / MARKER).read_text(encoding="utf-8"))["world"]
    except (ValueError, KeyError, TypeError) as error:
        raise FileExistsError(f"{out / MARKER} cannot be read ({error}): choose another --out") from None
    wanted = world.as_dict()
    if found != wanted:
        names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
        differs = ", ".join(f"{name} is {found.get(name)}, asked for {wanted.get(name)}" for name in names)
        raise FileExistsError(f"{out} is another world ({differs}): choose another --out, or delete it first")
    return True


def _clear(unfinished: Path) -> None:
    """Remove what an interrupted run of this very command left behind."""
    if unfinished.exists():
        log(f"removing {unfinished}, left by a run that was interrupted")
        shutil.rmtree(unfinished)


def _write_parts(world: World, folder: Path) -> dict[str, int]:
    """Write everything but the configuration and the marker; the figures of what was written."""
    record, truth = Record(), folder / "truth"
    notes, users = draw_notes(world), draw_users(world)
    town = town_of(world, notes, users)
    record_notes(notes, record)
    write_notes(world, notes, folder / "notes")
    log(f"notes: {len(notes):,} are written")
    write_users(world, users, folder / "users")
    log(f"users: {users.total:,} are written, {users.num_robots} of them robots")
    write_note_truth(world, notes, truth / "note_truth.parquet")
    write_user_truth(world, users, truth / "user_truth.parquet")
    log("truth: notes and users are written")
    write_pair_truth(notes, truth / "pair_truth.parquet")
    write_relevance_truth(world, notes, town.queries, truth / "relevance_truth.parquet")
    log("truth: pairs and relevance are written")
    write_pictures(world, notes, folder / "images")
    break_pictures(world, notes, folder / "images", record)
    log(f"pictures: {int(notes.has_picture.sum()):,} are drawn")
    num_events = write_events(town, folder / "events", record)
    write_dirt(record, truth / "dirt.parquet")
    return {
        "events": num_events,
        "notes": len(notes),
        "users": users.total,
        "robots": users.num_robots,
        "pictures": int(notes.has_picture.sum()),
    }
