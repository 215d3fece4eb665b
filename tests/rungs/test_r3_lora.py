"""What the lora rung answers with, and which recipes it trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches import bench_at, bench_over, chat, saying, task_with

from ladder.errors import TaskError
from ladder.evidence import Build
from ladder.rungs.r3_lora import answering, unavailable, with_adapter
from ladder.samples.rows import Sample

TRAIN = tuple(Sample(id=f"t{at}", input=f"question {at}", target="x") for at in range(4))


def test_an_adapter_answers_on_its_base_and_a_whole_model_by_itself(tmp_path: Path) -> None:
    build = Build(folder=str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    assert answering(build) == {"adapter": str(tmp_path)}
    (tmp_path / "adapter_config.json").unlink()
    (tmp_path / "config.json").write_text("{}")
    assert answering(build) == {"model": f"hf:{tmp_path}"}


def test_a_climb_refuses_a_recipe_that_learns_from_other_rows(tmp_path: Path) -> None:
    with saying(lambda _: "x") as server:
        training = {"recipe": "dpo"}
        bench = bench_at(server.url, tmp_path, TRAIN[:1], train=TRAIN, training=training)
        with pytest.raises(TaskError, match="`dpo`, which does not learn from inputs and targets"):
            with_adapter(bench, chat(bench), TRAIN)


def test_what_is_not_trained_says_why(tmp_path: Path) -> None:
    with saying(lambda _: "x") as server:
        bench = bench_at(server.url, tmp_path, TRAIN[:1], train=TRAIN)
        assert "is an endpoint" in str(unavailable(bench))
    file = task_with(models={"base": "gguf:model.gguf"})
    assert "kind bundled: or hf:" in str(unavailable(bench_over(file, bench.data, tmp_path)))
