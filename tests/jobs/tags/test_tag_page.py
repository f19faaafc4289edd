"""The page an operator browses: everything a stranger wrote stays text, pictures are small copies, figures add up."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from jobs.config import load_config
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from jobs.tags.report_tags import arg_parser, main
from jobs.tags.tag_page_notes import marked
from jobs.tags.thumbnails import thumbnails
from schemas.tag_tables import NOTE_TAGS, TAG_POSTINGS, TAG_VOCABULARY
from tests.jobs.lakes import note, publish_notes, stage_rows
from tests.jobs.raw import deployment, utc
from tests.jobs.tags.said import publish_said, said

DAY = "2026-01-05"
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Seen(HTMLParser):
    """What a browser would find: the tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def png(size: tuple[int, int] = (400, 100)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_spans_are_highlighted_once_and_nothing_else_becomes_html() -> None:
    assert marked("A <b>Light  Tent", ["light tent"]) == "A &lt;b&gt;<mark>Light  Tent</mark>"
    assert marked("abcd", ["bc", "abc", "d"]) == "<mark>abc</mark><mark>d</mark>"
    assert marked("a+b (c", ["a+b", "(c", ".*", " "]) == "<mark>a+b</mark> <mark>(c</mark>"
    assert marked("<mark>", ["<mark>"]) == "<mark>&lt;mark&gt;</mark>"


def test_pictures_are_small_copies_of_what_lies_under_the_roots_and_opens(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name, content in {
        "good.png": png(),
        "half.png": png()[:200],
        "bomb.png": png()[:16] + b"\x00\x01\x00\x00\x00\x01\x00\x00" + png()[24:],  # 65536 by 65536, says its header
        "drawn.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "../outside.png": png(),
    }.items():
        (images / name).write_bytes(content)
    wanted = ["half.png", "bomb.png", "drawn.svg", "../outside.png", "no.png", "https://x.test/a.png", "good.png"]
    found = thumbnails(wanted, (str(images),))
    assert len(found) == 1
    kind, content = found[0].split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as small:
        assert small.size == (220, 55)
    assert len(thumbnails(["good.png"] * 9, (str(images),))) == 3


def _published(home: Path) -> Lake:
    lake = load_config(home / "config.yaml").open_lake()
    evil = note("n0", EVIL, body=f"{EVIL} and red", category=[EVIL], hashtags=[EVIL], image_uris=["a.png", EVIL])
    plain = note("n1", "A tent", category=["outdoor"])
    publish_notes(lake, DAY, [evil, plain])
    values = [("colour", "red", 0.5), (EVIL[:60], EVIL[:50], 0.25), ("colour", "blood red", 0.75)]
    rows = [
        said(evil, values, observed_picture=EVIL, reply=EVIL, problem="", num_ungrounded=1, num_pictures=1),
        said(plain, status="refused", problem=f"the model refused: {EVIL}", reply="No."),
    ]
    publish_said(lake, DAY, rows)
    word = {"num_notes": 1, "nearest": None, "similarity": None, "since": utc("2026-01-05 00:00:00").date()}
    words = [
        {"dimension": "colour", "surface": "red", "tag": "red", "status": "canonical", **word},
        {"dimension": "colour", "surface": "blood red", "tag": "red", "status": "merged", **word},
        {"dimension": "colour", "surface": EVIL[:40], "tag": EVIL[:40], "status": "review", **word, "nearest": EVIL},
    ]
    stage_rows(lake, TAG_VOCABULARY, DAY, words)
    publish(lake, TAG_VOCABULARY, DAY)
    shared = {"prompt": "p1", "handbook": "", "vocabulary": "v1"}
    none = {"dimensions": [], "tags": [], "evidence": [], "confidences": [], "unmapped": []}
    key = ("note_id", "content_hash")
    tagged = [
        {
            **{name: evil[name] for name in key}, **shared, "status": "ok", "dimensions": ["colour"], "tags": ["red"],
            "evidence": [EVIL], "confidences": [0.75], "unmapped": [EVIL], "source": "teacher", "model": EVIL,
        },
        {**{name: plain[name] for name in key}, **shared, **none, "status": "refused", "source": "none", "model": None},
    ]  # fmt: skip
    stage_rows(lake, NOTE_TAGS, DAY, tagged)
    publish(lake, NOTE_TAGS, DAY)
    posting = {"dimension": "colour", "tag": "red", "rank": 1, "note_id": "n0", "weight": 0.8, "num_notes": 1}
    stage_rows(lake, TAG_POSTINGS, DAY, [posting])
    publish(lake, TAG_POSTINGS, DAY)
    return lake


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    home = tmp_path_factory.mktemp("home")
    deployment(home, [], {})
    (home / "images").mkdir()
    (home / "images" / "a.png").write_bytes(png())
    lake = _published(home)
    main(["--config", str(home / "config.yaml"), "--day", DAY])
    return Seen((lake.root / "pages" / "note_tags_v1" / f"ds={DAY}.html").read_text(encoding="utf-8"))


def test_whatever_strangers_wrote_stays_text(page: Seen) -> None:
    assert [tag for tag, _ in page.found].count("script") == 1
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    sources = [value or "" for _, attributes in page.found for name, value in attributes.items() if name in ("src", "href")]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/webp;base64,")
    assert page.text.count(EVIL) >= 5  # it is shown, as text


def test_the_page_lets_nothing_run_but_its_own_script_and_nothing_load(page: Seen) -> None:
    policy = next(a["content"] or "" for tag, a in page.found if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy
    assert not [tag for tag, _ in page.found if tag in ("link", "iframe", "object", "base")]


def test_a_note_shows_the_way_from_what_was_seen_to_its_tags(page: Seen) -> None:
    articles = [attributes for tag, attributes in page.found if tag == "article"]
    assert [a["data-status"] for a in articles] == ['["ok"]', '["refused"]']
    assert [a["data-tag"] for a in articles] == ['["red"]', "[]"]
    for words in ("1 left out for want of evidence", "→ red", "merged", "not in the vocabulary", "no page for this"):
        assert words in page.text, words
    assert "the model refused: " in page.text
    assert "2 of 2 notes are shown below" in page.text


def test_the_figures_are_those_of_the_tables(page: Seen) -> None:
    figures = ["2notes", "50.0%of them with tags", "0.5tags a note", "1tags for review", "2calls of the teacher", "0.02cost"]
    for figure in figures:
        assert figure in page.text, figure
    assert "25.0%ungrounded: 1 left out" in page.text  # one of the four values that the teacher gave


def test_a_limit_that_is_none_is_refused(tmp_path: Path) -> None:
    deployment(tmp_path, [], {})
    for limit in ("0", "5001", "-1", "many"):
        with pytest.raises(LakeError, match="parameter limit is"):
            arg_parser().parse_args(["--config", str(tmp_path / "config.yaml"), "--day", DAY, "--limit", limit])
