"""Raw files as people really deliver them: what is read, what is marked for quarantine, what is refused with a word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.config import Config, ConfigError, Source
from jobs.sources import Drop, SourceError, find_drop, read_drop
from schemas.table import Table
from schemas.tables import RAW_EVENTS, RAW_NOTES, RAW_USERS

TABLES = {"events": RAW_EVENTS, "notes": RAW_NOTES, "users": RAW_USERS}
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
EVENT_HEADER = "user_id,note_id,event,ts\n"
EVENT = "u,n,click,2024-01-01\n"


def delivered(home: Path, name: str, files: Mapping[str, str | bytes | pa.Table], **source: Any) -> Drop:
    """The drop of the day 2024-01-01 after `files` were laid into the folder of a source."""
    folder = home / name
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    config = Config(home, home / "lake", "UTC", {name: Source(folder, **source)})
    table: Table = TABLES[name]
    return find_drop(config, table, name, "2024-01-01")


def rows(spark: SparkSession, drop: Drop) -> list[dict[str, Any]]:
    """What Spark reads, and as many as were counted without it."""
    found = [row.asDict() for row in read_drop(spark, drop).collect()]
    assert len(found) == drop.num_rows()
    return found


def events(**columns: Any) -> pa.Table:
    """A Parquet file of one good event, with some columns exchanged or (None) left away."""
    good = {
        "user_id": pa.array(["u"]),
        "note_id": pa.array(["n"]),
        "event": pa.array(["click"]),
        "ts": pa.array([NEW_YEAR], pa.timestamp("us", "UTC")),
    }
    return pa.table({name: values for name, values in {**good, **columns}.items() if values is not None})


def test_a_csv_from_a_spreadsheet_is_read_with_its_mark_quotes_line_breaks_and_lists(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = (
        "\ufeffnote_id,title,body,category,hashtags,image_uris,author_id,created_at\r\n"
        '7,"A ""red"" tent, dry","line 1\nline 2 中文","户外|露营","[""x"",""y z""]",,,2024-01-01T08:00:00+08:00\r\n'
        "\r\n"
    )
    (note,) = rows(spark, delivered(tmp_path, "notes", {"n.csv": text}))
    assert note["title"] == 'A "red" tent, dry'
    assert note["body"] == "line 1\nline 2 中文"
    assert (note["category"], note["hashtags"], note["image_uris"]) == (["户外", "露营"], ["x", "y z"], [])
    assert note["author_id"] is None
    assert note["created_at"] == datetime(2024, 1, 1)
    assert (note["_unreadable"], note["_source"]) == (None, "n.csv")


def test_a_value_that_does_not_cast_and_a_row_of_another_length_are_marked_and_kept_whole(
    spark: SparkSession, tmp_path: Path
) -> None:
    header = "note_id,title,category,created_at\n"
    text = header + "1,t,[bad,2024-01-01\n2,t,,soon\n3,one, comma too many,,2024-01-01\n4,cut off\n"
    found = rows(spark, delivered(tmp_path, "notes", {"n.csv": text}))
    assert [row["_unreadable"] for row in found] == ["category", "created_at", "the line", "the line"]
    assert "3,one, comma too many,,2024-01-01" in found[2]["_record"]


TIMES = {
    "1704067200": 0,
    "1704067201000": 1,
    "1704067202000000": 2,
    "2024-01-01": 0,
    "2024-01-01 00:00:03": 3,
    "2024-01-01T00:00:04.000000Z": 4,
    "2024-01-01T08:00:05+08:00": 5,
    "2023-12-31 16:00:06-0800": 6,
    "1704067200000000000": None,
    "1704067200.5": None,
    "12:30": None,
    "2024": None,
    "01/02/2024": None,
    "2024-13-01": None,
    "now": None,
}


def test_a_time_is_iso_text_or_a_whole_number_since_1970(spark: SparkSession, tmp_path: Path) -> None:
    lines = "".join(f"{text},n,click,{text}\n" for text in TIMES)
    found = rows(spark, delivered(tmp_path, "events", {"e.csv": EVENT_HEADER + lines}))
    assert {row["user_id"]: row["ts"] and row["ts"].second for row in found} == TIMES
    assert {row["ts"].replace(second=0) for row in found if row["ts"]} == {datetime(2024, 1, 1)}
    assert all((row["ts"] is None) == (row["_unreadable"] == "ts") for row in found)


def test_csv_files_of_one_source_may_order_their_columns_each_in_its_way(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = {
        "a.csv": EVENT_HEADER + EVENT,
        "b.csv": "ts,spare,event,note_id,user_id\n2024-01-01,x,click,n,u\n",
    }
    first, second = rows(spark, delivered(tmp_path, "events", files))
    assert {k: v for k, v in first.items() if k != "_source"} == {
        k: v for k, v in second.items() if k != "_source"
    }
    assert (first["_source"], second["_source"]) == ("a.csv", "b.csv")


def test_columns_are_mapped_by_name_whatever_stands_in_the_name(spark: SparkSession, tmp_path: Path) -> None:
    columns = {"user_id": "user.id", "ts": "when `utc`"}
    text = "user.id,note_id,event,when `utc`\nu,n,click,1704067200\n"
    line = '{"user.id":"u","note_id":"n","event":"click","when `utc`":1704067200}\n'
    table = events(user_id=None, ts=None).append_column("user.id", pa.array(["u"]))
    table = table.append_column("when `utc`", pa.array([1704067200]))
    for number, files in enumerate(({"e.csv": text}, {"e.jsonl": line}, {"e.parquet": table})):
        (row,) = rows(spark, delivered(tmp_path / str(number), "events", files, columns=columns))
        assert (row["user_id"], row["ts"]) == ("u", datetime(2024, 1, 1))


def test_a_file_name_is_a_name_and_no_pattern(spark: SparkSession, tmp_path: Path) -> None:
    name = "log [1] 100%+ {a,b} 中文.csv"
    (row,) = rows(spark, delivered(tmp_path, "events", {name: EVENT_HEADER + EVENT}))
    assert row["_source"] == name


def test_unfinished_and_hidden_files_are_passed_over(spark: SparkSession, tmp_path: Path) -> None:
    bad = dict.fromkeys(("_half.csv", ".e.csv", "_temporary/0/e.csv"), "nothing\n")
    drop = delivered(tmp_path, "events", {**bad, "deep/e.csv": EVENT_HEADER + EVENT})
    assert list(drop.hashes()) == ["deep/e.csv"]


def test_a_source_may_be_one_file(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(EVENT_HEADER + EVENT)
    config = Config(tmp_path, tmp_path / "lake", "UTC", {"events": Source(tmp_path / "log.csv")})
    drop = find_drop(config, RAW_EVENTS, "events", "2024-01-01")
    assert list(drop.hashes()) == ["log.csv"]
    assert rows(spark, drop)[0]["_source"] == "log.csv"


def test_json_lines_are_read_line_by_line_and_a_line_that_is_no_object_is_marked(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = (
        '\ufeff{"note_id": 12345678901234567890, "title": "中文\\n\\"q\\"", "created_at":1704067200, "hashtags": ["a", 1]}\n'
        "\n"
        "broken {\n"
        '[{"note_id": "x"}, {"note_id": "y"}]\n'
        "12\n"
        '{"note_id": "b", "title": null, "created_at": "soon", "spare": {}}\r\n'
    )
    found = rows(spark, delivered(tmp_path, "notes", {"n.jsonl": text}))
    assert [row["_unreadable"] for row in found] == [None, "the line", "the line", "the line", "created_at"]
    assert (found[0]["note_id"], found[0]["title"]) == ("12345678901234567890", '中文\n"q"')
    assert (found[0]["hashtags"], found[0]["category"]) == (["a", "1"], None)
    assert found[1]["_record"] == '{"_broken":"broken {"}'


def test_parquet_types_that_widen_are_taken_as_they_come(spark: SparkSession, tmp_path: Path) -> None:
    late = [datetime(2024, 1, 1, 0, 0, 0, 123456)]
    files = {
        "a.parquet": events(user_id=pa.array([7]), note_id=pa.array([2**63], pa.uint64())),
        "b.parquet": events(ts=pa.array(late, pa.timestamp("ns")), query=pa.nulls(1)),
        "c.parquet": events(
            ts=pa.array(late, pa.timestamp("ns", "UTC")), query=pa.array(["q"], pa.large_string())
        ),
        "d.parquet": events(ts=pa.array([NEW_YEAR], pa.timestamp("ms", "Asia/Shanghai"))),
        "e.parquet": events(ts=pa.array([1704067200]), event=pa.array(["click"]).dictionary_encode()),
    }
    found = {row["_source"]: row for row in rows(spark, delivered(tmp_path, "events", files))}
    assert (found["a.parquet"]["user_id"], found["a.parquet"]["note_id"]) == ("7", "9223372036854775808")
    assert [found[f"{name}.parquet"]["ts"].microsecond for name in "abcde"] == [0, 123456, 123456, 0, 0]
    assert {row["ts"].replace(microsecond=0) for row in found.values()} == {datetime(2024, 1, 1)}
    assert [found[f"{name}.parquet"]["query"] for name in "abc"] == [None, None, "q"]
    assert {row["event"] for row in found.values()} == {"click"}


def test_parquet_lists_of_numbers_and_of_nothing_are_lists_of_text(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = pa.table(
        {
            "note_id": [1],
            "title": ["t"],
            "created_at": pa.array([NEW_YEAR], pa.timestamp("us", "UTC")),
            "category": pa.array([[1, 2]]),
            "hashtags": pa.array([[]], pa.list_(pa.null())),
            "image_uris": pa.nulls(1),
        }
    )
    (note,) = rows(spark, delivered(tmp_path, "notes", {"n.parquet": table}))
    assert (note["category"], note["hashtags"], note["image_uris"]) == (["1", "2"], [], None)


def test_user_fields_are_cast_and_checked(spark: SparkSession, tmp_path: Path) -> None:
    text = "user_id,has_children\n1,true\n2,no\n3,\n4,maybe\n"
    found = rows(spark, delivered(tmp_path, "users", {"u.csv": text}))
    assert [row["has_children"] for row in found] == [True, False, None, None]
    assert [row["_unreadable"] for row in found] == [None, None, None, "has_children"]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("e.csv", "user_id,event,ts\n", r"e\.csv: column note_id is missing"),
        ("e.csv", "user_id,note_id,event,ts,ts\n", r"e\.csv: column ts stands 2 times in the header"),
        ("e.csv", "", r"e\.csv: it is empty, without even a header"),
        ("e.csv", "user_id,note_id,event,ts,问\n".encode("gbk"), r"e\.csv: not readable as csv in UTF-8"),
        ("e.jsonl", '[{"user_id": "u"}]\n', r"e\.jsonl: no line holds a JSON object"),
        ("e.jsonl", '{"user_id": "u"}\n', r"e\.jsonl: column note_id is missing"),
        (
            "e.parquet",
            b"PAR1 and then nothing",
            r"e\.parquet: truncated or not Parquet .*deliver the file again",
        ),
        ("e.parquet", events(event=None), r"e\.parquet: column event is missing"),
        (
            "e.parquet",
            events(user_id=pa.array([7.0])),
            r"column user_id is double, but must be string \(who acted",
        ),
        ("e.parquet", events(ts=pa.array(["2024"])), r"column ts is string, but must be timestamp"),
        (
            "e.parquet",
            events(ts=pa.array([date(2024, 1, 1)])),
            r"column ts is date32\[day\], but must be timestamp",
        ),
        ("ds=2024-01-02/e.csv", EVENT_HEADER, r"has no ds=2024-01-01 \(it has 2024-01-02 to 2024-01-02\)"),
        ("e.txt", EVENT_HEADER, r"events is empty: no \.parquet, \.csv or \.jsonl file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name_before_any_work(
    tmp_path: Path, file: str, content: str | bytes | pa.Table, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        delivered(tmp_path, "events", {file: content})


def test_all_that_is_wrong_is_said_at_once_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"(?s)a\.csv.*b\.csv.*sources\.events\.columns"):
        delivered(tmp_path, "events", {"a.csv": "user_id\n", "b.csv": "note_id\n"})


def test_a_folder_of_several_formats_needs_a_choice(tmp_path: Path) -> None:
    files = {"a.csv": EVENT_HEADER + EVENT, "b.jsonl": '{"user_id": "u"}\n'}
    with pytest.raises(ConfigError, match=r"mixes csv, jsonl: set sources\.events\.format"):
        delivered(tmp_path, "events", files)
    assert [path.name for path in delivered(tmp_path, "events", files, format="csv").files] == ["a.csv"]
    with pytest.raises(SourceError, match=r"holds no parquet file, as sources\.events\.format wants"):
        delivered(tmp_path, "events", files, format="parquet")


def test_notes_are_snapshots_and_the_last_one_up_to_the_day_is_read(tmp_path: Path) -> None:
    header = "note_id,title,created_at\n"
    files = {f"ds={day}/n.csv": header for day in ("2023-12-30", "2023-12-31", "2024-01-02")}
    assert list(delivered(tmp_path, "notes", files).hashes()) == ["ds=2023-12-31/n.csv"]


def test_a_note_longer_than_the_csv_modules_limit_is_counted_and_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = f"note_id,title,body,created_at\n1,t,{'x' * 200_000},2024-01-01\n"
    (note,) = rows(spark, delivered(tmp_path, "notes", {"n.csv": text}))
    assert len(note["body"]) == 200_000
