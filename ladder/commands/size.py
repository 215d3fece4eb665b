"""`ladder size`: machines, memory and costs for a volume, out of a run; and files to serve with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ladder.economy.machines import HOURS_PER_MONTH
from ladder.economy.prices import listed_prices
from ladder.economy.serving_memory import BYTES, MB, serving_memory
from ladder.economy.sizing import MOST_BUSY, Wanted, size
from ladder.engines import is_served, model_folder
from ladder.errors import DataError, LadderError, Problem
from ladder.evidence import (
    ASSESSMENT,
    BLOCK_TOKENS,
    CONTROL,
    Assessment,
    Candidate,
    CostBasis,
    Decoding,
    Latency,
    Measurement,
    Scoring,
    ServingMemory,
    Sizing,
)
from ladder.lifecycle.serving import PLATFORMS
from ladder.lifecycle.serving.service import ENGINES, Files, Service
from ladder.report.control import take_control
from ladder.report.cost import about
from ladder.report.reading import read_assessment
from ladder.report.summary import usd
from ladder.task import Prices
from ladder.training.estimate import shape_of
from ladder.wording import latency

NOT_SERVED = ("head", "encoder")
"""Kinds of models that no engine below serves: a classifier answers in this program alone."""

LEAST_CONTEXT = 256
"""Tokens; twice the longest measured request where that is more: those to come may be longer."""


@dataclass(frozen=True)
class SizeOptions:
    """What was named on the command line; None: as the run says."""

    requests_per_month: int | None = None
    peak: float | None = None
    p95_ms: float | None = None
    usd_per_hour: float | None = None
    against: str = ""
    """`openai:MODEL@URL` whose listed price is set beside owning."""


class System(NamedTuple):
    """What answers in a run, as far as it is to be sized."""

    rung: str
    """Or `control`."""
    latency: Latency | None
    basis: CostBasis | None
    candidate: Candidate | None = None
    """None: the control."""
    measured: Measurement | None = None


@dataclass(frozen=True)
class Sized:
    """A run's system, sized."""

    assessment: Assessment
    system: System
    sizing: Sizing
    memory: ServingMemory | None
    no_memory: str = ""
    """Why there is none."""

    def as_record(self) -> dict[str, Any]:
        """Return sizing and memory as JSON values."""
        memory = self.memory and self.memory.model_dump(mode="json")
        return {"sizing": self.sizing.model_dump(mode="json"), "memory": memory}


def size_run(run: Path, asked: SizeOptions) -> Sized:
    """Return what serving a run's system takes.

    Args:
        run: its folder, as for `ladder report`.
        asked: what the run does not say, or says otherwise.

    Raises:
        DataError: the run recommends no model, asks an endpoint, or kept no times; or what was
            asked contradicts itself.
    """
    a, folder = read_assessment(run)
    where = str(folder / ASSESSMENT)
    system = _system(a, where)
    bills = a.economics.bills if a.economics else ()
    bill = next((one for one in bills if one.rung == system.rung), None)
    tokens = system.measured.tokens if system.measured else None
    prices = _prices(a, asked) if tokens else None
    found = size(system.latency, _wanted(a, system.basis, asked), tokens, bill, prices)
    if found is None:
        got = "no times of single requests: it was written before they were kept"
        fix = "ladder assess the task again: answers are kept, only the timing is asked anew."
        raise DataError([Problem(where, got, "a run that timed single requests", fix)])
    memory, why = _memory(system, folder)
    return Sized(a, system, found, memory, why)


def _system(a: Assessment, where: str) -> System:
    """Return what a run recommends, where it answers on this machine."""
    attempt = a.chosen
    if a.recommendation.control and a.control:
        return System(CONTROL, a.control.latency, a.control.judged_line.cost_basis)
    if attempt is None or attempt.candidate is None or attempt.measurement is None:
        got = "no rung that is recommended"
        fix = "Nothing is sized that the gate did not let through."
        raise DataError([Problem(where, got, "a run with a chosen rung", fix)])
    if is_served(attempt.candidate.model):
        got = f"{attempt.candidate.model.label}, an endpoint: its machines are not yours to count"
        fix = "Assess the weights on a machine like those to come (hf:...), and size that run."
        raise DataError([Problem(where, got, "a model that ran on this machine", fix)])
    measured = attempt.measurement
    return System(
        attempt.rung, measured.latency_ms, measured.cost_basis, attempt.candidate, measured
    )


