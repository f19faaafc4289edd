"""The table of a recommenders' benchmark: figures with intervals, paired differences, and whether the bars hold.

In: what every arm earned on the same test answers. All figures are per cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.recommend_kept import Arm
from benchmarks.recommend_plan import DEPLOYED, FREE, REFIT, Plan
from benchmarks.report import write
from models.recommend.intervals import Difference, difference, interval
from models.recommend.ranking import KS

BASES = {"floor": "markov_knn", "sasrec": "sasrec", "scorer": "counts_content"}
MAX_WAIT = 0.05
SHOWN = ("shared_ids", "epoch", "is_cut", "cpu_s", "peak_mib", "input_wait")
Ends = tuple[float, float, float]


def figures(arm: Arm) -> np.ndarray:
    """figure_QM: HR and NDCG at all lengths."""
    return np.concatenate([arm.test.hr_QK, arm.test.ndcg_QK], axis=1)


def names() -> list[str]:
    return [f"{metric}{k}" for metric in ("hr", "ndcg") for k in KS]


def intervals(arms: Mapping[str, Arm], user_Q: np.ndarray, seed: int) -> dict[str, dict[str, Ends]]:
    """Of every arm and figure its mean and the ends of its interval."""
    together_QM = np.concatenate([figures(arm) for arm in arms.values()], axis=1)
    found = (100 * np.stack(interval(together_QM, user_Q, seed=seed))).round(2).T
    told, width = {}, len(names())
    for at, arm in enumerate(arms):
        rows = found[at * width : (at + 1) * width].tolist()
        told[arm] = {name: tuple(row) for name, row in zip(names(), rows, strict=True)}
    return told


def differences(
    arms: Mapping[str, Arm], base: str, user_Q: np.ndarray, seed: int
) -> dict[str, dict[str, tuple[float, ...]]]:
    """Of every arm less a base: HR@10 and NDCG@10, the ends of the interval, the share of the bootstrap above 0."""
    at = [names().index(name) for name in ("hr10", "ndcg10")]
    together_QM = np.concatenate([figures(arm)[:, at] for arm in arms.values()], axis=1)
    base_QM = np.tile(figures(arms[base])[:, at], (1, len(arms)))
    less: Difference = difference(together_QM, base_QM, user_Q, seed=seed)
    rows = np.stack([*(100 * np.stack(less[:3])).round(2), less.above_M.round(3)]).T.tolist()
    return {
        arm: {"hr10": tuple(rows[2 * place]), "ndcg10": tuple(rows[2 * place + 1])}
        for place, arm in enumerate(arms)
    }


def tell(name: str, arms: Mapping[str, Arm], user_Q: np.ndarray, plan: Plan, source: str, seed: int) -> None:
    """Show and write what all arms earned."""
    ends = intervals(arms, user_Q, seed)
    bases = {**BASES, "alike": plan.alike}
    less = {short: differences(arms, base, user_Q, seed) for short, base in bases.items() if base in arms}
    at_10 = KS.index(10)
    rows = []
    for arm, earned in arms.items():
        row: dict[str, Any] = {
            "arm": arm,
            "valid_ndcg10": round(100 * earned.valid.ndcg_QK[:, at_10].mean(), 2),
        }
        row |= {figure: ends[arm][figure][0] for figure in names()}
        row |= {f"{figure}_95": "{1:.2f}-{2:.2f}".format(*ends[arm][figure]) for figure in ("hr10", "ndcg10")}
        for short, told in less.items():
            row[f"less_{short}"] = "{:+.2f} ({:+.2f} to {:+.2f})".format(*told[arm]["ndcg10"][:3])
        row["id_hr10"] = earned.of_ids and round(100 * earned.of_ids.hr_QK[:, at_10].mean(), 2)
        rows.append(row | {fact: earned.facts.get(fact) for fact in SHOWN})
    write(
        name,
        rows,
        bars=bars(plan, ends, less, arms),
        command=f"python -m benchmarks.{name} --source {source} --cache DIR",
        packages=("numpy", "scipy", "torch", "transformers"),
        intervals=ends,
        differences=less,
        facts={arm: earned.facts for arm, earned in arms.items()},
        not_run=[arm for arm in plan.arms if arm not in arms],
        valid_users=plan.valid_users,
        seed=seed,
    )


def bars(
    plan: Plan,
    ends: Mapping[str, Mapping[str, Ends]],
    less: Mapping[str, Mapping[str, Mapping[str, tuple[float, ...]]]],
    arms: Mapping[str, Arm],
) -> dict[str, bool]:
    """What others report is passed; the generator is not below SASRec; what each part adds is more than noise."""
    first, deployed = plan.first, plan.first + DEPLOYED
    found: dict[str, bool] = {}
    for words, (arm, figure, least) in plan.reported.items():
        if arm in arms:
            figure, is_clear = figure.removesuffix(", whole interval"), figure.endswith("whole interval")
            found[f"{arm}: {words}"] = ends[arm][figure][1 if is_clear else 0] > least
    for arm in (first, deployed):
        if arm in arms and "sasrec" in less:
            low, high = less["sasrec"][arm]["ndcg10"][1:3]
            found[f"{arm}: NDCG@10 not below our SASRec's beyond noise"] = high >= 0
            found[f"{arm}: NDCG@10 above our SASRec's beyond noise"] = low > 0
    if deployed in arms and "floor" in less:
        found[f"{deployed}: NDCG@10 above the count floor's beyond noise"] = (
            less["floor"][deployed]["ndcg10"][1] > 0
        )
    if deployed in arms and "scorer" in less:
        found[f"{deployed}: the network adds NDCG@10 to counts and content beyond noise"] = (
            less["scorer"][deployed]["ndcg10"][1] > 0
        )
    for arm in (name for name in arms if name.startswith("ids: ") and not name.endswith(FREE)):
        if "alike" in less:
            high = less["alike"][arm]["ndcg10"][2]
            found[f"{plan.alike}: its IDs give more NDCG@10 than {arm} beyond noise"] = high < 0
    waits = {arm: earned.facts.get("input_wait") for arm, earned in arms.items() if not arm.endswith(REFIT)}
    told = [wait for wait in waits.values() if wait is not None]
    if told:
        found["training waits for data less than 5 % of its time, in every arm"] = max(told) < MAX_WAIT
    return found
