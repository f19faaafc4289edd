"""How users behave: sessions of impressions, some of them clicked, some of these liked, collected or shared.

A session is about one interest. What is shown comes mostly from that interest and partly from what is
popular everywhere; what is clicked depends on the interest, on tastes that the text shows (style, price,
language) and on tastes that only the picture shows (colour, pattern), less the further down it stands. So
notes clicked in one session belong together, popular notes are seen by all and belong to nothing, and who
ignores pictures misses clicks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.catalogue import COLOURS, LANGUAGES, NUM_VALUES
from demo.cells import Cells, Floats, Ids
from demo.interests import INTERESTS
from demo.notes import Flags, Notes
from demo.queries import ASPECTS, Queries
from demo.users import SLOTS, Users, weights_on
from demo.world import DAY_US, World, rng_for

_MAX_SHOWN, _MEAN_SHOWN = 24, 8.6
_SHOWN_FROM = (
    0.15,
    0.35,
    0.78,
)  # cumulated: same colour, same style and language, same interest; else popular
_SEARCH_SHARE = 0.4
_LATE_SHARES = (0.006, 0.010)  # cumulated: sessions that arrive one day late, two days late
_FOLLOW_UPS = (0.14, 0.09, 0.03, 0.03)  # of clicks: like, collect, comment, share
_HOURS = (
    0,
    6,
    8,
    12,
    14,
    18,
    20,
    22.5,
    24,
)  # local time by which the shares below of the sessions have begun
_HOUR_SHARES = (0, 0.03, 0.09, 0.27, 0.37, 0.53, 0.68, 0.93, 1)


@dataclass(frozen=True)
class Shelves:
    """What can be met on a day, ready to draw from; and what was there before the first day."""

    by_look: Cells  # key: interest, colour
    by_text: Cells  # key: interest, language, style
    old: Cells  # key: interest, colour; only notes that existed days before the first day


@dataclass(frozen=True)
class Town:
    """All that stays the same from day to day."""

    world: World
    notes: Notes
    users: Users
    queries: Queries
    query_cells: Cells  # key: interest, language
    activity: Floats  # running sum over people, ends at 1


@dataclass(frozen=True)
class Sessions:
    """One entry a session."""

    user: Ids
    start_us: Ids
    delay_days: Ids  # how many days later than it happened it arrives
    interest: Ids
    colour: Ids  # what the user is after: a taste, or what the query asks for
    style: Ids
    query: Ids  # -1 outside search
    num_shown: Ids


@dataclass(frozen=True)
class Rows:
    """One entry a row of the log; `arrived_us` orders the file, `query` is -1 where there is none."""

    user: Ids
    note: Ids
    kind: npt.NDArray[np.int8]  # index into schemas.tables.EVENT_KINDS
    ts_us: Ids
    query: Ids
    arrived_us: Ids

    def take(self, which: Ids | Flags) -> Rows:
        """These rows, in this order."""
        return Rows(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def joined(parts: list[Rows]) -> Rows:
    """All rows of all parts, one part after the other."""
    return Rows(*(np.concatenate([getattr(p, name) for p in parts]) for name in Rows.__dataclass_fields__))


def shelves_of(town: Town, day: int) -> Shelves:
    """The shelves of one day: popularity counts, and what is new counts more for some days."""
    notes, world = town.notes, town.world
    day_end = world.start_us + (day + 1) * DAY_US
    age_days = (day_end - notes.created_us) / DAY_US
    weights = notes.popularity * np.where(
        age_days > 0, 1.0 + 2.0 * np.exp(-np.maximum(age_days, 0.0) / 2.0), 0.0
    )
    old = np.where(notes.created_us < world.start_us - 3 * DAY_US, notes.popularity, 0.0)
    look = notes.interest.astype(np.int64) * len(COLOURS) + notes.colour
    text = (notes.interest.astype(np.int64) * len(LANGUAGES) + notes.language) * NUM_VALUES + notes.values[
        :, 0
    ]
    num_looks = len(INTERESTS) * len(COLOURS)
    num_texts = len(INTERESTS) * len(LANGUAGES) * NUM_VALUES
    return Shelves(
        Cells(look, num_looks, weights), Cells(text, num_texts, weights), Cells(look, num_looks, old)
    )


def rows_per_session(town: Town) -> float:
    """How many rows a session leaves in this world, from a trial of some thousand."""
    rng, day, count = rng_for(town.world.seed, "trial"), town.world.days // 2, 4000
    sessions = draw_sessions(town, day, rng.random(count), rng)
    return len(draw_rows(town, shelves_of(town, day), sessions, day, rng).user) / count


def start_of_day(uniform: Floats) -> Ids:
    """Microseconds since local midnight at which the session of that quantile begins."""
    return (np.interp(uniform, _HOUR_SHARES, _HOURS) / 24.0 * DAY_US).astype(np.int64)


def draw_sessions(town: Town, day: int, quantiles: Floats, rng: np.random.Generator) -> Sessions:
    """Sessions of one day, one for each quantile of the day's time."""
    users, count = town.users, len(quantiles)
    who = np.minimum(np.searchsorted(town.activity, rng.random(count), side="right"), users.num_people - 1)
    reached = np.cumsum(weights_on(users, who, day), axis=1)
    slot = np.minimum((rng.random(count)[:, None] * reached[:, -1:] >= reached).sum(axis=1), SLOTS - 1)
    interest = users.interests[who, slot].astype(np.int64)
    cell = interest * len(LANGUAGES) + users.language[who]
    query = town.query_cells.draw(cell, cell + 1, rng.random(count))
    query = np.where(rng.random(count) < _SEARCH_SHARE, query, -1)
    asked, value = town.queries.aspect[query], town.queries.value[query].astype(np.int64)
    wants_colour = (query >= 0) & (asked == ASPECTS.index("colour"))
    wants_style = (query >= 0) & (asked == ASPECTS.index("style"))
    delay = np.searchsorted(_LATE_SHARES, rng.random(count))
    return Sessions(
        user=who,
        start_us=town.world.start_us + day * DAY_US + start_of_day(quantiles),
        delay_days=np.where(delay < len(_LATE_SHARES), delay + 1, 0),
        interest=interest,
        colour=np.where(wants_colour, value, users.colour[who].astype(np.int64)),
        style=np.where(wants_style, value, users.style[who].astype(np.int64)),
        query=query,
        num_shown=np.minimum(rng.geometric(1.0 / _MEAN_SHOWN, count) + 1, _MAX_SHOWN),
    )


