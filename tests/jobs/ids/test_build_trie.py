"""The trie of a day: bound to the partition published for it, made once, and refused wherever it does not belong."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.artifact import Artifacts
from jobs.audit import Audit
from jobs.ids import build_trie, catalogue_trie
from jobs.ids.build_trie import main
from jobs.ids.catalogue_trie import CatalogueTrie, trie_of
from jobs.lake import Lake, LakeError, write_atomically
from jobs.publish_table import publish
from jobs.staging import Plan, stage_arrow
from models.ids.text import codes_to_text
from schemas.tables import SEMANTIC_IDS
from tests.jobs.lakes import tree

D1, D2 = "2026-03-01", "2026-03-02"
Ids = dict[str, tuple[list[int], int]]
IDS: Ids = {"a": ([2, 0, 5], 0), "b": ([0, 3, 5], 1), "c": ([0, 3, 5], 0), "d": ([0, 1, 2], 0)}
pytestmark = pytest.mark.usefixtures("quick_publish")


def make_quantizer(lake: Lake, generation: str, codes: int = 6, levels: int = 3) -> None:
    def fill(folder: Path) -> dict[str, Any]:
        write_atomically(folder / "config.json", generation.encode())
        return {"settings": {"codes": codes, "levels": levels}}

    Artifacts(lake, "quantizer").write(generation, fill)


@pytest.fixture
def two(lake: Lake) -> Lake:
    """A lake with two quantizers."""
    make_quantizer(lake, "g1")
    make_quantizer(lake, "g2", codes=8)
    return lake


def publish_ids(lake: Lake, day: str, ids: Ids, generation: str = "g1", said: str | None = None, salt: str = "") -> str:
    """Publish literal IDs as `assign_ids` would; the partition."""
    rows = [
        {
            "note_id": note_id,
            "codes": codes,
            "semantic_id": codes_to_text(codes),
            "tie_break": rank,
            "generation": generation,
            "since": date(2026, 3, 1),
        }
        for note_id, (codes, rank) in ids.items()
    ]
    plan = Plan("assign_ids", day, artifacts={"quantizer": said or generation}, params={"salt": salt})
    stage_arrow(lake, SEMANTIC_IDS, plan, pa.Table.from_pylist(rows, schema=SEMANTIC_IDS.arrow_schema()))
    partition: str = publish(lake, SEMANTIC_IDS, day)["partition"]
    return partition


def run(lake: Lake, day: str = D1) -> None:
    file = lake.root.parent / "notemill.yaml"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\n")
    main([f"--config={file}", f"--day={day}"])


def room(lake: Lake) -> Path:
    return Artifacts(lake, catalogue_trie.KIND).room


def notes(found: CatalogueTrie, codes: list[int]) -> list[str]:
    return found.notes_of(int(found.trie.walk(np.array([codes]))[0]))


def test_a_day_s_trie_holds_its_notes_under_their_ids_by_rank(two: Lake) -> None:
    partition = publish_ids(two, D1, IDS)
    run(two)
    found = trie_of(two, D1, "g1")
    assert found.trie.sizes == (6, 6, 6)
    assert found.trie.ids().tolist() == [[0, 1, 2], [0, 3, 5], [2, 0, 5]]
    assert notes(found, [0, 3, 5]) == ["c", "b"]
    assert notes(found, [2, 0, 5]) == ["a"]
    facts = {name: found.manifest[name] for name in ("day", "partition", "generation", "num_notes", "num_ids", "sizes")}
    assert facts == {
        "day": D1,
        "partition": partition,
        "generation": "g1",
        "num_notes": 4,
        "num_ids": 3,
        "sizes": [6, 6, 6],
    }
    assert [p.name for p in room(two).iterdir()] == [f"g1-{partition}-v1"]


def test_a_level_that_the_quantizer_does_not_have_is_as_large_as_its_codes_need(two: Lake) -> None:
    publish_ids(two, D1, {"a": ([2, 0, 5, 0], 0), "b": ([2, 0, 5, 9], 0)})
    run(two)
    assert trie_of(two, D1).trie.sizes == (6, 6, 6, 10)


def test_a_rerun_writes_nothing(two: Lake) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in room(two).rglob("*.*")}
    run(two)
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in room(two).rglob("*.*")} == before


def test_the_same_day_made_anywhere_has_the_same_bytes(two: Lake, tmp_path: Path) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    other = Lake.open(tmp_path / "other")
    make_quantizer(other, "g1")
    publish_ids(other, D1, dict(reversed(IDS.items())))
    run(other)
    assert tree(room(other)) == tree(room(two))


def test_every_day_has_its_trie_and_a_note_withdrawn_or_added_is_one_rebuild(two: Lake) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    later: Ids = {name: IDS[name] for name in "abd"} | {"e": ([5, 5, 5], 0)}
    publish_ids(two, D2, later)
    run(two, D2)
    first, second = trie_of(two, D1), trie_of(two, D2)
    assert (first.trie.contains([5, 5, 5]), second.trie.contains([5, 5, 5])) == (False, True)
    assert notes(second, [0, 3, 5]) == ["b"]  # its rank, 1, leaves a gap
    binding = catalogue_trie.binding_of(two, D2)
    fresh = build_trie.built(two, binding, build_trie.rows_of(two, binding))
    for name, array in fresh.trie.tensors().items():
        assert np.array_equal(array, second.trie.tensors()[name])


def test_a_day_without_its_trie_says_what_to_run(two: Lake) -> None:
    publish_ids(two, D1, IDS)
    message = r"no trie belongs to semantic_ids ds=2026-03-01 .*\(none was built\): run build_trie --day 2026-03-01"
    with pytest.raises(LakeError, match=message):
        trie_of(two, D1)
    with pytest.raises(LakeError, match="no published partition ds=2026-03-02"):
        trie_of(two, D2)


def test_a_trie_of_a_partition_that_was_replaced_is_stale_until_the_day_is_built_again(two: Lake) -> None:
    old = publish_ids(two, D1, IDS)
    run(two)
    new = publish_ids(two, D1, {**IDS, "e": ([1, 1, 1], 0)}, salt="delivered again")
    message = rf"as published now, partition {new} \(stale: g1-{old}-v1 belong to partitions that were replaced\)"
    with pytest.raises(LakeError, match=message):
        trie_of(two, D1)
    run(two)
    assert trie_of(two, D1).trie.num_notes == 5


def test_a_decoder_of_another_generation_is_refused(two: Lake) -> None:
    publish_ids(two, D1, IDS, "g2")
    run(two)
    message = "wrong vocabulary: the decoder speaks codes of quantizer g1, semantic_ids ds=2026-03-01 are codes of g2"
    with pytest.raises(LakeError, match=message):
        trie_of(two, D1, "g1")


def test_another_day_s_trie_under_this_one_s_name_is_refused(two: Lake) -> None:
    old, new = publish_ids(two, D1, IDS), publish_ids(two, D2, IDS)
    run(two)
    shutil.copytree(room(two) / f"g1-{old}-v1", room(two) / f"g1-{new}-v1")
    message = rf"is not the trie of semantic_ids ds=2026-03-02: .*partition '{old}', wanted '{new}'.*Delete the folder"
    with pytest.raises(LakeError, match=message):
        trie_of(two, D2)


def test_a_quantizer_that_is_no_longer_the_one_of_the_codes_is_refused(two: Lake) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    path = Artifacts(two, "quantizer").folder("g1") / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": 2}))
    with pytest.raises(LakeError, match=r"its manifest says quantizer '\w+', wanted '\w+'"):
        trie_of(two, D1)


@pytest.mark.parametrize("name", ["trie.safetensors", "notes.parquet"])
def test_a_damaged_file_is_refused_by_name_also_by_a_rerun(two: Lake, name: str) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    (path,) = room(two).glob(f"*/{name}")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for again in (lambda: trie_of(two, D1), lambda: run(two)):
        with pytest.raises(LakeError, match=rf"{name} is not the file that its manifest names: delete the folder"):
            again()
    path.unlink()
    with pytest.raises(LakeError, match=rf"{name} is not the file"):
        trie_of(two, D1)
    shutil.rmtree(path.parent)
    run(two)
    assert path.read_bytes() == content


def test_an_empty_catalogue_is_an_error_and_writes_nothing(two: Lake) -> None:
    publish_ids(two, D1, {})
    with pytest.raises(LakeError, match="semantic_ids ds=2026-03-01 has no notes"):
        run(two)
    assert not room(two).exists()


def test_codes_of_two_vocabularies_make_no_trie(two: Lake) -> None:
    publish_ids(two, D1, IDS, "g2", said="g1")
    with pytest.raises(LakeError, match="holds codes of g2, but its manifest names quantizer g1"):
        run(two)
    assert not room(two).exists()


def test_ids_published_anew_while_they_are_read_make_no_trie(two: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_ids(two, D1, IDS)
    real = pq.read_table

    def read_meanwhile(*asked: Any, **how: Any) -> pa.Table:
        rows = real(*asked, **how)
        monkeypatch.undo()
        monkeypatch.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        publish_ids(two, D1, {"z": ([1, 1, 1], 0)})
        return rows

    monkeypatch.setattr(pq, "read_table", read_meanwhile)
    with pytest.raises(LakeError, match="was published anew while it was read: run build_trie again"):
        run(two)
    assert not room(two).exists()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"a": ([2, 0, 6], 0)}, r"\(quantizer g1\) gives no trie: codes of level 2 .* outside a vocabulary of 6"),
        ({"a": ([1, 1, 1], 0), "b": ([1, 1, 1], 0)}, r"the same codes \[1, 1, 1\] and the same rank 0"),
        ({"a": ([1, 1, 1], 0), "b": ([1, 1], 0)}, "codes of 2 lengths"),
    ],
)
def test_ids_that_make_no_trie_write_nothing(two: Lake, ids: Ids, message: str) -> None:
    publish_ids(two, D1, ids)
    with pytest.raises(LakeError, match=message):
        run(two)
    assert not room(two).exists()


def test_a_run_killed_at_any_file_ends_in_the_same_bytes_when_run_again(
    two: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_ids(two, D1, IDS)
    run(two)
    whole = tree(room(two))
    shutil.rmtree(room(two))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(catalogue_trie, "write_part", killed)
        with pytest.raises(KeyboardInterrupt):
            run(two)
    with pytest.raises(LakeError, match="none was built"):
        trie_of(two, D1)
    run(two)
    assert tree(room(two)) == whole
