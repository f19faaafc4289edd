"""The users of a world: what they like, how active they are, and the profile that a shop would know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from demo.catalogue import COLOURS, NUM_VALUES, PATTERNS, PRICES
from demo.interests import INTERESTS
from demo.notes import Small, interest_weights
from demo.world import World, rng_for
from schemas.tables import RAW_USERS

CHUNK = 65_536
SLOTS = 4  # interests of a user, at most
_SLOT_SHARES = (0.35, 0.35, 0.20, 0.10)  # users with one, two, three, four interests
_SLOT_WEIGHTS = (1.0, 0.35, 0.15, 0.08)  # of a user's interests, the first the strongest; scaled to sum to 1
_DRIFT_SHARE = 0.15  # users whose weakest interest becomes the strongest on some day
_ACTIVITY_SIGMA = 0.8  # of the log-normal activity
_AGES = ("under-18", "18-24", "25-34", "35-44", "45-54", "55+")
_AGE_SHARES = (0.05, 0.30, 0.35, 0.18, 0.08, 0.04)


@dataclass(frozen=True)
class Users:
    """One entry a user in every array; robots come after the people and have no tastes."""

    interests: npt.NDArray[np.int16]  # (people, SLOTS), -1 where there is none
    weights: npt.NDArray[np.float32]  # (people, SLOTS), sums to 1
    drift_day: npt.NDArray[np.int16]  # -1 where there is no drift
    colour: Small
    pattern: Small
    style: Small
    price: Small
    language: Small
    activity: npt.NDArray[np.float64]
    num_robots: int

    @property
    def num_people(self) -> int:
        """How many are no robots."""
        return len(self.colour)

    @property
    def total(self) -> int:
        """People and robots."""
        return self.num_people + self.num_robots


def user_id(user: int) -> str:
    """The opaque id of a user."""
    return f"u{user:09d}"


def draw_users(world: World) -> Users:
    """All users, drawn in chunks so that memory stays bounded."""
    chunks = [_draw_chunk(world, start) for start in range(0, world.users, CHUNK)]
    interests, weights, drift, tastes, activity = (np.concatenate(part) for part in zip(*chunks, strict=True))
    colour, pattern, style, price, language = np.ascontiguousarray(tastes.T)
    robots = max(3, world.users // 500)
    return Users(interests, weights, drift, colour, pattern, style, price, language, activity, robots)


def _draw_chunk(world: World, start: int) -> tuple[npt.NDArray[np.generic], ...]:
    rng, count = rng_for(world.seed, "users", 0, start // CHUNK), min(CHUNK, world.users - start)
    # Gumbel top-k: the k largest of log(weight) + noise are a draw without replacement.
    keys = np.log(interest_weights(world.seed)) + rng.gumbel(size=(count, len(INTERESTS)))
    interests = np.argsort(-keys, axis=1, kind="stable")[:, :SLOTS].astype(np.int16)
    num_slots = rng.choice(SLOTS, count, p=_SLOT_SHARES) + 1
    is_used = np.arange(SLOTS) < num_slots[:, None]
    weights = np.where(is_used, np.array(_SLOT_WEIGHTS), 0.0) * rng.uniform(0.8, 1.25, (count, SLOTS))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    drifts = (rng.random(count) < _DRIFT_SHARE) & (num_slots > 1)
    drift = np.where(drifts, rng.integers(0, world.days, count), -1).astype(np.int16)
    limits = (len(COLOURS), len(PATTERNS), NUM_VALUES, len(PRICES))
    tastes = [rng.integers(0, limit, count, dtype=np.int8) for limit in limits]
    tastes.append((rng.random(count) < 0.6).astype(np.int8))
    activity = rng.lognormal(0.0, _ACTIVITY_SIGMA, count)
    return (
        np.where(is_used, interests, -1).astype(np.int16),
        weights,
        drift,
        np.stack(tastes, axis=1),
        activity,
    )


def weights_on(users: Users, who: npt.NDArray[np.int64], day: int) -> npt.NDArray[np.float32]:
    """The weights of these users' interests on one day, (users, SLOTS): turned round after a drift."""
    weights = users.weights[who]
    has_drifted = (users.drift_day[who] >= 0) & (users.drift_day[who] <= day)
    num_slots = (weights > 0).sum(axis=1)
    turned = (num_slots[:, None] - 1 - np.arange(SLOTS)) % SLOTS
    return np.where(has_drifted[:, None], np.take_along_axis(weights, turned, axis=1), weights)


def write_users(world: World, users: Users, folder: Path) -> None:
    """Write the profiles as one Parquet file; every field but the id is sometimes left out."""
    folder.mkdir(parents=True)
    with pq.ParquetWriter(
        folder / "part-00000.parquet", RAW_USERS.arrow_schema(), compression="zstd"
    ) as writer:
        for start in range(0, users.total, CHUNK):
            writer.write_table(_profiles(world, users, start))


def _profiles(world: World, users: Users, start: int) -> pa.Table:
    """The profiles of one chunk: baby things hint at children, dresses and make-up at women, both loosely."""
    rng, count = rng_for(world.seed, "users", 1, start // CHUNK), min(CHUNK, users.total - start)
    first = np.full(count, -1)
    people = users.interests[start : start + count, 0]
    first[: len(people)] = people
    category = np.array([interest.category for interest in INTERESTS] + [-1])[first]
    is_female = rng.random(count) < np.where(np.isin(category, [1, 2]), 0.85, 0.5)
    age = rng.choice(len(_AGES), count, p=_AGE_SHARES)
    is_married = rng.random(count) < np.array((0.0, 0.1, 0.45, 0.75, 0.8, 0.8))[age]
    has_children = rng.random(count) < np.where(category == 7, 0.9, np.where(is_married, 0.55, 0.04))
    known = rng.random((count, 4)) < (0.92, 0.88, 0.6, 0.6)
    columns = [
        [user_id(user) for user in range(start, start + count)],
        pa.array(["male", "female"]).take(pa.array(is_female.astype(np.int8), mask=~known[:, 0])),
        pa.array(_AGES).take(pa.array(age, mask=~known[:, 1])),
        pa.array(["single", "married"]).take(pa.array(is_married.astype(np.int8), mask=~known[:, 2])),
        pa.array(has_children, mask=~known[:, 3]),
    ]
    return pa.table(columns, schema=RAW_USERS.arrow_schema())
