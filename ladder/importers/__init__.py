"""Files of other tools -> rows and what they state of a task.

To add a format: a module with `recognises` and `read`, and a line here.
"""

from __future__ import annotations

from ladder.importers import inspect_logs, lm_eval, openai_evals, promptfoo, test_sets
from ladder.importers.base import NOTHING_STATED, Format, Imported, Left, Stated
from ladder.importers.source import Source, open_source

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("openai-evals", "OpenAI's Evals", openai_evals.recognises, openai_evals.read),
        Format("promptfoo", "a project of promptfoo", promptfoo.recognises, promptfoo.read),
        Format("inspect", "a log of Inspect", inspect_logs.recognises, inspect_logs.read),
        Format("lm-eval", "samples of lm-eval", lm_eval.recognises, lm_eval.read),
        Format(
            "deepeval",
            "goldens of DeepEval",
            test_sets.is_deepeval,
            test_sets.read_deepeval,
            is_rows=True,
        ),
        Format(
            "ragas", "a test set of Ragas", test_sets.is_ragas, test_sets.read_ragas, is_rows=True
        ),
    )
}

__all__ = [
    "FORMATS",
    "NOTHING_STATED",
    "Format",
    "Imported",
    "Left",
    "Source",
    "Stated",
    "open_source",
]
