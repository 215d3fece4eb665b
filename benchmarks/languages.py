"""Whether a search finds in other languages what it finds in English.

    python benchmarks/languages.py [--languages en de] [--rag words meaning] [--choose] [--runs R]

The tasks of evalsets/languages: the same 60 questions on the same 48 documents, in translation.
Each language is compared with English on the same questions; intervals are of 95 %, p is before
any correction.

search  recall at 1 and at 5 over all 60 questions: by words, by meaning (the bundled embedder), and
        by both fused. A document that shares no word with the question is not found by words.
rag     with --rag: the rag rung of `ladder assess`, by words alone, or with searches by meaning and
        by both in its race. Its score on the eval set, and beside it in which share of its prompts
        the right document stood: the most that a reader of those prompts can reach. The bundled
        model was trained on English, so how far its score stays below that share is its own doing.
        Its prompts in other scripts are several times as many tokens: allow minutes a language.
choose  with --rag: the answer is not written but chosen, by its log-likelihood, among the answers
        of all 60 questions. That asks of the model only that it prefers what it has just read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ladder.climb.opening import open_bench
from ladder.commands.assess import assess
from ladder.evidence import Attempt, Retrieval
from ladder.gate.bounds import estimate
from ladder.gate.paired import paired
from ladder.models.cache import Forgetful
from ladder.progress import Quiet
from ladder.retrieval.retriever import Retriever, sources
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample
from ladder.task import Task, load_task
from ladder.task.schema import AnswerForm, ScorerChoice
from ladder.wording import span

ROOT = Path(__file__).parent.parent
FIRST = "en"
LANGUAGES = (FIRST, "de", "ar", "zh", "th")
EMBEDDING = "bundled:all-minilm-l6-v2"
METHODS = {"words": "bm25", "meaning": "dense", "both": "hybrid"}
DEPTHS = (1, 5)
CONFIDENCE = 0.95

Scores = dict[str, float]
"""Sample id -> score in 0..1."""


def task_of(language: str, *, embedder: bool, choose: bool = False) -> Task:
    """Return a language's task with the rag rung alone.

    Args:
        language: of the evalset.
        embedder: search with the bundled embedder, too.
        choose: among all answers, instead of writing one.
    """
    task = load_task(ROOT / "evalsets/languages" / language / "task.yaml")
    task = task.model_copy(update={"rungs": ("rag",)})
    if choose:
        data = load_data(task, None, Quiet())
        rows = [*data.train, *data.dev, *data.gate, *data.sealed, *data.reserve]
        form = AnswerForm(type="label", labels=tuple(sorted({row.target for row in rows})))
        chosen = {"answer": form, "score": (ScorerChoice(name="exact_match"),)}
        task = task.model_copy(update={**chosen, "name": f"{task.name}-choose"})
    if not embedder:
        return task
    # Another name keeps its runs apart.
    return task.with_models(embedding=EMBEDDING).model_copy(update={"name": f"{task.name}-meaning"})


def retriever_of(task: Task) -> Retriever:
    """Return the search that the task's rag rung uses; nothing is kept of it."""
    return Retriever(task, load_data(task, None, Quiet()), Forgetful(), Quiet())


def found_at(
    language: str, searches: Sequence[str] = tuple(METHODS)
) -> dict[tuple[str, int], Scores]:
    """Return (search, depth) -> whether a right document is so near the top, for each question."""
    retriever = retriever_of(task_of(language, embedder=searches != ("words",)))
    data = retriever.data
    rows = [*data.train, *data.dev, *data.gate, *data.sealed, *data.reserve]
    found: dict[tuple[str, int], Scores] = {}
    for name in searches:
        how = Retrieval.model_validate({"source": "documents", "method": METHODS[name]})
        retriever.prepare(how, rows)
        ranks = {row.id: rank_of(retriever, how, row) for row in rows}
        for depth in DEPTHS:
            found[name, depth] = {row: float(rank <= depth) for row, rank in ranks.items()}
    return found


