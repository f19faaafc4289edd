"""The notes on the health page: groups by first code, and notes that share an ID. All of their text passes `escape`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jobs.ids.health_groups import Card, CodeGroup, Collision


def shown_groups(groups: Sequence[CodeGroup], num_groups: int) -> str:
    """What first codes mean, by the largest of `num_groups`."""

    def shown(group: CodeGroup) -> str:
        of = " · ".join(f"{escape(name)} <b>{share:.0%}</b>" for name, share in group.categories)
        head = f"<code>{escape(group.text)}</code><span>{group.num_notes:,} notes</span>"
        second = f"{group.num_second:,} second codes · " if group.num_second else ""
        return (
            f"<section class=group><h3>{head}</h3><div class='why quiet'>{second}{of}</div>"
            f"{''.join(map(_card, group.cards))}</section>"
        )

    return (
        "<h2>What the first codes mean</h2>"
        f"<p class=quiet>The {len(groups)} largest of {num_groups:,} groups by first code: "
        "their most frequent categories, and some of the notes, the most clicked first.</p>"
        f"<div class=groups>{''.join(map(shown, groups))}</div>"
    )


def shown_collisions(collisions: Sequence[Collision]) -> str:
    """Which notes share an ID."""

    def shown(found: Collision) -> str:
        left = found.num_notes - len(found.cards)
        more = f"<div class=more>and {left:,} more</div>" if left else ""
        return (
            f"<section class=group><h3><code>{escape(found.text)}</code><span>{found.num_notes:,} notes</span></h3>"
            f"<div class='why quiet'>{escape(found.why)}</div>{''.join(map(_card, found.cards))}{more}</section>"
        )

    if not collisions:
        return "<h2>Which notes share an ID</h2><p class=quiet>None: every note has codes of its own.</p>"
    return (
        "<h2>Which notes share an ID, and why</h2><p class=quiet>The fullest IDs, one note of every text first.</p>"
        f"<div class=groups>{''.join(map(shown, collisions))}</div>"
    )


def _card(card: Card) -> str:
    image = f'<img src="{escape(card.picture)}" alt="" loading="lazy">' if card.picture else ""
    title = escape(card.title) or "<i class=quiet>no title</i>"
    small = f"<small>{escape(card.category)} · {escape(card.note_id)}</small>"
    return f"<div class=card>{image}<div>{title}<br>{small}</div></div>"
