"""Two real llama.cpp servers behind one address: another chat template is found."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
from conftest import ROOT
from engines.endpoint import llama_server as llama
from engines.endpoint.llama_server import free_port, llama_server
from probed import plan_in

from ladder.lifecycle import probe_endpoint
from ladder.lifecycle.probe_endpoint import KINDS
from ladder.lifecycle.probing import probe
from ladder.progress import Quiet

pytest.importorskip("xllamacpp")
SPEC = importlib.util.spec_from_file_location("probe_benchmark", ROOT / "benchmarks/probe.py")
assert SPEC
assert SPEC.loader
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)
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


@pytest.mark.slow
@pytest.mark.long
def test_a_server_that_draws_its_answers_has_border_inputs(tmp_path, monkeypatch):
    """Fewer are asked, and less often, than the program does: the server is slow."""
    monkeypatch.setattr(probe_endpoint, "SCANNED", 40)
    fewer = replace(KINDS["border inputs"], for_reference=20)
    monkeypatch.setitem(KINDS, "border inputs", fewer)
    proxy = benchmark.Proxy(refuses=True, draws=True)
    plan = plan_in(tmp_path, f"openai:smollm2@{proxy.url}")
    with benchmark.served(llama.bundled_gguf()) as proxy.target:
        first = probe(plan, Quiet())
        assert first.look.probe == "border inputs"
        borders = len(first.taken.requests)
        assert first.look.calls == 1 + 40 * 3 + borders * 20
        assert probe(plan, Quiet()).look.verdict == "same"
    with benchmark.served(llama.bundled_gguf(), benchmark.OTHER_TEMPLATE) as proxy.target:
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 8 * borders)
    assert found.shifts[0].effect > 0.02
