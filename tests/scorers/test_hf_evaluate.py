"""The scorer `hf_evaluate`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

METRIC = """\
import datasets
import evaluate


class Halves(evaluate.Metric):
    def _info(self):
        features = datasets.Features(
            {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
        )
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, predictions, references):
        same = float(predictions[0][:1] == references[0][:1])
        return {"first": same, "tenfold": 10 * same, "half": same / 2}
"""


USE_METRIC = """\
import json, sys
from ladder.errors import LadderError
from ladder.scorers import make_scorer
from ladder.task import ScorerChoice
from ladder.trust.code import Consent
folder = sys.argv[1]
allowed = Consent(granted="all")
found = []
for parameters in ({}, {"field": "half"}, {"field": "tenfold"}):
    choice = ScorerChoice(name=f"evaluate:{folder}", parameters=parameters)
    scorer = make_scorer(choice, consent=allowed)
    scores = [scorer(answer, "abc") for answer in ("axx", "xxx", "")]
    found.append([[score.value, score.reason] for score in scores])
try:
    make_scorer(ScorerChoice(name="evaluate:" + folder + "-is-not-there"), consent=allowed)
    refusal = "none"
except LadderError as error:
    refusal = str(error)
except Exception as error:
    refusal = f"a raw {type(error).__name__}"
print(json.dumps([found, refusal]))
"""


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[list[object]]], str]:
    """Score with a metric in a process of its own, offline: its library is slow to load."""
    root = tmp_path_factory.mktemp("metric")
    folder = root / "halves"
    folder.mkdir()
    (folder / "halves.py").write_text(METRIC)
    offline = {
        "HF_HOME": str(root / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", USE_METRIC, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, **offline},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found, refusal = json.loads(done.stdout.splitlines()[-1])
    return folder, found, refusal


@pytest.mark.slow
def test_a_metric_of_the_evaluate_library_runs_from_a_local_folder(
    metric: tuple[Path, list[list[list[object]]], str],
) -> None:
    folder, (first, half, tenfold), _ = metric
    assert [value for value, _ in first] == [1, 0, 0]
    assert [value for value, _ in half] == [0.5, 0, 0]
    assert [value for value, _ in tenfold] == [1, 0, 0], "a score stays within 0..1"
    assert first[0][1] == f"{folder}: 1"


def test_a_metric_that_is_not_there_is_told(
    metric: tuple[Path, list[list[list[object]]], str],
) -> None:
    folder, _, refusal = metric
    assert f"{folder}-is-not-there" in refusal
