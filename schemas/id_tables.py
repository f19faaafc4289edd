"""The table of the semantic IDs' health. `schemas/tables.py` lists it after the table it is about."""

from __future__ import annotations

from typing import NamedTuple

from schemas.table import Column, Metric, Table


class Figure(NamedTuple):
    """The unit of a figure and what it means."""

    unit: str
    meaning: str


# Of a whole index (level 0).
WHOLE = {
    "notes": Figure("notes", "notes of the day"),
    "ids": Figure("ids", "different IDs by their codes alone"),
    "unique_rate": Figure("share", "different IDs over notes: also the Hit@1 of a perfect model, all notes alike"),
    "separable_unique_rate": Figure("share", "different IDs over notes, those of one text and ID counted once"),
    "shared_share": Figure("share", "notes whose codes another note has too"),
    "irreducible_share": Figure("share", "notes that share their codes with a note of the same text"),
    "avoidable_share": Figure("share", "notes that share their codes with notes of other texts only"),
    "distinct_shared_share": Figure("share", "of the notes whose text no other has, those that share their codes"),
    "largest_group": Figure("notes", "notes that have the fullest ID's codes"),
    "gini_of_ids": Figure("share", "Gini coefficient of notes per ID: 0 where all IDs have equally many"),
    "notes_alone": Figure("notes", "notes that have their codes alone"),
    "notes_in_twos": Figure("notes", "notes in IDs of two"),
    "notes_in_threes_fours": Figure("notes", "notes in IDs of three or four"),
    "notes_in_fives_to_nines": Figure("notes", "notes in IDs of five to nine"),
    "notes_in_tens": Figure("notes", "notes in IDs of ten or more"),
    "clicked_hit1_cap": Figure("share", "the same Hit@1, notes asked for as often as they were clicked after another"),
    "explained_share": Figure("explained", "variance of the vectors that the codes explain, over all; may be below 0"),
    "pairs": Figure("pairs", "pairs of the week of which both notes are of the day"),
    "churn_kept": Figure("notes", "notes that had an ID of the generation before"),
    "churn_new": Figure("notes", "notes that had none"),
    "churn_gone": Figure("notes", "notes that had one and are gone"),
    "churn_id": Figure("share", "of the kept, those whose ID changed, tie-break included"),
}
# Of one level.
OF_LEVEL = {
    "codes": Figure("codes", "size of the codebook"),
    "codes_used": Figure("codes", "codes that some note has"),
    "dead_codes": Figure("codes", "codes that no note has"),
    "perplexity": Figure("codes", "2 to the entropy: as many codes, used evenly, would say as much"),
    "gini": Figure("share", "Gini coefficient of notes per code, dead codes counted in"),
    "entropy": Figure("bits", "what the level says by itself"),
    "conditional_entropy": Figure("bits", "what it adds to the codes before it"),
    "room": Figure("bits", "the most that it could add: its codebook, or what is left to tell the notes apart"),
}
# Of the first codes up to a level.
OF_PREFIX = {
    "prefix_share": Figure("share", "pairs, by score, whose notes share these codes"),
    "prefix_chance": Figure("share", "the same of two notes drawn by their weight in the pairs"),
    "prefix_lift": Figure("times", "share over chance"),
    "category_share": Figure("share", "control: pairs whose notes share as many steps of the category path"),
    "category_chance": Figure("share", "the control's chance"),
    "category_lift": Figure("times", "the control's share over its chance"),
    "churn_prefix": Figure("share", "of the notes kept from the generation before, those whose first codes changed"),
}
FIGURES = {**WHOLE, **OF_LEVEL, **OF_PREFIX}
UNITS = tuple(sorted({figure.unit for figure in FIGURES.values()}))

ID_HEALTH = Table(
    "id_health",
    1,
    "figure about the semantic IDs of the day, as a whole, of a level, or of the first codes",
    (
        Column("generation", "string", "the quantizer that made the codes"),
        Column(
            "level",
            "int",
            "0: the IDs as a whole; from 1: the level, or for prefix_, category_ and churn_prefix the first so many codes",
            between=(0, 26),
        ),
        Column("metric", "string", "which figure: schemas/id_tables.py says what each means", one_of=tuple(FIGURES)),
        Column("value", "double", "the figure; one that there is nothing to compute from has no row"),
        Column("unit", "string", "what it counts; a share is from 0 to 1", one_of=UNITS),
    ),
    key=("generation", "level", "metric"),
    metrics=(
        Metric(
            "notes_uncounted",
            "notes of semantic_ids less the notes that the figures are about",
            "select (select count(*) from semantic_ids) - coalesce((select sum(value) from this where metric = 'notes'), 0)",
            at_least=0,
            at_most=0,
            reads=("semantic_ids",),
        ),
        Metric(
            "foreign_generations",
            "figures of a generation that semantic_ids of the day is not of",
            "select count(*) from this anti join semantic_ids using (generation)",
            at_most=0,
            reads=("semantic_ids",),
        ),
        Metric(
            "levels_without_perplexity",
            "levels of semantic_ids less levels that have their figures",
            "select coalesce((select max(len(codes)) from semantic_ids), 0) - "
            "(select count(*) from this where metric = 'perplexity')",
            at_least=0,
            at_most=0,
            reads=("semantic_ids",),
        ),
        Metric(
            "impossible_values",
            "values that are not finite, shares outside 0 to 1, counts below 0",
            "select count(*) from this where not isfinite(value) or (unit = 'share' and value not between 0 and 1) "
            "or (unit <> 'explained' and value < 0)",
            at_most=0,
        ),
        Metric(
            "perplexity_above_codes",
            "levels whose perplexity is above their number of codes in use",
            "select count(*) from (from this where metric = 'perplexity') p join (from this where metric = 'codes_used') u "
            "using (level) where p.value > u.value + 1e-6",
            at_most=0,
        ),
    ),
)
ID_TABLES = (ID_HEALTH,)
