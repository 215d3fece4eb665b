"""`ladder size`: out of a run's record, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from assessments import assessment, attempt, record
from click.testing import Result
from conftest import ROOT
from test_docs import assert_ran, run_pages
from typer.testing import CliRunner

from ladder.cli import app
from ladder.errors import DataError
from ladder.evidence import Assessment, CostBasis, Latency, Measurement, TokenUse

LAYERS, HIDDEN, HEADS = 2, 64, 4


def weights(folder: Path) -> Path:
    """Write a model folder as far as its sizes are read: real files, made of zeros."""
    from safetensors.numpy import save_file

    folder.mkdir()
    config = {
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "num_hidden_layers": LAYERS,
        "vocab_size": 1024,
    }
    (folder / "config.json").write_text(json.dumps(config))
    values = {"a": np.zeros((1024, 512), np.float16), "b": np.zeros(1024 * 512, np.float16)}
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def made(model: str, service: tuple[float, ...] = (0.2, 0.3) * 50, **more: object) -> Assessment:
    one = attempt("lora", "pass")
    assert one.measurement is not None
    assert one.candidate is not None
    measured: Measurement = one.measurement.but(
        latency_ms=Latency(p50=250, p95=300, p99=300, n=len(service), service_s=service),
        tokens=TokenUse(input_mean=100, output_mean=10, blocks={7: 100}),
        fingerprint={"precision": "bfloat16"},
        cost_basis=CostBasis(kind="machine", usd_per_hour=2.0, utilisation=1.0),
    )
    chosen = one.but(measurement=measured, candidate=one.candidate.but(model=model))
    return assessment(attempts=(chosen,)).but(**more)


def written(found: Assessment, folder: Path) -> Path:
    (folder / "assessment.json").write_text(found.model_dump_json())
    return folder


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    run = tmp_path / "work/runs/mail/2026-01-01T000000"
    run.mkdir(parents=True)
    written(made(f"hf:{weights(tmp_path / 'model')}"), run)
    assert_ran(run_pages([ROOT / "docs/sizing.md"], tmp_path / "work"))
    assert (tmp_path / "work/serve/compose.yaml").is_file()


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["size", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return written(made(f"hf:{weights(tmp_path / 'model')}"), tmp_path)


def test_a_run_is_sized_for_the_volume_that_is_named(run: Path) -> None:
    done = call(run, "--requests-per-month", "1000000", "--peak", "6", "--p95", "600", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    sizing, memory = found["sizing"], found["memory"]
    assert sizing["machines"] == 3
    assert sizing["p95_ms"] <= 600
    assert sizing["utilisation"] == pytest.approx(6 * 0.25 / 3)
    assert sizing["usd_per_month"] == 3 * 730 * 2.0
    assert memory["weights_mb"] == pytest.approx(2 * 2 * 1024 * 512 / 2**20)
    assert memory["kv_bytes_per_token"] == 2 * LAYERS * 2 * (HIDDEN // HEADS) * 2
    assert memory["tokens_longest"] == 112


def test_what_is_printed_says_what_was_not_measured_and_assumed(run: Path) -> None:
    said = call(run).stdout
    assert "the mean, assumed: a busy hour has more, --peak names it" in said
    assert "no --p95 named: each busy for at most 80% of the peak hour" in said
    assert "Not measured: what an engine's continuous batching, paged attention" in said
    assert "Per token: no price named" in said


def test_a_price_per_token_stands_beside_owning(run: Path) -> None:
    where = "openai:gpt-4o-mini@https://api.openai.com/v1"
    said = call(run, "--against", where).stdout
    assert "genai-prices" in said
    assert "Break-even: owning costs less" in said
    assert "may not leave" in said
    with pytest.raises(DataError, match="a model with a listed price"):
        call(run, "--against", "openai:nobody-has-this@https://api.openai.com/v1")


def test_a_run_that_may_send_its_data_away_is_told_nothing_of_it(tmp_path: Path) -> None:
    found = made(f"hf:{weights(tmp_path / 'model')}")
    prices = {"input_usd_per_1m": 50.0, "output_usd_per_1m": 90.0}
    may = found.recommendation.but(deployment={"data_may_leave": True, "prices": prices})
    said = call(written(found.but(recommendation=may), tmp_path)).stdout
    assert "(task.yaml)" in said
    assert "may not leave" not in said


def test_a_limit_that_nothing_holds_is_exit_1(run: Path) -> None:
    done = call(run, "--p95", "100")
    assert done.exit_code == 1
    assert "no number of them answers 95 % within 100 ms" in done.stdout
    with pytest.raises(DataError, match="Raise it: --p95"):
        call(run, "--p95", "100", "--target", "compose")


def test_the_files_are_written_and_never_over_others(run: Path, tmp_path: Path) -> None:
    into = tmp_path / "serve"
    done = call(run, "--peak", "6", "--p95", "600", "--into", into, "--region", "eu-west-3")
    assert done.exit_code == 0
    assert {path.name for path in into.iterdir()} == {"compose.yaml", "serve-mail.yaml"}
    parts = list(yaml.safe_load_all((into / "serve-mail.yaml").read_text()))
    assert parts[0]["spec"]["replicas"] == 3
    assert parts[0]["spec"]["template"]["spec"]["nodeSelector"]
    assert call(run, "--peak", "6", "--p95", "600", "--target", "compose").stdout.startswith(
        "# dock"
    )


def test_a_gpu_chooses_vllm(tmp_path: Path) -> None:
    found = made(f"hf:{weights(tmp_path / 'model')}", hardware={"gpu": "one", "processor": "p"})
    run = written(found, tmp_path)
    assert "vllm/vllm-openai" in call(run, "--target", "compose").stdout
    assert "server-cuda" in call(run, "--target", "compose", "--engine", "llama.cpp").stdout


def test_weights_that_are_not_here_leave_the_other_figures(tmp_path: Path) -> None:
    run = written(made("hf:./gone"), tmp_path)
    done = call(run)
    assert "Memory: not known" in done.stdout
    assert "Machines: 1" in done.stdout
    with pytest.raises(DataError, match="a language model whose weights are here"):
        call(run, "--target", "compose")


def test_a_classifier_is_sized_and_served_by_none_of_these(tmp_path: Path) -> None:
    run = written(made(f"head:{tmp_path}"), tmp_path)
    assert "holds no keys and values" in call(run).stdout
    with pytest.raises(DataError, match="holds no keys and values"):
        call(run, "--target", "kubernetes")


@pytest.mark.parametrize(
    ("model", "service", "said"),
    [
        ("openai:m@http://127.0.0.1:1/v1", (0.2,), "an endpoint"),
        ("bundled:m", (), "no times of single requests"),
    ],
)
def test_what_cannot_be_sized_is_refused_with_a_way_out(
    model: str, service: tuple[float, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        call(written(made(model, service), tmp_path))


def test_a_run_without_a_chosen_rung_is_refused(tmp_path: Path) -> None:
    found = made("bundled:m")
    none = found.recommendation.but(rung=None)
    run = written(found.but(recommendation=none, task=record()), tmp_path)
    with pytest.raises(DataError, match="no rung that is recommended"):
        call(run)


def test_a_peak_below_the_mean_is_none(run: Path) -> None:
    with pytest.raises(DataError, match=r"--peak: got 0\.001, wanted at least 0\.3805"):
        call(run, "--requests-per-month", "1000000", "--peak", "0.001")


def test_options_of_files_want_files(run: Path) -> None:
    assert "--target or --into" in call(run, "--region", "eu-west-3").output
    assert "there are compose, kubernetes" in call(run, "--target", "nomad").output
    found = json.loads(call(run, "--target", "compose", "--json").stdout)
    assert found["files"].keys() == {"compose.yaml"}
