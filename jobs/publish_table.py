"""Audit what is staged for a table and, only if every promise holds, publish it.

On a broken promise nothing changes for readers: the last good partition stays, what was staged is kept for a look,
the page says which promise broke, and the process ends with 3.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from contextlib import ExitStack
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


class BrokenPromiseError(LakeError):
    """Which promises of which table do not hold for what is staged."""


def publish(lake: Lake, wanted: Table, day: str) -> dict[str, Any]:
    """Audit and swap in a table's staged partition together with its companions (the quarantine). Returns its manifest.

    All are audited before any is swapped in, the table itself last.
    Raises `LakeError` where nothing is staged, `BrokenPromiseError` where a promise of any does not hold.
    """
    group = [*(table(name) for name in wanted.companions), wanted]
    with ExitStack() as locks:
        for member in group:
            locks.enter_context(lake.locked(member, day))
        ready = [(member, _staged_record(lake, member, day)) for member in group]
        audits = [(member, record, _audited(lake, member, day, record)) for member, record in ready]
        _require_promises(lake, day, audits)
        return [_swapped(lake, member, day, record, found) for member, record, found in audits][-1]


def _staged_record(lake: Lake, wanted: Table, day: str) -> dict[str, Any]:
    folder = lake.place("staging", wanted, day)
    sealed = folder / "staged.json"
    if sealed.exists():
        record: dict[str, Any] = json.loads(sealed.read_bytes())
        return record
    if lake.partition(wanted, day) and not folder.exists():
        return {"reused": lake.partition(wanted, day)}
    raise LakeError(
        f"nothing whole is staged for table {wanted.name} ds={day}: run the job that makes it "
        f"({'a killed run left a part of it' if folder.exists() else 'it has not run'}), then publish again"
    )


def _audited(lake: Lake, wanted: Table, day: str, record: dict[str, Any]) -> Audit | None:
    """The audit, kept beside the table; None where the partition is published already: this run found it right and
    reused it, or an earlier publish was killed after its swap."""
    if "reused" in record or record["partition"] == lake.partition(wanted, day):
        return None
    found = audit(lake, wanted, day, lake.place("staging", wanted, day) / "data", record)
    _keep_audit(lake, wanted, day, record, found)
    return found


def _require_promises(lake: Lake, day: str, audits: list[tuple[Table, dict[str, Any], Audit | None]]) -> None:
    for wanted, record, found in audits:
        if found is None or found.holds:
            continue
        broken = "; ".join(check.sentence() for check in found.checks if not check.holds)
        page = lake.place("audits", wanted, day) / f"{record['partition']}.html"
        last = lake.partition(wanted, day) or lake.last_before(wanted, day)
        raise BrokenPromiseError(
            f"table {wanted.name} ds={day} is not published ({'the last good partition stays' if last else 'none is yet'}): "
            f"{broken}. See {page}; what was staged lies in {lake.place('staging', wanted, day) / 'data'}"
        )


def _swapped(
    lake: Lake, wanted: Table, day: str, record: dict[str, Any], found: Audit | None
) -> dict[str, Any]:
    folder = lake.place("staging", wanted, day)
    if found is not None:
        checks = {"held": len(found.checks), "skipped": len(found.skipped), "metrics": found.metrics}
        manifest = lake.place("manifests", wanted, day) / f"{record['partition']}.json"
        write_atomically(manifest, canonical_json({**record, "checks": checks}))
        for path in sorted((folder / "data").glob("part-?????.parquet")):
            path.rename(path.with_name(f"{path.stem}-{record['partition']}.parquet"))
        lake.swap_in(wanted, day, folder / "data")
    shutil.rmtree(folder, ignore_errors=True)
    kept = lake.manifest(wanted, day)
    how = f"published, {len(found.checks)} promises held" if found else "is published already"
    log.info("%s ds=%s: %s %s, %d rows", wanted.name, day, kept["partition"], how, kept["rows"])
    return kept


def _keep_audit(lake: Lake, wanted: Table, day: str, record: dict[str, Any], found: Audit) -> None:
    room = lake.place("audits", wanted, day)
    name = record["partition"]
    write_atomically(
        room / f"{name}.json", json.dumps(found.as_dict(), indent=1, ensure_ascii=False).encode()
    )
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