def _wanted(a: Assessment, basis: CostBasis | None, asked: SizeOptions) -> Wanted:
    hourly = basis.usd_per_hour if basis else None
    limit = a.task.gate.get("max_p95_ms")
    told = a.recommendation.cost.get("requests_per_month") or (basis and basis.requests_per_month)
    volume = asked.requests_per_month or int(told or 1)
    wanted = Wanted(
        requests_per_month=volume,
        usd_per_hour=asked.usd_per_hour if asked.usd_per_hour is not None else hourly or 0.0,
        peak_per_second=asked.peak,
        limit_ms=asked.p95_ms or (float(limit) if limit else None),
        worked=(basis.utilisation if basis else None) or 1.0,
        confidence=float(a.task.gate["confidence"] or 0.95),
    )
    if wanted.peak < wanted.mean:
        least = f"at least {wanted.mean:.4g} a second, the mean of {volume:,} requests a month"
        raise DataError([Problem("--peak", f"{wanted.peak:g}", least, "Name the busiest hour's.")])
    return wanted


def _prices(a: Assessment, asked: SizeOptions) -> Prices | None:
    """Return the prices that owning is compared with; None: none were named."""
    if not asked.against:
        kept = a.recommendation.deployment.get("prices")
        return Prices.model_validate(kept) if kept else None
    model, _, url = asked.against.removeprefix("openai:").partition("@")
    found = listed_prices(model, url or "https://api.openai.com/v1")
    if found is None:
        fix = "Name the model as its provider does, with its address: openai:MODEL@https://HOST/v1"
        raise DataError([Problem("--against", asked.against, "a model with a listed price", fix)])
    return found


def _may_leave(a: Assessment) -> bool:
    """Tell whether the task's data may leave; runs of before did not keep it: it may not."""
    return bool(a.recommendation.deployment.get("data_may_leave", False))


def _memory(system: System, beside: Path) -> tuple[ServingMemory | None, str]:
    """Return what the model holds in memory, or why that is not known."""
    candidate, measured = system.candidate, system.measured
    if candidate is None or measured is None:
        return None, "no language model answers"
    if not measured.tokens.blocks:
        return None, "the run did not keep how long requests are"
    precision = measured.fingerprint.get("precision", "")
    if candidate.model.kind in NOT_SERVED or precision not in BYTES:
        return None, f"{candidate.model.label} holds no keys and values"
    try:
        folder = model_folder(candidate.model, beside)
        shape = shape_of(folder)
        weights = _numbers_in(folder)
        if candidate.adapter:
            weights += _numbers_in(Path(candidate.adapter))
    except (LadderError, OSError, KeyError, ValueError) as error:
        return None, f"the weights are not here ({str(error).splitlines()[0]})"
    return (
        serving_memory(weights, shape.layers, shape.keys, precision, measured.tokens.blocks),
        "",
    )


