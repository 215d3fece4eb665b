"""Whether a search reaches in other languages what it reaches in English.

    python benchmarks/languages.py                  # the search alone: a minute
    python benchmarks/languages.py --rag --runs RUNS # and `ladder assess` on each task

The tasks of evalsets/languages: the same 60 questions on the same 48 documents, in translation.

found   recall at 1 and at 5 over all 60 questions, by words, by meaning (the bundled embedder) and
        by both; with a 95 % interval, and the difference from English at 5 on the same questions.
rag     the score of the task on its eval set, the documents that the rag rung handed to the model,
        and in which share of the prompts the right document stood: what a perfect reader would
        reach. The bundled model reads English; below that share the loss is the reader's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ladder.engines.bundled import bundled_folder
from ladder.evidence import Assessment, Attempt, Estimate, Retrieval, RetrievalHealth
from ladder.gate.bounds import estimate
from ladder.gate.paired import paired
from ladder.retrieval.health import recall
from ladder.retrieval.pool import in_order, ways
from ladder.retrieval.search import make_index
from ladder.samples.loading import load_rows
from ladder.samples.rows import Rows, Sample
from ladder.task import Task, load_task
