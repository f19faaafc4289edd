"""Misspellings: a tag that differs from a far more frequent one by one edit inside one long word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MIN_CHARACTERS = 8  # below, one letter makes another word: cat and hat, linen and liner
RATIO = 4  # a misspelling is that much rarer than the word


class Typos:
    """Canonical tags by the neighbourhood of their long words."""

    def __init__(self, tags: Iterable[tuple[str, int]] = ()) -> None:
        self._near: dict[tuple[int, tuple[str, ...], str], list[tuple[int, str]]] = {}
        for tag, num_notes in tags:
            self.add(tag, num_notes)

    def add(self, tag: str, num_notes: int) -> None:
        for place in _places(tag):
            self._near.setdefault(place, []).append((-num_notes, tag))

    def twin(self, surface: str, num_notes: int) -> str | None:
        """The most frequent tag that a surface may be a misspelling of; None where there is none."""
        near = {entry for place in _places(surface) for entry in self._near.get(place, ())}
        fits = [e for e in sorted(near) if -e[0] >= RATIO * num_notes and is_typo(surface, e[1])]
        return fits[0][1] if fits else None


def _places(surface: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Keys of which two surfaces share one wherever one long word of theirs differs by one edit (Garbe's SymSpell)."""
    words = surface.split(" ")
    for at, word in enumerate(words):
        if len(word) >= MIN_CHARACTERS - 1 and word.isascii() and word.isalpha():
            rest = (*words[:at], "", *words[at + 1 :])
            for cut in {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}:
                yield at, rest, cut


def is_typo(left: str, right: str) -> bool:
    """Whether two surfaces differ by one edit inside one long word; its first and last letter make other words
    (typical and atypical, recycled and recycler)."""
    one, other = left.split(" "), right.split(" ")
    if len(one) != len(other):
        return False
    unequal = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(unequal) != 1:
        return False
    a, b = unequal[0]
    is_long = max(len(a), len(b)) >= MIN_CHARACTERS and (a + b).isascii() and (a + b).isalpha()
    return is_long and a[0] == b[0] and a[-1] == b[-1] and _is_one_edit(a, b)


def _is_one_edit(a: str, b: str) -> bool:
    """One letter added, left out or replaced, or two neighbours swapped."""
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    is_swapped = a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]
    return is_swapped or a[at + 1 :] in (b[at + 1 :], b[at:]) or a[at:] == b[at + 1 :]