def draw_rows(town: Town, shelves: Shelves, sessions: Sessions, day: int, rng: np.random.Generator) -> Rows:
    """The rows of the log that these sessions leave, in no particular order."""
    which, note = _shown(town, shelves, sessions, rng)
    first = np.flatnonzero(np.diff(which, prepend=-1))
    lengths = np.diff(first, append=len(which))
    position = np.arange(len(which)) - np.repeat(first, lengths)
    is_clicked = rng.random(len(which)) < _click_chance(town, sessions, which, note, position)
    seen_us, clicked_us, left_us = _times(sessions, which, first, is_clicked, rng)
    day_end = town.world.start_us + (day + 1) * DAY_US
    # A session that would run past midnight began earlier, so that all of it arrives on its day.
    last = left_us[first + lengths - 1]
    early = np.repeat(np.maximum(last - day_end + 1_000_000, 0), lengths)
    parts = [_rows(sessions, which, note, 0, seen_us - early)]
    clicked = np.flatnonzero(is_clicked)
    parts.append(_rows(sessions, which[clicked], note[clicked], 1, (clicked_us - early)[clicked]))
    for kind, share in enumerate(_FOLLOW_UPS, start=2):
        done = clicked[rng.random(len(clicked)) < share]
        part_of_stay = rng.uniform(0.1, 0.95, len(done))
        ts = clicked_us[done] + (part_of_stay * (left_us[done] - clicked_us[done])).astype(np.int64)
        parts.append(_rows(sessions, which[done], note[done], kind, ts - early[done]))
    return joined(parts)


