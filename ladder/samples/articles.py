"""SQuAD as it is published: articles of paragraphs, each with its questions -> a row a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def is_articles(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is a file of SQuAD, 1.1 or 2.0: `data`, a list of articles."""
    articles = value.get("data")
    return (
        isinstance(articles, list)
        and bool(articles)
        and all(
            isinstance(one, Mapping) and _are_objects(one.get("paragraphs")) for one in articles
        )
    )


def questions(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield id, title, context, question and answers of each question of a file of SQuAD."""
    for article in value["data"]:
        for paragraph in article["paragraphs"]:
            asked = paragraph.get("qas")
            for one in asked if _are_objects(asked) else ():
                yield {
                    "id": one.get("id"),
                    "title": article.get("title"),
                    "context": paragraph.get("context"),
                    "question": one.get("question"),
                    "answers": one.get("answers"),
                }


def _are_objects(values: Any) -> bool:
    return isinstance(values, Sequence) and all(isinstance(value, Mapping) for value in values)