def rank_of(retriever: Retriever, how: Retrieval, row: Sample) -> float:
    """Return the rank of the first right document, from 1; infinite where none is found."""
    documents, there = retriever.data.documents, retriever.found(how, "documents", row)
    ranked = [at for at in retriever.ranked(how, "documents", row) if at in there]
    right = (n for n, at in enumerate(ranked, start=1) if documents[at].source in row.doc_ids)
    return next(right, float("inf"))


def print_search(languages: Sequence[str]) -> None:
    """Print recall for each language and search, and its difference from English."""
    heads = "".join(f"recall@{depth:<14}{'difference':34}" for depth in DEPTHS)
    print(f"{'':10}{'search':9}{'n':>3}  {heads}".rstrip())
    found = {language: found_at(language) for language in languages}
    for name in METHODS:
        for language in languages:
            cells = [
                f"{shown(found[language][name, depth]):21}"
                f"{apart(found[language][name, depth], found[FIRST][name, depth]):34}"
                for depth in DEPTHS
            ]
            rows = len(found[language][name, DEPTHS[0]])
            print(f"{language:10}{name:9}{rows:>3}  {''.join(cells)}".rstrip())


def print_rag(languages: Sequence[str], search: str, runs: Path, *, choose: bool) -> None:
    """Print the rag rung's score for each language, and what stood in its prompts."""
    heads = f"{'score':21}{'difference':34}right document in the prompt"
    print(f"\n{'':10}{'search':9}{'n':>3}  {heads}")
    english: Scores = {}
    for language in languages:
        task = task_of(language, embedder=search == "meaning", choose=choose)
        assessment, folder = assess(task, runs, Quiet(), every=True)
        [attempt] = [each for each in assessment.attempts if each.rung == "rag"]
        saved = (folder / "rag/samples.jsonl").read_text(encoding="utf-8").splitlines()
        scores = {row["id"]: float(row["score"] or 0) for row in map(json.loads, saved)}
        english = english or scores
        stood = in_prompts(task, attempt, runs, scores)
        cells = f"{shown(scores):21}{apart(scores, english):34}{shown(stood)}"
        how = attempt.candidate.description if attempt.candidate else ""
        print(f"{language:10}{search:9}{len(scores):>3}  {cells}  {how}", flush=True)


def in_prompts(task: Task, attempt: Attempt, runs: Path, asked: Mapping[str, float]) -> Scores:
    """Return whether a right document stood in the prompt of each row."""
    bench = open_bench(task, runs, Quiet())
    evaluator, candidate = bench.evaluator, attempt.candidate
    assert candidate is not None
    retrieval = candidate.retrieval
    if retrieval is None or "documents" not in sources(retrieval):
        return dict.fromkeys(asked, 0.0)
    count = evaluator.engine(candidate).count_tokens
    rows = [row for row in bench.data.gate if row.id in asked]
    evaluator.retriever.prepare(retrieval, rows)
    read = {row.id: evaluator.reader.documents(retrieval, row, count) for row in rows}
    evaluator.models.cache.close()
    return {
        row.id: float(any(document.source in row.doc_ids for document in read[row.id]))
        for row in rows
    }


def shown(scores: Scores) -> str:
    """Return the mean with its interval."""
    return span(estimate(list(scores.values()), CONFIDENCE))


def apart(scores: Scores, english: Scores) -> str:
    """Return the difference from English on the questions of both; nothing for English itself."""
    if scores is english:
        return ""
    both = sorted(scores.keys() & english.keys())
    difference, low, high, p = paired(
        [scores[row] for row in both], [english[row] for row in both], CONFIDENCE
    )
    return f"{difference:+.2f} ({low:+.2f} to {high:+.2f}) p {p:.3f}"


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES)
    parser.add_argument("--rag", nargs="*", default=[], choices=("words", "meaning"))
    parser.add_argument("--choose", action="store_true", help="choose answers, write none")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    languages = sorted(set(options.languages) | {FIRST}, key=LANGUAGES.index)
    print_search(languages)
    for search in options.rag:
        print_rag(languages, search, options.runs, choose=options.choose)


if __name__ == "__main__":
    main()