def _shown(town: Town, shelves: Shelves, s: Sessions, rng: np.random.Generator) -> tuple[Ids, Ids]:
    """What every session shows, as (session, note) in order, no note twice in a session."""
    which = np.repeat(np.arange(len(s.user)), s.num_shown)
    count, interest = len(which), s.interest[which]
    source = np.searchsorted(_SHOWN_FROM, rng.random(count), side="right")
    uniform = rng.random((4, count))
    looks, first_look = len(COLOURS), interest * len(COLOURS)
    text = (interest * len(LANGUAGES) + town.users.language[s.user[which]]) * NUM_VALUES + s.style[which]
    look = first_look + s.colour[which]
    of_look = shelves.by_look.draw(look, look + 1, uniform[0])
    of_text = shelves.by_text.draw(text, text + 1, uniform[0])
    note = np.select([source == 0, source == 1], [of_look, of_text], -1)
    of_interest = shelves.by_look.draw(first_look, first_look + looks, uniform[1])
    note = np.where((note < 0) & (source < 3), of_interest, note)
    everything = np.zeros(count, dtype=np.int64), np.full(count, len(INTERESTS) * looks)
    note = np.where(note < 0, shelves.by_look.draw(*everything, uniform[2]), note)
    # Nobody meets a note before it exists: take one that existed long before, or nothing.
    happened_us = (s.start_us - s.delay_days * DAY_US)[which]
    is_early = town.notes.created_us[note] > happened_us - 3_600_000_000
    note = np.where(is_early, shelves.old.draw(first_look, first_look + looks, uniform[3]), note)
    _, kept = np.unique(which * (len(town.notes) + 1) + note + 1, return_index=True)
    kept = np.sort(kept[note[kept] >= 0])
    return which[kept], note[kept]


def _click_chance(town: Town, s: Sessions, which: Ids, note: Ids, position: Ids) -> Floats:
    """The chance of a click for everything shown: a logistic model of what matches, and the position."""
    notes, users, who = town.notes, town.users, s.user[which]
    logit = -3.8 - 0.06 * position
    for is_match, gain in (
        (notes.interest[note] == s.interest[which], 2.9),
        (notes.colour[note] == s.colour[which], 1.6),
        (notes.pattern[note] == users.pattern[who], 1.0),
        (notes.values[note, 0] == s.style[which], 0.8),
        (notes.price[note] == users.price[who], 0.3),
        (notes.language[note] == users.language[who], 0.5),
    ):
        logit = logit + gain * is_match
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)


def _times(
    s: Sessions, which: Ids, first: Ids, is_clicked: Flags, rng: np.random.Generator
) -> tuple[Ids, Ids, Ids]:
    """When everything was seen, clicked (if it was) and left, in microseconds."""
    look = 900_000 + (rng.exponential(2.6, len(which)) * 1e6).astype(np.int64)
    stay = (np.clip(rng.lognormal(3.0, 0.8, len(which)), 2.0, 120.0) * 1e6).astype(np.int64)
    spent = look + np.where(is_clicked, stay, 0)
    before = np.cumsum(spent) - spent
    lengths = np.diff(first, append=len(which))
    seen = s.start_us[which] + before - np.repeat(before[first], lengths)
    clicked = seen + (look * rng.uniform(0.3, 0.98, len(which))).astype(np.int64)
    return seen, clicked, seen + spent


def _rows(s: Sessions, which: Ids, note: Ids, kind: int, arrived_us: Ids) -> Rows:
    ts_us = arrived_us - s.delay_days[which] * DAY_US
    return Rows(s.user[which], note, np.full(len(note), kind, np.int8), ts_us, s.query[which], arrived_us)
