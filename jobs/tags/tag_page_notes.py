"""One note on the tag page: its pictures and text, the chain from what was seen to its tags, and what the handbook gave.

Everything comes from strangers: notes, model replies, names of categories. All of it passes `escape`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from models.tags.chain import PICTURE
from models.tags.handbook import Page, category_key
from models.tags.prompt import MAX_BODY
from models.tags.spelling import surface_of

MAX_REPLY = 4000  # characters of a raw reply
Meanings = Mapping[tuple[str, str], tuple[str, str]]  # dimension and spelling to the tag it stands for, and its status
HELD_BACK = {"rare": "too rare to be a tag", "blocked": "blocked", "": "not in the vocabulary"}


class NoteView(NamedTuple):
    """All that the page shows of a note: rows of `notes`, `teacher_tags` and `note_tags`, its page, its pictures."""

    note: Mapping[str, Any]
    said: Mapping[str, Any]
    tags: Mapping[str, Any]
    page: Page | None
    meanings: Meanings
    pictures: Sequence[str]


def article(view: NoteView) -> str:
    """The note as an HTML article, with what the filters ask for as data."""
    note, tags = view.note, view.tags
    data = {
        "category": [category_key(note["category"][:depth]) for depth in range(1, len(note["category"]) + 1)],
        "status": [tags["status"]],
        "source": [tags["source"]],
        "dimension": sorted(set(tags["dimensions"])),
        "tag": list(tags["tags"]),
    }
    attributes = "".join(f' data-{name}="{escape(json.dumps(value, ensure_ascii=False))}"' for name, value in data.items())
    parts = "".join(part(view) for part in (_head, _tags, _chain, _handbook, _reply))
    return f"<article{attributes}>{_pictures(view)}<div>{parts}</div></article>"


def _pictures(view: NoteView) -> str:
    images = "".join(f'<img src="{escape(address)}" alt="" loading="lazy">' for address in view.pictures)
    num_missing = len(view.note["image_uris"]) - len(view.pictures)
    words = "no picture" if not view.note["image_uris"] else f"{num_missing} not shown: broken, or not under image_roots"
    blank = "" if view.pictures and num_missing <= 0 else f'<div class="blank quiet">{words}</div>'
    name = f'<div class="quiet"><small>{escape(view.note["note_id"])}</small></div>'
    return f'<div class="pictures">{images}{blank}{name}</div>'


def _head(view: NoteView) -> str:
    note, status = view.note, view.tags["status"]
    evidence = [e for e in view.said["evidence"] if e != PICTURE] + [e for e in view.tags["evidence"] if e != PICTURE]
    body = note["body"][:MAX_BODY] + ("…" if len(note["body"]) > MAX_BODY else "")
    hashtags = " ".join(f"#{tag}" for tag in note["hashtags"])
    kind = status if status in ("ok", "empty", "skipped") else "bad"
    why = escape(view.said["problem"]) or {"empty": "nothing left to tag it with"}.get(status, "")
    by = f'{view.tags["source"]}: {view.tags["model"]}' if view.tags["source"] != "none" else "tagged by nobody"
    return (
        f'<div class="head"><h3>{marked(note["title"], evidence) or "<i class=quiet>no title</i>"}</h3>'
        f'<span class="badge {kind}">{escape(status)}</span></div>'
        f'<div class="quiet"><small>{escape(category_key(note["category"])) or "no category"} · {escape(by)}</small></div>'
        + (f'<div class="says {kind}"><small>{why}</small></div>' if why else "")
        + f'<div class="text">{marked(body, evidence)}</div>'
        + (f'<div class="says quiet"><small>{marked(hashtags, evidence)}</small></div>' if hashtags else "")
    )


def marked(text: str, spans: Sequence[str]) -> str:
    """Escaped text with the spans highlighted wherever they stand, whatever their case and blanks."""
    found: list[tuple[int, int]] = []
    for span in sorted({s.strip() for s in spans if s.strip()}):
        pattern = r"\s+".join(re.escape(word) for word in span.split())
        found += [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
    parts, at = [], 0
    for start, end in sorted(found):
        if end <= at:
            continue
        start = max(start, at)
        parts.append(f"{escape(text[at:start])}<mark>{escape(text[start:end])}</mark>")
        at = end
    return "".join([*parts, escape(text[at:])])


def chip(dimension: str, tag: str, note: str = "") -> str:
    """A tag in the colour of its dimension; a click on it filters by it."""
    more = f" <small>{escape(note)}</small>" if note else ""
    return (
        f'<button type="button" class="chip" style="--hue:{_hue(dimension)}" data-pick="{escape(tag)}" '
        f'title="{escape(dimension)}"><small>{escape(dimension)}</small> {escape(tag)}{more}</button>'
    )


def _hue(dimension: str) -> int:
    return int(hashlib.sha256(dimension.encode()).hexdigest()[:4], 16) % 360


def _tags(view: NoteView) -> str:
    tags = view.tags
    chips = "".join(
        chip(dimension, tag, f"{confidence:.0%}")
        for dimension, tag, confidence in zip(tags["dimensions"], tags["tags"], tags["confidences"], strict=True)
    )
    kept = "".join(f'<span class="chip off">{escape(text)}</span>' for text in tags["unmapped"])
    return f"<h4>Tags</h4><div>{chips or '<span class=quiet>none</span>'}{kept}</div>"


def _chain(view: NoteView) -> str:
    """What the teacher saw, and every value with its evidence and what the vocabulary made of it."""
    said = view.said
    if not (said["tags"] or said["observed_text"] or said["observed_picture"]):
        return ""
    none = "<span class=quiet>nothing noted</span>"
    seen = " · ".join(f"“{escape(text)}”" for text in said["observed_text"]) or none
    shown = escape(said["observed_picture"]) or none
    chosen = ", ".join(dict.fromkeys(escape(d) for d in said["dimensions"])) or none
    columns = (said["dimensions"], said["tags"], said["evidence"], said["confidences"])
    rows = "".join(_value_row(view.meanings, *each) for each in zip(*columns, strict=True))
    out = f"{said['num_ungrounded']} left out for want of evidence, {said['num_repeated']} as repetitions"
    head = "<tr><th>dimension<th>as written<th>evidence<th class=n>sure<th>in the vocabulary</tr>"
    return (
        "<details open><summary>How the teacher got there</summary>"
        f"<h4>1 · seen in the text</h4><div class=says>{seen}</div>"
        f"<h4>2 · seen in {said['num_pictures']} picture(s)</h4><div class=says>{shown}</div>"
        f"<h4>3 · dimensions chosen</h4><div class=says>{chosen}</div>"
        f"<h4>4 · values and their evidence</h4><div class=scroll><table class=values>{head}{rows}</table></div>"
        f"<div class=quiet><small>{out}</small></div></details>"
    )


def _value_row(meanings: Meanings, dimension: str, value: str, evidence: str, confidence: float) -> str:
    folded = surface_of(dimension), surface_of(value)
    tag, status = meanings.get(folded, ("", ""))
    if status in HELD_BACK:
        after = f'<span class="quiet">{HELD_BACK[status]}</span>'
    elif tag == folded[1]:
        after = escape(tag) + (' <small class="empty">for review</small>' if status == "review" else "")
    else:
        after = f"→ <b>{escape(tag)}</b> <small class=quiet>{escape(status)}</small>"
    shown = "🖼 picture" if evidence == PICTURE else f"<mark>{escape(evidence)}</mark>"
    struck = ' class="gone quiet"' if status in HELD_BACK else ""
    return (
        f"<tr><td>{escape(dimension)}<td><span{struck}>{escape(value)}</span>"
        f"<td>{shown}<td class=n>{confidence:.0%}<td>{after}"
    )


def _handbook(view: NoteView) -> str:
    """The dimensions that the category's page offered, those that were used, and those the model chose by itself."""
    used = {surface_of(d) for d in (*view.said["dimensions"], *view.tags["dimensions"])}
    if view.page is None:
        return '<h4>Handbook</h4><span class="quiet">no page for this category: the model chose the dimensions</span>'
    offered = [(d, surface_of(d.name) in used) for d in view.page.dimensions]
    chips = "".join(
        f'<span class="chip{"" if is_used else " off"}" style="--hue:{_hue(surface_of(d.name))}" '
        f'title="{escape(d.definition)} Such as: {escape(", ".join(d.values))}">'
        f"{'✓ ' if is_used else ''}{escape(d.name)}</span>"
        for d, is_used in offered
    )
    own = sorted(used - {surface_of(d.name) for d in view.page.dimensions})
    beside = f'<div class="quiet"><small>beside the page: {escape(", ".join(own))}</small></div>' if own else ""
    of = escape(view.page.category or "all notes")
    num_used = sum(is_used for _, is_used in offered)
    return f"<h4>Handbook · page of {of} · {num_used} of {len(offered)} dimensions used</h4><div>{chips}</div>{beside}"


def _reply(view: NoteView) -> str:
    said = view.said
    if not said["reply"]:
        return ""
    cut = said["reply"][:MAX_REPLY] + ("…" if len(said["reply"]) > MAX_REPLY else "")
    cost = f"{said['num_calls']} call(s), {said['tokens_in']} + {said['tokens_out']} tokens, {said['latency_ms']:.0f} ms"
    return f"<details><summary>The reply as it came · {cost}</summary><pre>{escape(cut)}</pre></details>"
