"""A wrong configuration is named by its key before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config import Config, ConfigError, load_config, optional_path, yes_or_no

GOOD = "timezone: UTC\nlake: lake\nsources:\n  events: {path: events}\n  notes: {path: notes}\n"


def _load(folder: Path, text: str) -> Config:
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD)
    assert config.lake == tmp_path / "lake"
    assert config.source("events").path == tmp_path / "events"
    assert config.encoders == {"default": "minilm"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("pars: {top: 3}\n", "unknown key pars: did you mean pairs?"),
        ("pairs: {topp: 3}\n", "unknown key pairs.topp: did you mean pairs.top?"),
        ("pairs: {top: many}\n", "pairs.top is 'many': it must be of type int"),
        ("pairs: {low: -1}\n", "pairs.low is -1: it must not be negative"),
        ("pairs: {low: .nan}\n", "pairs.low is nan"),
        ("pairs: {top: true}\n", "pairs.top is True: it must be of type int"),
        ("image_roots: images\n", "image_roots is 'images': it must be a list"),
        ("encoders: minilm\n", "encoders is 'minilm': it must be a mapping"),
        ("image_encoder: 3\n", "image_encoder is 3: it must be text"),
        ("quantizer: {input: text}\n", "unknown key quantizer.input: did you mean quantizer.inputs?"),
        ("ingest: 3\n", "ingest is 3: it must be a mapping"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_may_be(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, GOOD + more)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("UTC", "Mars/Olympus"), "timezone is 'Mars/Olympus': write an IANA name"),
        (GOOD.replace("lake: lake\n", ""), "key lake is missing"),
        (GOOD.replace("events:", "evnts:"), "sources.evnts: the sources are events, notes and users"),
        (GOOD.replace("{path: events}", "{format: csv}"), "sources.events.path is missing"),
        (GOOD.replace("{path: events}", "{path: e, format: avro}"), "sources.events.format is 'avro'"),
        (
            GOOD.replace("{path: events}", "{path: e, columns: {user: x}}"),
            "unknown key sources.events.columns.user",
        ),
        ("just text", "must be a mapping"),
        ("a: [", "is not YAML"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, text)
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file .*none.yaml"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", ["/etc", "../elsewhere", "lake/../../x", "events/../../secret"])
def test_a_parameter_reaches_nothing_outside_the_lake_and_the_sources(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"parameter events_from .* lies outside the lake"):
        _load(tmp_path, GOOD).inside_allowed_roots(Path(path), "events_from")


def test_a_link_out_of_the_sources_is_outside(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "link").symlink_to("/etc")
    with pytest.raises(ConfigError, match="lies outside"):
        _load(tmp_path, GOOD).inside_allowed_roots(Path("events/link"), "events_from")


def test_a_folder_inside_a_source_is_allowed(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD)
    assert config.inside_allowed_roots(Path("events/mended"), "events_from") == tmp_path / "events" / "mended"


def test_switches_and_paths_are_read_as_a_dag_writes_them() -> None:
    assert [yes_or_no(text) for text in ("True", "false")] == [True, False]
    assert [optional_path(text) for text in ("", "x")] == [None, Path("x")]
    with pytest.raises(ConfigError, match="'maybe' is neither true nor false"):
        yes_or_no("maybe")
