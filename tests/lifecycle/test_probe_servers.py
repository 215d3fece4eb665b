"""Two real llama.cpp servers behind one address: another chat template is found."""

from __future__ import annotations

import pytest
from engines.endpoint import llama_server as llama
from engines.endpoint.llama_server import free_port, llama_server
from probed import plan_in

from ladder.lifecycle.probing import probe
from ladder.progress import Quiet

pytest.importorskip("xllamacpp")
OTHER = "{% for turn in messages %}{{ turn.role + ': ' + turn.content }}{% endfor %}Answer:"


@pytest.mark.slow
def test_a_server_that_came_back_with_another_template(tmp_path, monkeypatch):
    port, log = free_port(), tmp_path / "log"
    longer = llama.PROGRAM.replace("sleep(90)", "sleep(900)")
    monkeypatch.setattr(llama, "PROGRAM", longer)
    with llama_server(port, log) as url:
        plan = plan_in(tmp_path, f"openai:smollm2@{url}")
        assert probe(plan, Quiet()).look.probe == "log-probabilities"
        same = probe(plan, Quiet()).look
        assert (same.verdict, same.shifts[0].effect) == ("same", pytest.approx(0, abs=0.02))
    changed = f"wanted.chat_template = {OTHER!r}\nserver = "
    monkeypatch.setattr(llama, "PROGRAM", longer.replace("server = ", changed))
    with llama_server(port, log):
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 32)
    assert found.shifts[0].effect > 0.05
