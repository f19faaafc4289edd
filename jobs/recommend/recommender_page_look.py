"""The style of the recommender's page: that of the health page, a colour for every arm, and cards of examples."""

from __future__ import annotations

from jobs.ids.health_page_look import STYLE as HEALTH_STYLE

COLOURS = {  # of arms and of losses: on paper, and in the dark; the recommender itself in the accent
    "popularity": ("#9a968c", "#8a8d96"),
    "item_knn": ("#72b7b2", "#6fb5b0"),
    "markov_knn": ("#4c78a8", "#7aa6d6"),
    "content_knn": ("#c9a227", "#dcc05a"),
    "counts_content": ("#2f6f73", "#67b3b7"),
    "sasrec": ("#54a24b", "#7cc274"),
    "generative": ("#e08a3c", "#f0a55f"),
    "generative_mixed": ("#b4412f", "#f08a76"),
    "free": ("#b279a2", "#c996bb"),
    "free_grounded": ("#8a6bb8", "#ab90d6"),
    "train": ("#9a968c", "#8a8d96"),
    "valid": ("#b4412f", "#f08a76"),
}


def _colours(dark: bool) -> str:
    return "; ".join(f"--{name}: {pair[int(dark)]}" for name, pair in COLOURS.items())


STYLE = (
    HEALTH_STYLE
    + f":root {{ {_colours(False)} }} @media (prefers-color-scheme: dark) {{ :root {{ {_colours(True)} }} }}\n"
    + "".join(
        f".plot .{name}, .key .{name} {{ fill: var(--{name}); background: var(--{name}) }} "
        f".plot .stroke.{name} {{ stroke: var(--{name}); fill: none }}\n"
        for name in COLOURS
    )
    + """
.plot { max-width: 46rem } .plot text { font-size: 11px } .stroke { stroke-width: 2 }
.whisker { stroke: var(--ink); stroke-width: 1.1; fill: none; opacity: .75 }
.panels.two { grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)) }
.all td, .all th { padding: .24rem .8rem .24rem 0; white-space: nowrap } .all tr.deployed td { font-weight: 650 }
.all td { border-top: 1px solid var(--line) } .scroll { overflow: auto }
.example { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.2rem } .example h3, .example .next { grid-column: 1 / -1 }
.example ol { margin: .1rem 0 .2rem; padding-left: 1.5rem; font-size: .9rem; overflow-wrap: anywhere }
.example li { unicode-bidi: isolate; padding: .06rem 0 } .example li.hit { color: var(--good); font-weight: 650 }
.example .next { border-top: 1px solid var(--line); margin-top: .5rem; padding-top: .5rem; font-size: .93rem;
  unicode-bidi: isolate; overflow-wrap: anywhere } .examples { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)) }
@media (max-width: 40rem) { .example { grid-template-columns: 1fr } }
"""
)
