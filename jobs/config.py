"""A deployment's configuration: one small YAML file, checked whole before anything runs.

Paths are relative to the file. `docs/configuration.md` is the reference; every key is a field below.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from jobs.ids.settings import CHOICES as QUANTIZER_CHOICES
from jobs.ids.settings import Quantizer as Quantizer
from jobs.lake import Lake, LakeError, day_text
from jobs.recommend.settings import CHOICES as RECOMMEND_CHOICES
from jobs.recommend.settings import Recommend as Recommend
from schemas.tables import table

CHOICES = {**QUANTIZER_CHOICES, **RECOMMEND_CHOICES}
FORMATS = ("parquet", "csv", "jsonl")
MINILM = "minilm"


class ConfigError(LakeError):
    """Which key of the configuration is wrong, and what it may be."""


@dataclass(frozen=True)
class Source:
    """Where one raw table lies: a folder, with `ds=YYYY-MM-DD` folders by day of arrival or without."""

    path: Path
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ingest:
    """The rules of cleaning."""

    max_lateness_days: int = 3
    robot_events_per_minute: int = 120
    min_note_characters: int = 4


@dataclass(frozen=True)
class Pairs:
    """NoteLLM's bounds (section 3.2) and the caps that keep one user or note from deciding a day."""

    window_days: int = 7
    low: float = 0.01
    high: float = 30.0
    top: int = 10
    max_clicks_per_user: int = 1000
    hot_note_share: float = 0.1
    hot_note_min_users: int = 1000


@dataclass(frozen=True)
class Tags:
    """Fine-grained tags: who teaches, what it may cost, how the handbook is mined and when the student is trusted."""

    teacher: str = ""  # a folder, a Hugging Face id, or the address of an OpenAI-compatible server; empty: nobody
    teacher_model: str = ""  # what a server calls the model
    use_handbook: bool = True
    use_pictures: bool = True  # false for a teacher that reads text only
    max_calls: int = 20_000  # a run; what is left then is skipped, and asked by the next run
    max_cost: float = 10.0  # a run, in the prices' currency
    price_in: float = 0.0  # of a million tokens
    price_out: float = 0.0
    teacher_share: float = 0.1  # of new notes that it is asked about once a student is promoted
    teacher_top_k: int = 8  # best tokens of every step that a local teacher's answers are stored with; 0: none
    concurrency: int = 8  # calls to a server at once
    timeout_s: float = 120.0
    max_new_tokens: int = 512
    handbook_days: int = 7
    min_support: int = 20  # engaged clicks below which a category's page inherits
    merge_similarity: float = 0.92
    review_similarity: float = 0.85
    min_notes: int = 2  # notes below which a tag is rare
    blocklist: str = ""  # a text file, one tag a line
    min_confidence: float = 0.6  # a student's answer below it goes to the teacher
    student: str = ""  # a folder or a Hugging Face id of a small model; empty: a compact one made on the spot
    distill_days: int = 30  # the window of teacher_tags that a student learns from
    distill_steps: int = 3000  # at most; it stops where the held-out notes get no better
    rationale_weight: float = 0.5  # of the teacher's chain beside 1 for its tags alone
    lora_rank: int = 0  # 0: LoRA only for students too large to train whole
    min_agreement: float = 0.9  # student's F1 over the teacher's that promotion asks for
    seed: int = 17


@dataclass(frozen=True)
class Config:
    """The whole file."""

    home: Path
    lake: Path
    timezone: str
    sources: Mapping[str, Source]
    image_roots: tuple[Path, ...] = ()
    encoders: Mapping[str, str] = field(default_factory=lambda: {"default": MINILM})
    image_encoder: str = ""  # a folder or a Hugging Face id; empty: pictures are not embedded
    ingest: Ingest = Ingest()
    pairs: Pairs = Pairs()
    quantizer: Quantizer = field(default_factory=Quantizer)
    tags: Tags = Tags()
    recommend: Recommend = field(default_factory=Recommend)

    def source(self, name: str) -> Source:
        """The source of a raw table. Raises `ConfigError` where the file names none."""
        if name not in self.sources:
            raise ConfigError(f"the configuration names no source {name!r}: add sources.{name}.path")
        return self.sources[name]

    def open_lake(self) -> Lake:
        """The lake that the file names."""
        return Lake.open(self.lake)

    def inside_allowed_roots(self, path: Path, parameter: str) -> Path:
        """`path`, resolved, if it lies in the lake or a configured source; a parameter must not reach elsewhere.

        Raises `ConfigError`.
        """
        resolved = (self.home / path).resolve()
        roots = [self.lake, *(s.path for s in self.sources.values())]
        if not any(resolved.is_relative_to(root.resolve()) for root in roots):
            raise ConfigError(
                f"parameter {parameter} is {str(path)!r}, which lies outside the lake and the configured sources: "
                f"put the files under one of {', '.join(str(r) for r in roots)}"
            )
        return resolved


