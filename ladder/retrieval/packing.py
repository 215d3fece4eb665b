"""What was selected, put into the prompt: overlaps merged, within a budget, in an order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ladder.evidence import Order
from ladder.samples.rows import Document


def merged(documents: Sequence[Document]) -> list[Document]:
    """Join passages that overlap or touch in their document, each at its best place.

    Passages know where they begin, so what two of them share is said once, at no model's cost.

    Args:
        documents: best first.
    """
    kept: list[Document] = []
    for document in documents:
        joined, place = document, len(kept)
        # Once longer, it may reach a third one that neither of the two reached.
        while (at := _touching(kept, joined)) is not None:
            joined, place = _union(kept.pop(at), joined), min(at, place)
        kept.insert(place, joined)
    return kept


def _touching(kept: Sequence[Document], new: Document) -> int | None:
    for at, old in enumerate(kept):
        same = old.cut_from and old.cut_from == new.cut_from
        if same and old.start <= _end(new) and new.start <= _end(old):
            return at
    return None


def _union(one: Document, other: Document) -> Document:
    first, second = sorted((one, other), key=lambda document: document.start)
    beyond = second.text[max(0, _end(first) - second.start) :]
    return replace(first, text=first.text + beyond)


def _end(document: Document) -> int:
    return document.start + len(document.text)


def within(documents: Sequence[Document], most: int, size: Callable[[str], int]) -> list[Document]:
    """Keep the best documents that fit together; one that does not fit ends the list.

    Args:
        documents: best first.
        most: the budget, in what `size` counts.
        size: of a text, e.g. in tokens.
    """
    kept, total = [], 0
    for document in documents:
        total += size(f"{document.title} {document.text}")
        if total > most:
            break
        kept.append(document)
    return kept


def ordered(documents: Sequence[Document], order: Order) -> list[Document]:
    """Put documents in the order in which they are read; the question follows them.

    Args:
        documents: best first.
        order: where the best ones stand. Models read what stands in the middle worst (Liu et al.,
            2024, "Lost in the middle").
    """
    if order == "best first":
        return list(documents)
    if order == "best last":
        return list(reversed(documents))
    front, back = list(documents[1::2]), list(documents[::2])
    if order == "best at both ends":
        return [*front, *reversed(back)]
    return [*reversed(front), *back]
