"""An artifact is whole or not there, and there is one answer to which was current as of a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.artifact import Artifacts, append_numbered
from jobs.lake import Lake, LakeError


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(Lake.open(tmp_path / "lake"), "quantizer")


def _build(folder: Path) -> dict[str, int]:
    (folder / "config.json").write_text("{}")
    return {"seed": 7}


def test_a_generation_is_written_with_the_hashes_of_its_files(artifacts: Artifacts) -> None:
    folder = artifacts.write("g1", _build)
    assert artifacts.generations() == ["g1"]
    # SHA-256 of the two characters {}
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert artifacts.manifest("g1") == {"files": {"config.json": digest}, "seed": 7}
    assert folder == artifacts.folder("g1")


def test_a_build_that_dies_leaves_no_generation_and_the_next_one_starts_afresh(artifacts: Artifacts) -> None:
    def dies(folder: Path) -> dict[str, int]:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.write("g1", dies)
    assert artifacts.generations() == []
    assert [p.name for p in sorted(artifacts.write("g1", _build).iterdir())] == ["config.json", "manifest.json"]


def test_a_generation_that_exists_is_left_as_it_is(artifacts: Artifacts) -> None:
    artifacts.write("g1", _build)
    artifacts.write("g1", lambda folder: {"seed": 8})
    assert artifacts.manifest("g1")["seed"] == 7


def test_the_current_generation_is_that_of_the_day(artifacts: Artifacts) -> None:
    for name in ("g1", "g2"):
        artifacts.write(name, _build)
    assert artifacts.current("2026-01-10") is None
    artifacts.promote("g1", since="2026-01-10")
    artifacts.promote("g2", since="2026-02-01")
    assert artifacts.current("2026-01-31") == "g1"
    assert artifacts.current("2026-02-01") == "g2"
    assert artifacts.current("2025-12-01") == "g1"  # before the first promotion there is only the first
    artifacts.promote("g1", since="2026-02-03")  # a rollback
    assert artifacts.current("2026-02-05") == "g1"
    assert artifacts.current("2026-02-02") == "g2"


def test_promoting_what_is_current_adds_nothing(artifacts: Artifacts) -> None:
    artifacts.write("g1", _build)
    artifacts.promote("g1", since="2026-01-10")
    artifacts.promote("g1", since="2026-01-10")
    assert len(artifacts.promotions()) == 1


def test_a_generation_that_is_not_there_cannot_be_promoted(artifacts: Artifacts) -> None:
    with pytest.raises(LakeError, match="has no generation 'g9'; it has none"):
        artifacts.promote("g9", since="2026-01-10")


@pytest.mark.parametrize("name", ["../g1", "G1", "", "a/b", "-x"])
def test_a_name_never_becomes_another_path(artifacts: Artifacts, name: str) -> None:
    with pytest.raises(LakeError, match="is no name of an artifact"):
        artifacts.folder(name)


def test_numbers_are_taken_once_each(tmp_path: Path) -> None:
    for content in (b"a", b"b", b"c"):
        append_numbered(tmp_path, "json", content)
    assert [(p.name, p.read_bytes()) for p in sorted(tmp_path.iterdir())] == [
        ("000001.json", b"a"),
        ("000002.json", b"b"),
        ("000003.json", b"c"),
    ]
