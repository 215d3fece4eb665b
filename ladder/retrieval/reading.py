"""What a candidate reads: retrieved documents as they stand in its prompt, and the right ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from ladder.evidence import Retrieval
from ladder.hardware import hardware
from ladder.language.words import comparable, has_no_spaces, holds, plain_words, running_words
from ladder.retrieval.compress import cut_for, rarity, sentences, share_of_words, shortened
from ladder.retrieval.packing import merged, ordered, within
from ladder.retrieval.retriever import Retriever, sources
from ladder.retrieval.search import terms
from ladder.samples.rows import Document, Sample

TIMED_QUERIES = 10
LEAST_TELLING, MOST_HOLDING = 4, 5
"""Characters of an answer, and passages in which it may stand, where no document is named."""
KNOWN_ROWS = 300
"""Training examples from which the cut of `compress` is set."""

BLANK = "This line was left blank. "


class Reader:
    """Puts what a retriever finds into the form in which a candidate reads it."""

    def __init__(self, retriever: Retriever) -> None:
        """Read nothing yet."""
        self.retriever = retriever
        self.task, self.data = retriever.task, retriever.data

    @cached_property
    def passages_of(self) -> dict[str, list[Document]]:
        """Document id -> its passages; a document that is read whole is its own one."""
        found: dict[str, list[Document]] = {}
        for document in self.data.documents:
            found.setdefault(document.source, []).append(document)
        return found

    def right_passages(self, sample: Sample) -> list[Document]:
        """Return the passage of each known right document that most likely holds the answer.

        That is one with the target in it, else the one that shares most words with both texts.
        Where the row names no document, what most likely holds the answer.
        """
        if not sample.doc_ids:
            return self._holding(sample)
        known = [self.passages_of[name] for name in sample.doc_ids if name in self.passages_of]
        asked = set(running_words(comparable(f"{sample.input} {sample.target}")))

        def likely(passage: Document) -> tuple[bool, int]:
            words = running_words(comparable(passage.text))
            return _stands_in(passage.text, sample), len(asked & set(words))

        return [max(parts, key=likely) for parts in known]

    def _holding(self, sample: Sample) -> list[Document]:
        """Return what stands in for a right document where the row names none.

        That is the passage that a search for question and answer together finds first, of those in
        which the answer stands word for word; none where the answer is too short, or stands in too
        many, to tell.
        """
        telling = [target for target in sample.targets if _is_telling(target)]
        can_tell = telling and self.task.answer.type in ("text", "number")
        if not can_tell or not self.data.documents:
            return []
        both = replace(sample, input=f"{sample.input} {sample.target}")
        wanted = [plain_words(target) for target in telling]

        def answers(document: Document) -> bool:
            words = plain_words(document.text)
            return any(holds(words, target) for target in wanted)

        places = self.retriever.search("documents", "bm25", [both])[sample.id]
        read = (self.data.documents[at] for at, _ in places)
        found = [document for document in read if answers(document)]
        return found[:1] if len(found) <= MOST_HOLDING else []

    def documents(
        self,
        retrieval: Retrieval,
        sample: Sample,
        size: Callable[[str], int],
        room: int | None = None,
        fits: Callable[[str], int] = len,
    ) -> list[Document]:
        """Return the documents to put before a question, in the order in which they are read.

        Args:
            retrieval: how they are chosen.
            sample: the question.
            size: tokens of a text.
            room: what is left of the model's context, in what `fits` counts; None: no limit.
            fits: what a text takes of the room at most.
        """
        if retrieval.source == "gold":
            right = self.right_passages(sample)
            best_first = [*right, *self._beside(retrieval, sample, retrieval.k - len(right))]
        else:
            places = self.retriever.nearest(retrieval, "documents", sample)
            best_first = [self.data.documents[at] for at in places]
        # Passages are counted before they are joined, so that one long join does not end the list;
        # and joined before sentences go, while they still know where they stand.
        if retrieval.most_tokens is not None:
            best_first = within(best_first, retrieval.most_tokens, size)
        if room is not None:
            best_first = within(best_first, room, fits)
        best_first = merged(best_first)
        if retrieval.compress and self.cut is not None:
            parts = [part for document in best_first for part in sentences(document.text)]
            best_first = shortened(best_first, self._score_sentences(sample.input, parts), self.cut)
        return ordered(best_first, retrieval.order)

    def _beside(self, retrieval: Retrieval, sample: Sample, count: int) -> list[Document]:
        """Return what stands beside the gold documents.

        That is what the search finds most like them, or as many words that say nothing.
        """
        if retrieval.beside == "nothing" or count < 1:
            return []
        searched = Retrieval(source="documents", method=retrieval.method, k=1)
        found = [
            self.data.documents[at]
            for at in self.retriever.ranked(searched, "documents", sample)
            if self.data.documents[at].source not in sample.doc_ids
        ][:count]
        if retrieval.beside == "distractors":
            return found
        return [replace(document, title="", text=_filler(document)) for document in found]

    def seconds(self, retrieval: Retrieval | None, samples: Sequence[Sample]) -> float:
        """Return the mean seconds that a question's search takes by itself, with all its steps."""
        if not sources(retrieval) or not samples:
            return 0.0
        timed = samples[:TIMED_QUERIES]
        assert retrieval is not None
        about = [
            retrieval.model_dump(),
            [row.id for row in timed],
            self.retriever.about,
            hardware(),
        ]

        def compute() -> float:
            self.search_anew(retrieval, timed[0])  # builds the index
            started = time.perf_counter()
            for sample in timed:
                self.search_anew(retrieval, sample)
            return (time.perf_counter() - started) / len(timed)

        return float(self.retriever.cache.remember("search time", about, compute))

    def search_anew(self, retrieval: Retrieval | None, sample: Sample) -> None:
        """Do all that a question's search takes, whatever is kept of it: to be timed."""
        anew = Reader(self.retriever.anew())
        for source in sources(retrieval):
            assert retrieval is not None
            if source == "documents":
                anew.documents(retrieval, sample, len)
            else:
                anew.retriever.nearest(retrieval, source, sample)

    @property
    def cuts(self) -> bool:
        """Tell whether `compress` would leave anything out."""
        reranked = self.retriever.pair_scores is not None  # its scores may be below 0
        return self.cut is not None and (self.cut > 0 or reranked)

    @cached_property
    def cut(self) -> float | None:
        """The score below which a sentence is left out, set on training examples; None: unknown."""
        useful = []
        for sample in self.data.train[:KNOWN_ROWS]:
            for document in self.right_passages(sample):
                holding = [
                    sentence
                    for sentence in sentences(document.text)
                    if _stands_in(sentence, sample)
                ]
                if holding:
                    useful.append(max(self._score_sentences(sample.input, holding).values()))
        return cut_for(useful)

    def _score_sentences(self, query: str, parts: Sequence[str]) -> dict[str, float]:
        """Score sentences for a query: by the reranker where there is one, else by words."""
        if self.retriever.pair_scores is not None:
            scores = self.retriever.pair_scores.of([(query, part) for part in parts])
            return dict(zip(parts, scores, strict=True))
        language = self.retriever.languages["documents"]
        asked, *own = (set(found) for found in terms([query, *parts], language))
        return {
            part: share_of_words(asked, has, self._rarity)
            for part, has in zip(parts, own, strict=True)
        }

    @cached_property
    def _rarity(self) -> dict[str, float]:
        language = self.retriever.languages["documents"]
        return rarity(terms(self.retriever.texts["documents"], language))


def _stands_in(text: str, sample: Sample) -> bool:
    """Tell whether one of a row's right answers stands in a text, as a part of a word or more."""
    folded = comparable(text)
    return any(comparable(target) in folded for target in sample.targets)


def _is_telling(target: str) -> bool:
    """Tell whether a target is long enough to stand in a text for no other reason.

    Two characters say as much in Chinese as a word of four letters does.
    """
    least = LEAST_TELLING // 2 if has_no_spaces(target) else LEAST_TELLING
    return len(target) >= least


def _filler(document: Document) -> str:
    """Return as many characters as a document has, that say nothing."""
    size = len(document.title) + len(document.text)
    return (BLANK * (size // len(BLANK) + 1))[:size]