def _numbers_in(folder: Path) -> int:
    """Return how many numbers a folder's safetensors files hold: their headers say it."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in header.items():
            count = 1
            for size_ in tensor["shape"] if name != "__metadata__" else (0,):
                count *= size_
            total += count
    if not total:
        raise OSError(f"{folder}: no safetensors files")
    return total


def lines(found: Sized) -> Iterator[str]:
    """Yield what is printed."""
    s, a = found.sizing, found.assessment
    candidate = found.system.candidate
    what = candidate.model.label if candidate else a.recommendation.description
    yield f"{a.task.name}: {found.system.rung}, {what}"
    if instead := take_control(a):
        yield f"But {instead}"
    assumed = "the mean, assumed: a busy hour has more, --peak names it"
    peak = assumed if s.peak_assumed else "named"
    yield (
        f"Load: {s.requests_per_month:,.0f} requests a month, "
        f"peak {s.peak_per_second:.4g} a second ({peak})"
    )
    yield (
        f"Service: mean {latency(s.service_ms)}, p95 {latency(s.service_p95_ms)}, "
        f"{s.timed} requests timed one at a time on {a.hardware.get('processor', 'this machine')}"
    )
    yield from _machine_lines(s)
    yield from _memory_lines(found)
    yield from _cost_lines(s, priced=candidate is not None)
    if s.per_token and not _may_leave(a):
        yield "The task's data may not leave (rules: data_may_leave): that endpoint is no choice."
    if candidate:
        yield (
            "Not measured: what an engine's continuous batching, paged attention, prefix reuse "
            "bring."
        )


def _machine_lines(s: Sizing) -> Iterator[str]:
    if s.machines is None:
        yield (
            f"Machines: no number of them answers 95 % within {s.limit_ms:g} ms: "
            "requests take longer even alone, or over 1,000 are needed"
        )
        return
    unlimited = f"no --p95 named: each busy for at most {MOST_BUSY:.0%} of the peak hour"
    rule = f"p95 at most {s.limit_ms:g} ms" if s.limit_ms else unlimited
    yield f"Machines: {s.machines} ({rule}), M/G/k over the measured times"
    high = "no upper end: too few were timed" if s.p95_high is None else latency(s.p95_high)
    p95, low = latency(s.p95_ms or 0), latency(s.p95_low or 0)
    yield f"Predicted p95 at the peak: {p95} ({low} to {high})"
    yield f"Busy: {s.utilisation:.1%} at the peak, {s.utilisation_mean:.1%} over the month"


def _memory_lines(found: Sized) -> Iterator[str]:
    memory = found.memory
    if memory is None:
        yield f"Memory: not known: {found.no_memory}"
        return
    yield (
        f"Memory: weights {memory.weights_mb:,.0f} MiB in {memory.precision}; "
        f"{memory.kv_bytes_per_token / 1024:g} KiB of keys and values a token; requests of "
        f"{memory.tokens_p50} (p50), {memory.tokens_p95} (p95), {memory.tokens_longest} (longest) "
        f"tokens, each up to the next block of {BLOCK_TOKENS}"
    )
    for one in memory.in_flight:
        yield (
            f"  {one.requests} of the longest at once: {one.kv_mb:,.0f} MiB + weights = "
            f"{one.total_mb:,.0f} MiB, the engine's own not measured"
        )


def _cost_lines(s: Sizing, *, priced: bool) -> Iterator[str]:
    if s.machines is None or s.usd_per_month is None:
        return
    yield (
        f"Owning: {s.machines} × {HOURS_PER_MONTH} h × {s.usd_per_hour:g} USD = "
        f"{s.usd_per_month:,.2f} USD a month; with build, labels and revalidations "
        f"{s.own_per_month:,.2f} USD, {usd(s.usd_per_1k or 0)} USD per 1,000"
    )
    price = s.per_token
    if not priced:
        return
    if price is None:
        yield "Per token: no price named (prices in the task, or --against openai:MODEL@URL)"
        return
    day = f" of {price.priced}" if price.priced else ""
    yield (
        f"Per token: {usd(price.usd_per_month)} USD a month, {usd(price.usd_per_1k)} USD per "
        f"1,000 ({price.source}{day}), for the same tokens; its score was not measured"
    )
    if price.own_from is None:
        yield "Break-even: owning costs less at no volume"
        return
    high = "perhaps never" if price.own_high is None else about(price.own_high)
    yield (
        f"Break-even: owning costs less from about {about(price.own_from)} requests a month "
        f"({about(price.own_low or 0)} to {high})"
    )


def _asked(candidate: Candidate) -> Decoding | Scoring:
    by_text = candidate.decoding != "scored" or candidate.scoring == "sum"
    return candidate.decoding if by_text else candidate.scoring


def serving_files(
    found: Sized, platform: str, engine: str = "", region: str = "", image: str = ""
) -> Files:
    """Return the files that serve a sized run.

    Args:
        found: the run.
        platform: a key of `PLATFORMS`.
        engine: a key of `ENGINES`; empty: vLLM where the run had a GPU, else llama.cpp's server.
        region: where it must run; empty: anywhere.
        image: in place of the engine's usual one.

    Raises:
        DataError: no engine serves it, or no number of machines holds the limit.
    """
    a, candidate, sizing = found.assessment, found.system.candidate, found.sizing
    where, fix = a.task.name, "Only the figures are given for it."
    if candidate is None or candidate.model.kind in NOT_SERVED or found.memory is None:
        got = found.no_memory or "a classifier"
        fix = "Only the figures are given for it; `ladder serve RUN` answers for small loads."
        raise DataError([Problem(where, got, "a language model whose weights are here", fix)])
    if sizing.machines is None:
        got = f"no number of machines that holds {sizing.limit_ms:g} ms"
        raise DataError([Problem(where, got, "a limit that can be held", "Raise it: --p95")])
    gpu, memory = "gpu" in a.hardware, found.memory
    context = max(LEAST_CONTEXT, 2 * memory.tokens_longest)
    service = Service(
        task=a.task.name,
        model=candidate.model.label,
        has_adapter=candidate.adapter is not None,
        precision=memory.precision,
        machines=sizing.machines,
        memory_mb=memory.weights_mb + context * memory.kv_bytes_per_token / MB,
        context=context,
        asked=_asked(candidate),
        gpu=gpu,
        may_leave=_may_leave(a),
        region=region,
        image=image,
    )
    container = ENGINES[engine or ("vllm" if gpu else "llama.cpp")](service)
    return PLATFORMS[platform](service, container)
