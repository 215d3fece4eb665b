"""What is served: one model behind one engine, on so many machines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ladder.evidence import Decoding, Scoring
from ladder.lifecycle.names import label_of
from ladder.wording import harmless

Files = Mapping[str, str]
"""Name of a file -> its text."""
MODELS = "/models"
"""Where the folder with the model lies in the container."""
ENGINE_MB = 2048
"""Assumed for the engine itself, beside weights, keys and values: it is not measured."""

ASKED_LIKE: Mapping[Decoding | Scoring, str] = {
    "scored": "Labels were chosen by log-likelihood: ask for that of each label's text.",
    "mean": "Labels were chosen by log-likelihood by the byte: ask for that of each label's text.",
    "letter": "Labels were listed with letters: ask for the log-likelihood of each letter.",
    "constrained": "Answers were constrained to the labels: send them as a choice or a grammar.",
    "json": "Answers were constrained to a JSON Schema: send it with each request.",
}
"""How requests must be put so that answers are those that were measured."""


@dataclass(frozen=True)
class Service:
    """A model to be served, as it was sized."""

    task: str
    """Name of its task."""
    model: str
    """The model as the task names it."""
    has_adapter: bool
    precision: str
    machines: int
    memory_mb: float
    """Weights, and keys and values of `at_once` requests that fill the context."""
    context: int
    """Tokens of prompt and answer that a request may have."""
    at_once: int = 1
    """Requests that a machine answers at once. It was measured with one."""
    asked: Decoding | Scoring = "free"
    """How it answers; where labels are scored otherwise than by their text, what is scored."""
    """How its answers came about."""
    gpu: bool = False
    may_leave: bool = False
    """Whether the task lets its data leave the machines."""
    region: str = ""
    """Where it must run; empty: anywhere."""
    image: str = ""
    """In place of the engine's usual one."""

    @property
    def name(self) -> str:
        """A DNS label of lower-case ASCII, one for each task."""
        return label_of(self.task, "serve")

    @property
    def limit_mb(self) -> int:
        """What a container may use."""
        return math.ceil((self.memory_mb + ENGINE_MB) / 256) * 256


@dataclass(frozen=True)
class Container:
    """How an engine is started."""

    image: str
    args: tuple[str, ...]
    port: int
    env: Mapping[str, str]
    needs: str
    """What the folder must hold."""


Engine = Callable[[Service], Container]
Platform = Callable[[Service, Container], Files]


def vllm(service: Service) -> Container:
    """Return vLLM's OpenAI server, offline, with as many requests at once as were measured."""
    args = (
        f"--model={MODELS}/model",
        f"--served-model-name={service.name}",
        f"--dtype={service.precision}",
        f"--max-model-len={service.context}",
        f"--max-num-seqs={service.at_once}",
        "--generation-config=vllm",
        *(
            ("--enable-lora", f"--lora-modules=adapter={MODELS}/adapter")
            if service.has_adapter
            else ()
        ),
    )
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    adapter = " and the adapter in adapter/" if service.has_adapter else ""
    needs = f"the weights in model/{adapter}"
    image = "vllm/vllm-openai:latest"
    return Container(service.image or image, args, 8000, quiet, needs)


def llama_cpp(service: Service) -> Container:
    """Return llama.cpp's server, with as many requests at once as were measured."""
    args = (
        f"--model={MODELS}/model.gguf",
        f"--alias={service.name}",
        "--host=0.0.0.0",
        "--port=8080",
        f"--ctx-size={service.context * service.at_once}",
        f"--parallel={service.at_once}",
        *(("--n-gpu-layers=999",) if service.gpu else ()),
    )
    merged = ", its adapter merged" if service.has_adapter else ""
    needs = f"model.gguf{merged}, in {service.precision} (ladder export FOLDER --to gguf)"
    image = f"ghcr.io/ggml-org/llama.cpp:server{'-cuda' if service.gpu else ''}"
    return Container(service.image or image, args, 8080, {}, needs)


ENGINES: dict[str, Engine] = {"vllm": vllm, "llama.cpp": llama_cpp}
"""To add an engine: a function from a service to its container, and a line here."""


def heading(service: Service, container: Container, command: str) -> str:
    """Return the comment on top of a file: what is to be edited, and what was not measured."""
    return "".join(f"# {line}\n" for line in _notes(service, container, command))


def _notes(service: Service, container: Container, command: str) -> Iterator[str]:
    yield command
    yield f"Serves {harmless(service.model, 120)} for the task {service.task}. To edit:"
    yield f"- the image: pin it by its digest (@sha256:...); now {container.image}"
    yield f"- the folder of the model: {container.needs}"
    yield f"- the context: {service.context} tokens, twice the longest request that was measured"
    yield f"- the memory: {service.limit_mb} MiB, of which {ENGINE_MB} for the engine are assumed"
    yield f"Machines: {service.machines}, each with {service.at_once} request at once, as measured."
    yield "The engine's own speed, batching, paging and prefix reuse were not measured."
    if service.asked in ASKED_LIKE:
        yield ASKED_LIKE[service.asked]
        yield "The server's way of doing that was not measured: assess it as an endpoint."
    if service.region:
        yield f"Region: {service.region}. Compose runs where you start it: start it there."
    if not service.may_leave:
        yield "The task's data may not leave: keep what this file closes."
