"""A page of the User Interest Handbook: the interest dimensions that guide how a category's notes are tagged.

TagLLM (arXiv 2603.21481) names the handbook and its aim, to capture what users care about across note categories; what
is in a page is ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

SEPARATOR = " > "


@dataclass(frozen=True)
class Dimension:
    """One aspect that users of a category act on: its name, what it means, and values that were seen."""

    name: str
    definition: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The dimensions of one category path, those users act on most first."""

    category: str
    dimensions: tuple[Dimension, ...]

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that stand for the page's content."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def category_key(path: Sequence[str]) -> str:
    """A category path as one text, such as `Home > Furniture`; the empty path is the root, `""`."""
    return SEPARATOR.join(path)


def page_for(pages: Mapping[str, Page], path: Sequence[str]) -> Page | None:
    """The page of a category, else that of its nearest ancestor, the root last; None where there is none at all."""
    for depth in range(len(path), -1, -1):
        page = pages.get(category_key(path[:depth]))
        if page is not None:
            return page
    return None


def page_version(pages: Mapping[str, Page], path: Sequence[str]) -> str:
    """The version of the page that guides a category; empty where there is none."""
    page = page_for(pages, path)
    return page.version if page else ""
