"""Audit what is staged for a table and, only if every promise holds, publish it.

On a broken promise nothing changes for readers: the last good partition stays, what was staged is kept for a look,
the page says which promise broke, and the process ends with 3.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from jobs.audit import Audit, audit
from jobs.audit_page import audit_page
from jobs.config import add_run_arguments
from jobs.lake import Lake, LakeError, canonical_json, write_atomically
from jobs.session import run_job
from schemas.table import Table
from schemas.tables import PUBLISHED, table

READS: tuple[str, ...] = ()
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")


class PromiseBroken(LakeError):
    """Which promises of which table do not hold for what is staged."""


def publish(lake: Lake, wanted: Table, day: str) -> dict[str, Any]:
    """Audit and swap in a table's staged partition, its companions (the quarantine) first. Returns its manifest.

    Raises `LakeError` where nothing is staged, `PromiseBroken` where a promise does not hold.
    """
    for companion in wanted.companions:
        publish(lake, table(companion), day)
    with lake.locked(wanted, day):
        folder = lake.place("staging", wanted, day)
        record = _staged_record(lake, wanted, day, folder)
        if "reused" in record or record["partition"] == lake.partition(wanted, day):
            return _finish_earlier(lake, wanted, day, folder)
        return _audit_and_swap(lake, wanted, day, folder, record)


def _staged_record(lake: Lake, wanted: Table, day: str, folder: Path) -> dict[str, Any]:
    sealed = folder / "staged.json"
    if sealed.exists():
        record: dict[str, Any] = json.loads(sealed.read_bytes())
        return record
    if lake.partition(wanted, day) and not folder.exists():
        return {"reused": lake.partition(wanted, day)}
    raise LakeError(
        f"nothing whole is staged for table {wanted.name} ds={day}: run the job that makes it "
        f"({'a killed one left a part' if folder.exists() else 'it has not run'}), then publish again"
    )


def _finish_earlier(lake: Lake, wanted: Table, day: str, folder: Path) -> dict[str, Any]:
    """The partition is published: this run reused it, or an earlier publish was killed after its swap."""
    manifest = lake.manifest(wanted, day)
    shutil.rmtree(folder, ignore_errors=True)
    log.info("%s ds=%s: %s is published, %d rows", wanted.name, day, manifest["partition"], manifest["rows"])
    return manifest


def _audit_and_swap(lake: Lake, wanted: Table, day: str, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    found = audit(lake, wanted, day, folder / "data", record)
    _keep_audit(lake, wanted, day, record, found)
    if not found.holds:
        broken = "; ".join(check.sentence() for check in found.checks if not check.holds)
        page = lake.place("audits", wanted, day) / f"{record['partition']}.html"
        last = lake.partition(wanted, day) or lake.last_before(wanted, day)
        raise PromiseBroken(
            f"table {wanted.name} ds={day} is not published, {'the last good partition stays' if last else 'none is published yet'}"
            f": {broken}. See {page}; what was staged is in {folder / 'data'}"
        )
    manifest = {**record, "checks": {"held": len(found.checks), "skipped": len(found.skipped), "metrics": found.metrics}}
    write_atomically(lake.place("manifests", wanted, day) / f"{record['partition']}.json", canonical_json(manifest))
    for path in sorted((folder / "data").glob("part-?????.parquet")):
        path.rename(path.with_name(f"{path.stem}-{record['partition']}.parquet"))
    lake.swap_in(wanted, day, folder / "data")
    shutil.rmtree(folder)
    log.info("%s ds=%s: published %s, %d rows, %d promises held", wanted.name, day, record["partition"], record["rows"], len(found.checks))
    return manifest


def _keep_audit(lake: Lake, wanted: Table, day: str, record: dict[str, Any], found: Audit) -> None:
    room = lake.place("audits", wanted, day)
    name = record["partition"]
    write_atomically(room / f"{name}.json", json.dumps(found.as_dict(), indent=1, ensure_ascii=False).encode())
    write_atomically(room / f"{name}.html", audit_page(wanted, day, record, found).encode())


def arg_parser() -> argparse.ArgumentParser:
    """`--config`, `--day` and the table."""
    parser = add_run_arguments(argparse.ArgumentParser("publish_table", description=__doc__))
    parser.add_argument("--table", choices=[t.name for t in PUBLISHED], required=True, help="which table")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    publish(args.config.open_lake(), table(args.table), args.day)


if __name__ == "__main__":
    run_job(main)
