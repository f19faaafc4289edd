"""The page of a recommender's evaluation: figures by arm, and what it recommended to whom. One file, no script, no network.

It is made from the facts of `figures.json` alone; whatever comes from notes or users passes `escape`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from jobs.ids.health_page import POLICY
from jobs.recommend.recommender_page_look import STYLE
from jobs.recommend.recommender_plots import Line, Ranged, grouped_bars, interval_bars, line_plot
from schemas.recommend_tables import ARMS

Facts = Mapping[str, Any]
SHOWN_IN_SLICES = ("popularity", "markov_knn", "counts_content", "sasrec", "generative", "generative_mixed")
WORDS = {
    "popularity": "popularity",
    "item_knn": "item kNN",
    "markov_knn": "Markov + kNN",
    "content_knn": "content kNN",
    "counts_content": "counts + content",
    "sasrec": "SASRec",
    "generative": "generative",
    "generative_mixed": "generative, mixed",
    "free": "free",
    "free_grounded": "free, grounded",
}
MEANINGS = (
    "popularity, item kNN and Markov + kNN count; content kNN reads the notes' texts alone; counts + content is the "
    "collaborative scorer that decoding is mixed with, alone; SASRec is a small transformer over notes. generative "
    "decodes IDs inside the catalogue; mixed adds that scorer at every step; free decodes without the catalogue and loses "
    "what is no ID; grounded moves such IDs to the nearest notes."
)


def recommender_page(facts: Facts) -> str:
    """The whole page."""
    title = f"Recommender · {facts['day']}"
    body = [
        f"<header><h1>{escape(title)}</h1><div class=quiet>generation <code>{escape(facts['recommender'])}</code> · "
        f"{facts['num_cases']:,} held-out answers ({escape(facts['split'])}) · {escape(_seen_rule(facts))}</div></header>",
        "<main>",
        _remarks(facts["remarks"]),
        _figures(facts),
        _arms(facts),
        _slices(facts),
        _table(facts),
        _training(facts["curve"]),
        _examples(facts["examples"]),
        "</main>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _seen_rule(facts: Facts) -> str:
    how = (
        "are not recommended, nor counted as answers" if facts["exclude_seen"] else "may be recommended again"
    )
    return f"notes of the history {how}"


def _remarks(said: Sequence[str]) -> str:
    if not said:
        return (
            "<div class='remarks good'>✓ Above the floors, and not worse than the current recommender.</div>"
        )
    return f"<div class=remarks><b>To look at</b><ul>{''.join(f'<li>{escape(words)}' for words in said)}</ul></div>"


def _figure(facts: Facts, arm: str, metric: str, k: int, part: str = "all") -> Mapping[str, Any] | None:
    wanted = (arm, part, metric, k)
    return next((f for f in facts["figures"] if (f["arm"], f["slice"], f["metric"], f["k"]) == wanted), None)


def _ranged(facts: Facts, arm: str, metric: str, k: int, part: str = "all") -> list[Ranged]:
    found = _figure(facts, arm, metric, k, part)
    return [Ranged(WORDS[arm], found["value"], found["low"], found["high"], arm)] if found else []


def _figures(facts: Facts) -> str:
    deployed, less = facts["deployed"], facts["deployed_less"]
    shown = [
        (f"{found['value']:.4f}", f"{of}, {WORDS[deployed]}")
        for of, found in (
            ("NDCG@10", _figure(facts, deployed, "ndcg", 10)),
            ("HR@10", _figure(facts, deployed, "hr", 10)),
            ("HR@1", _figure(facts, deployed, "hr", 1)),
        )
        if found
    ]
    shown += [(f"{less[arm]['value']:+.4f}", f"NDCG@10 over {WORDS[arm]}") for arm in less]
    shown.append(
        (
            f"{facts['valid_ids']:.0%}" if facts["valid_ids"] == 1 else f"{facts['valid_ids']:.3%}",
            "IDs in the catalogue",
        )
    )
    current = facts["current"]
    if current and "difference" in current:
        shown.append(
            (f"{current['difference']['value']:+.4f}", f"NDCG@10 over {current['recommender']}, current")
        )
    cards = "".join(
        f"<div class=figure><b>{number}</b><span>{escape(of)}</span></div>" for number, of in shown
    )
    return f"<div class=figures>{cards}</div>"


def _arms(facts: Facts) -> str:
    bars = [bar for arm in ARMS for bar in _ranged(facts, arm, "ndcg", 10)]
    plots = [f"<section class=panel><h2>NDCG@10</h2>{interval_bars(bars, 'NDCG@10 by arm')}</section>"]
    for metric, words in (("ndcg", "NDCG@k"), ("hr", "Hit rate@k")):
        plots.append(f"<section class=panel><h2>{words}</h2>{_over_k(facts, metric, words)}</section>")
    return (
        "<h2>Who finds the next note</h2><p class=quiet>Every arm ranks the whole catalogue for the same users; a note that "
        "shares its ID shares the hit with the others, so that collisions win nothing. Whiskers: 95 % over users. "
        f"{escape(MEANINGS)}</p><div class='panels two'>{''.join(plots)}</div>"
    )


def _over_k(facts: Facts, metric: str, words: str) -> str:
    ks = sorted({f["k"] for f in facts["figures"] if f["metric"] == metric and f["slice"] == "all"})
    lines = []
    for arm in ARMS:
        found = [_figure(facts, arm, metric, k) for k in ks]
        points = [(place, f["value"]) for place, f in enumerate(found) if f]
        lines += [Line(WORDS[arm], arm, points)] if points else []
    return line_plot(lines, {place: f"@{k}" for place, k in enumerate(ks)}, words)


def _slices(facts: Facts) -> str:
    names = list(dict.fromkeys(f["slice"] for f in facts["figures"]))
    groups = (
        ("Was the answer seen in training?", [n for n in names if n in ("warm", "cold")]),
        ("By how often the answer was acted on", sorted(n for n in names if n.startswith("popularity:"))),
        ("By category of the answer", [n for n in names if n.startswith("category:")][:8]),
    )
    panels = [
        f"<section class=panel><h2>{head}</h2>{_slice_plot(facts, parts)}</section>"
        for head, parts in groups
        if parts
    ]
    keys = "".join(
        f'<span class=key><i class="{arm}"></i>{escape(WORDS[arm])}</span>' for arm in SHOWN_IN_SLICES
    )
    return (
        "<h2>For which answers</h2><p class=quiet>NDCG@10 of the held-out answers of each kind. Cold: never acted on in "
        f"training; Q1 are the rarest quarter of answers.</p><p>{keys}</p><div class='panels two'>{''.join(panels)}</div>"
    )


def _slice_plot(facts: Facts, parts: Sequence[str]) -> str:
    groups = []
    for part in parts:
        bars = [bar for arm in SHOWN_IN_SLICES for bar in _ranged(facts, arm, "ndcg", 10, part)]
        num = next(f["num_cases"] for f in facts["figures"] if f["slice"] == part)
        name = part.split(":", 1)[-1].strip().replace("\n", " ")
        groups.append((f"{name[:11] + '…' if len(name) > 12 else name}\n{num:,}", bars))
    return grouped_bars(groups, "NDCG@10 by kind of answer")


def _table(facts: Facts) -> str:
    columns = [("hr", 1), ("hr", 5), ("hr", 10), ("hr", 20), ("ndcg", 5), ("ndcg", 10), ("ndcg", 20),
               ("hr_of_ids", 10), ("ndcg_of_ids", 10)]  # fmt: skip
    heads = {"hr": "HR", "ndcg": "NDCG", "hr_of_ids": "HR of IDs", "ndcg_of_ids": "NDCG of IDs"}
    rows = []
    for arm in ARMS:
        found = [_figure(facts, arm, metric, k) for metric, k in columns]
        valid = next((f for f in facts["figures"] if f["arm"] == arm and f["metric"] == "valid_ids"), None)
        if any(found):
            cells = "".join(f"<td class=n>{f['value']:.4f}" if f else "<td class=n>–" for f in found)
            kind = " class=deployed" if arm == facts["deployed"] else ""
            share = f"{valid['value']:.2%}" if valid else "–"
            rows.append(f"<tr{kind}><td>{WORDS[arm]}{cells}<td class=n>{share}")
    head = "".join(f"<th class=n>{heads[metric]}@{k}" for metric, k in columns)
    return (
        "<h2>All figures</h2><p class=quiet>Of IDs: a hit is the right ID, whichever of its notes was meant. In bold the "
        f"way of decoding that is deployed.</p><section class='panel scroll'><table class=all><tr><th>{head}"
        f"<th class=n>IDs in the catalogue</tr>{''.join(rows)}</table></section>"
    )


def _training(curve: Sequence[Mapping[str, float]]) -> str:
    if not curve:
        return ""
    lines = [
        Line(name, name, [(int(e["epoch"]), e[key]) for e in curve if e.get(key) is not None])
        for name, key in (("train", "loss"), ("valid", "valid_loss"))
    ]
    last = int(curve[-1]["epoch"])
    under = {place: str(place) for place in sorted({int(curve[0]["epoch"]), (last + 1) // 2, last})}
    plot = line_plot([line for line in lines if line.points], under, "loss by epoch", from_zero=False)
    panel = f"<section class=panel><h2>Loss by epoch</h2>{plot}</section>"
    return f"<h2>How it was trained</h2><div class='panels two'>{panel}</div>"


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
    def shown(found: Mapping[str, Any]) -> str:
        before = "".join(f"<li>{escape(title)}" for title in found["history"])
        given = "".join(
            f"<li{' class=hit' if n['is_answer'] else ''}>{escape(n['title'])}" for n in found["recommended"]
        )
        came = f"rank {found['rank']}" if found["rank"] else "not in the list"
        return (
            f"<section class='group example'><h3>user {escape(found['user_id'])}</h3><div><h4>History, the latest last</h4>"
            f"<ol>{before}</ol></div><div><h4>Recommended</h4><ol>{given}</ol></div><div class=next><b>What came next:</b> "
            f"{escape(found['answer'])} <span class=quiet>({came})</span></div></section>"
        )

    if not examples:
        return ""
    cards = "".join(map(shown, examples))
    return f"<h2>Some users</h2><p class=quiet>The first by the hash of their id.</p><div class=examples>{cards}</div>"