def load_config(file: str | Path) -> Config:
    """Read and check a configuration file.

    Raises `ConfigError` naming the key, what it is, and what it may be.
    """
    path = Path(file)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must be a mapping of keys; see docs/configuration.md")
    home = path.resolve().parent
    known = {f.name for f in dataclasses.fields(Config)} - {"home"}
    _reject_unknown(raw, known, "")
    for key in ("lake", "timezone", "sources"):
        if key not in raw:
            raise ConfigError(f"{path}: key {key} is missing")
    return Config(
        home=home,
        lake=home / _text(raw["lake"], "lake"),
        timezone=_timezone(raw["timezone"]),
        sources={
            name: _source(home, name, value) for name, value in _mapping(raw["sources"], "sources").items()
        },
        image_roots=tuple(home / _text(p, "image_roots") for p in _list(raw, "image_roots")),
        encoders={"default": MINILM, **_mapping(raw.get("encoders", {}), "encoders")},
        image_encoder=_optional_text(raw, "image_encoder"),
        ingest=_section(Ingest, raw, "ingest"),
        pairs=_section(Pairs, raw, "pairs"),
        quantizer=_section(Quantizer, raw, "quantizer"),
        tags=_section(Tags, raw, "tags"),
        recommend=_section(Recommend, raw, "recommend"),
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The two arguments every job has: which configuration and which day."""
    parser.add_argument("--config", type=load_config, required=True, help="the deployment's YAML file")
    parser.add_argument("--day", type=day_text, required=True, help="the day to make, YYYY-MM-DD")
    return parser


def yes_or_no(value: str) -> bool:
    """A switch of a run, as a DAG writes it. Raises `ConfigError`."""
    if value.lower() not in ("true", "false"):
        raise ConfigError(f"{value!r} is neither true nor false")
    return value.lower() == "true"


def optional_path(value: str) -> Path | None:
    """A path, or None for the empty text that a DAG passes where nobody chose one."""
    return Path(value) if value else None


def optional_day(value: str) -> str | None:
    """A day, or None for the empty text that a DAG passes where nobody chose one."""
    return day_text(value) if value else None


def _source(home: Path, name: str, value: Any) -> Source:
    if name not in ("events", "notes", "users"):
        raise ConfigError(f"sources.{name}: the sources are events, notes and users")
    raw = _mapping(value, f"sources.{name}")
    _reject_unknown(raw, {"path", "format", "columns"}, f"sources.{name}.")
    if "path" not in raw:
        raise ConfigError(f"sources.{name}.path is missing")
    if raw.get("format") not in (None, *FORMATS):
        raise ConfigError(f"sources.{name}.format is {raw['format']!r}: it may be {', '.join(FORMATS)}")
    columns = _mapping(raw.get("columns", {}), f"sources.{name}.columns")
    _reject_unknown(columns, set(table(f"raw_{name}").column_names), f"sources.{name}.columns.")
    return Source(home / _text(raw["path"], f"sources.{name}.path"), raw.get("format"), columns)


def _section(kind: Any, raw: Mapping[str, Any], name: str) -> Any:
    values = _mapping(raw.get(name, {}), name)
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(kind)}
    _reject_unknown(values, set(defaults), f"{name}.")
    for key, value in values.items():
        wanted = type(defaults[key])
        fits = (int, float) if wanted is float else (wanted,)
        if not isinstance(value, fits) or isinstance(value, bool) != (wanted is bool):
            raise ConfigError(f"{name}.{key} is {value!r}: it must be of type {wanted.__name__}")
        if wanted in (int, float) and not value >= 0:  # NaN too
            raise ConfigError(f"{name}.{key} is {value!r}: it must not be negative")
        known = CHOICES.get(f"{name}.{key}")
        if known and value not in known:
            near = difflib.get_close_matches(str(value), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it may be {', '.join(known)}"
            raise ConfigError(f"{name}.{key} is {value!r}: {hint}")
    return kind(**{key: type(defaults[key])(value) for key, value in values.items()})


def _timezone(value: Any) -> str:
    try:
        return str(ZoneInfo(_text(value, "timezone")))
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"timezone is {value!r}: write an IANA name such as Asia/Shanghai or UTC") from None


def _mapping(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} is {value!r}: it must be a mapping")
    return value


def _list(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{key} is {value!r}: it must be a list")
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key} is {value!r}: it must be text")
    return value


def _optional_text(raw: Mapping[str, Any], key: str) -> str:
    return _text(raw[key], key) if raw.get(key) not in (None, "") else ""


def _reject_unknown(raw: Mapping[str, Any], known: set[str], prefix: str) -> None:
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
            raise ConfigError(f"unknown key {prefix}{key}: {hint}")
