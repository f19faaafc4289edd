"""What a recommender's figures and its lists promise: comparable arms over floors, whole lists of notes that are there."""

from __future__ import annotations

from schemas.expectations import coverage
from schemas.table import Metric

FIGURE_METRICS = (
    Metric(
        "figures_without_floor",
        "recommenders with a neural figure and none of the counting baselines",
        "select count(*) from (select recommender from this group by recommender "
        "having not bool_or(arm = 'popularity') or not bool_or(arm = 'markov_knn'))",
        at_most=0,
    ),
    Metric(
        "outside_interval",
        "figures that are outside their own interval",
        "select count(*) from this where value < low - 1e-9 or value > high + 1e-9",
        at_most=0,
    ),
    Metric(
        "falling_figures",
        "hit rates and NDCGs of a longer list below those of a shorter one",
        "select count(*) from this a join this b using (recommender, arm, slice, metric) "
        "where metric <> 'valid_ids' and b.k > a.k and b.value < a.value - 1e-9",
        at_most=0,
    ),
    Metric(
        "ndcg_above_hit_rate",
        "NDCGs above the hit rate of the same list",
        "select count(*) from this a join this b using (recommender, arm, slice, k) "
        "where b.metric = replace(a.metric, 'hr', 'ndcg') and a.metric <> b.metric and b.value > a.value + 1e-9",
        at_most=0,
    ),
    Metric(
        "uneven_arms",
        "recommenders whose arms were not judged on the same answers",
        "select count(*) from (select recommender, slice from this group by recommender, slice "
        "having count(distinct num_cases) > 1)",
        at_most=0,
    ),
)
LIST_METRICS = (
    coverage("notes", at_least=1.0),
    coverage("semantic_ids", at_least=1.0),
    Metric(
        "users_without_list",
        "active users of the window less users with a list",
        "select num_active_users - (select count(distinct user_id) from this) from counts",
        at_least=0,
        at_most=0,
    ),
    Metric(
        "repeated_notes",
        "notes that stand twice in a user's list",
        "select count(*) - count(distinct (user_id, note_id)) from this",
        at_most=0,
    ),
    Metric(
        "rank_gaps",
        "users whose ranks are not 1, 2, 3, ...",
        "select count(*) from (select user_id from this group by user_id having max(rank) <> count(*))",
        at_most=0,
    ),
    Metric(
        "unordered_scores",
        "notes that score above the one before them from the same source",
        "select count(*) from this a join this b on a.user_id = b.user_id and b.rank = a.rank + 1 "
        "where a.source = b.source and b.score > a.score + 1e-9",
        at_most=0,
    ),
    Metric(
        "scores_not_finite",
        "scores that are no number",
        "select count(*) from this where not isfinite(score)",
        at_most=0,
    ),
    Metric(
        "short_lists",
        "users with fewer notes than asked for though the catalogue has more that are not masked",
        "select count(*) from (select user_id from this group by user_id having count(*) < "
        "(select least(num_top, (select count(*) from semantic_ids) - num_masked) from counts))",
        at_most=0,
        reads=("semantic_ids",),
    ),
    Metric(
        "other_ids",
        "rows whose semantic_id is not the note's of the day",
        "select count(*) from this join semantic_ids s using (note_id) where this.semantic_id <> s.semantic_id",
        at_most=0,
        reads=("semantic_ids",),
    ),
    Metric(
        "worse_source_first",
        "notes that fill a list up and stand before one of a better source",
        "select count(*) from this a join this b on a.user_id = b.user_id and b.rank = a.rank + 1 "
        "where a.source = 'popular' and b.source <> 'popular'",
        at_most=0,
    ),
    Metric(
        "sources_without_recommender",
        "rows of a recommender that was none, and of neighbours beside one that was",
        "select count(*) from this where (source = 'generative' and recommender = '') "
        "or (source = 'neighbours' and recommender <> '')",
        at_most=0,
    ),
    Metric(
        "recommenders",
        "recommenders in one partition",
        "select count(distinct recommender) from this",
        at_most=1,
    ),
    Metric(
        "users_against_last",
        "users with a list over those of the last published partition",
        "select (select count(distinct user_id) from this) / "
        "greatest((select count(distinct user_id) from previous), 1)",
        at_least=0.2,
        at_most=5.0,
    ),
)
