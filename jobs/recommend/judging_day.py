"""All figures of a recommender on a day: every arm, the differences that the gate asks for, examples for the page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from jobs.artifact import Artifacts
from jobs.config import Config
from jobs.ids.catalogue_trie import CatalogueTrie, trie_of
from jobs.lake import Lake, LakeError
from jobs.recommend.arms import (
    Judging,
    counting_arms,
    decoded,
    decoded_arms,
    deployed_arm,
    listed,
    parts_of,
    scored,
    timed,
)
from jobs.recommend.content_neighbours import ContentNotes, at_places, make_content, open_content
from jobs.recommend.examples_shown import examples_of, places_of, shown_cases
from jobs.recommend.grounded import grounded
from jobs.recommend.held_out import HeldOut, held_out, training_sequences
from jobs.recommend.judged_arms import Earned, figures_of, gained
from jobs.recommend.note_facts import note_facts
from jobs.recommend.promotions import KIND
from jobs.recommend.recommender import load_recommender
from jobs.recommend.recommender_gate import (
    MARKOV,
    POPULARITY,
    SCORER,
    not_compared,
    scorer_alone,
    shortfalls,
    worse_than_current,
)
from jobs.recommend.sasrec_baseline import sasrec_of
from jobs.recommend.sasrec_training import Recipe
from jobs.recommend.search import Leaves, Search, search_of
from jobs.recommend.settings import Recommend
from jobs.staging import Plan
from models.recommend.ranking import KS
from models.recommend.sequences import PAD, Sequences

MAX_CHOOSING = 4096  # users that say when SASRec has learned enough
log = logging.getLogger("notemill")


def judged_day(lake: Lake, config: Config, plan: Plan) -> dict[str, Any]:
    """The facts of `figures.json`. Raises `LakeError` where a table, the trie or a recommender is not whole."""
    torch.set_num_threads(1)  # bits must not depend on the number of cores
    settings, day = config.recommend, plan.day
    catalogue = trie_of(lake, day, plan.artifacts["quantizer"])
    held = _held_out(lake, plan, catalogue, settings, plan.params["part"], settings.max_judged)
    judging = Judging(held, catalogue, settings)
    log.info(
        "evaluate_recommender ds=%s: %d answers of %d users", day, len(held.user_ids), len(set(held.user_ids))
    )
    sequences = training_sequences(lake, day, catalogue, settings.split)
    content = open_content(lake, make_content(lake, day, plan.reads))
    search = search_of(
        load_recommender(lake, plan.artifacts["recommender"]), catalogue, content, settings.content
    )
    earned, lists = _earned(lake, plan, judging, sequences, search, content)
    shown, targets = shown_cases(judging, lists), held.cases.target_Q
    notes = note_facts(lake, day, catalogue, places_of(shown) | set(targets[targets != PAD].tolist()))
    facts = _facts(plan, judging, earned, search)
    facts["current"] = _beside_current(lake, plan, judging, earned[facts["deployed"]], content)
    facts["figures"] = figures_of(earned, held.user_Q, parts_of(judging, sequences, notes), settings.seed)
    facts["examples"] = examples_of(shown, notes)
    reasons = [*shortfalls(facts), scorer_alone(facts), *worse_than_current(facts), not_compared(facts)]
    return {**facts, "remarks": [words for words in reasons if words]}


def _held_out(
    lake: Lake, plan: Plan, catalogue: CatalogueTrie, settings: Recommend, part: str, max_users: int
) -> HeldOut:
    split, length = settings.split, settings.history
    return held_out(lake, plan.day, catalogue, split=split, part=part, max_users=max_users, length=length)


def _earned(
    lake: Lake,
    plan: Plan,
    judging: Judging,
    sequences: Sequences,
    search: Search,
    content: ContentNotes | None,
) -> tuple[dict[str, Earned], Leaves]:
    """What every arm earns, and the lists of the deployed one."""
    earned, lists, free = decoded_arms(judging, search)
    earned |= counting_arms(judging, sequences, at_places(content, judging.catalogue))
    earned |= _sasrec(lake, plan, judging, sequences)
    moved = grounded(lake, plan.artifacts["quantizer"], judging.catalogue.trie, free, max(KS))
    if moved:
        earned["free_grounded"] = timed("free_grounded", lambda: listed(judging, moved))
    return earned, lists


def _facts(plan: Plan, judging: Judging, earned: Mapping[str, Earned], search: Search) -> dict[str, Any]:
    held, settings = judging.held, judging.settings
    arm = deployed_arm(settings)
    deployed = earned[arm]
    assert deployed.valid_Q is not None  # of an arm that decodes
    less = {
        floor: gained(deployed, earned[floor], held.user_Q, settings.seed)
        for floor in (POPULARITY, MARKOV, SCORER)
        if floor in earned
    }
    return {
        "recommender": plan.artifacts["recommender"],
        "day": plan.day,
        "split": f"{settings.split}, {plan.params['part']}",
        "num_cases": len(held.user_ids),
        "num_users": len(set(held.user_ids)),
        "deployed": arm,
        "guidance": settings.guidance,
        "content": settings.content,
        "num_beams": deployed.num_beams,
        "exclude_seen": settings.exclude_seen,
        "valid_ids": float(deployed.valid_Q.mean()),
        "deployed_less": less,
        "curve": search.recommender.manifest.get("curve", []),
    }


def _sasrec(lake: Lake, plan: Plan, judging: Judging, sequences: Sequences) -> dict[str, Earned]:
    settings, catalogue = judging.settings, judging.catalogue
    valid = _held_out(lake, plan, catalogue, settings, "valid", MAX_CHOOSING)
    recipe = Recipe(exclude_seen=settings.exclude_seen, seed=settings.seed)
    reads = {**plan.reads, "split": settings.split}
    num_items = catalogue.trie.num_notes
    network = sasrec_of(lake, reads, sequences, valid.cases, num_items, settings.history, recipe)
    return {} if network is None else {"sasrec": timed("sasrec", lambda: scored(judging, network.scores))}


def _beside_current(
    lake: Lake, plan: Plan, judging: Judging, deployed: Earned, content: ContentNotes | None
) -> dict[str, Any] | None:
    """The current recommender on the same answers, where it speaks the same codes; None where there is no other one."""
    current = plan.artifacts["current"]
    if not current:
        return None
    speaks = Artifacts(lake, KIND).manifest(current)["quantizer"]
    if speaks != plan.artifacts["quantizer"]:
        why = (
            f"the current recommender {current} speaks codes of quantizer {speaks}, this one of "
            f"{plan.artifacts['quantizer']}: it cannot be judged on the same answers, and its recorded figures are not "
            "comparable"
        )
        return {"recommender": current, "why": why}
    try:
        search = search_of(
            load_recommender(lake, current), judging.catalogue, content, judging.settings.content
        )
    except LakeError as error:  # a damaged one must not stand in the way of the one that takes its place
        return {"recommender": current, "why": f"the current recommender {current} cannot be judged: {error}"}
    theirs = timed(
        "current", lambda: listed(judging, decoded(deployed_arm(judging.settings), judging, search))
    )
    difference = gained(deployed, theirs, judging.held.user_Q, judging.settings.seed)
    return {"recommender": current, "difference": difference}
