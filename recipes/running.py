"""What the training programs here share: go on after a kill, show how far, stop on a fault, record.

A copied recipe takes this file along. Every program leaves, in its output folder:
    progress.jsonl   a line per step, with the loss where it was logged
    training.json    what was trained, for how long, on what, once it has ended well
    checkpoint-N     while it runs; a killed run goes on from the last one when started again
"""

from __future__ import annotations

import difflib
import errno
import json
import math
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

TOKENS_AT_ONCE = 1024
"""On a CPU: more is no faster, and takes more than 2 GB for 135M parameters. A GPU takes all."""
UNLABELLED = -100
BF16_UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Flags of processors that multiply bfloat16 themselves (x86, x86 with tiles, Arm)."""
WITHOUT_BF16 = frozenset(
    {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
)
"""Values of ONEDNN_MAX_CPU_ISA under which PyTorch leaves those units alone."""
MOST_LEFT_OUT = 0.1
"""More rows than this share that are too long: the recipe does not fit the data."""


@dataclass
class Files:
    """What a program reads, beside the fields of its trainer."""

    train_file: str = field(metadata={"help": "JSON lines."})
    program: str = field(default="sft.py", metadata={"help": "The program that runs this recipe."})
    starts_from: str = field(
        default="base", metadata={"help": "base or student: which model `ladder train` hands over."}
    )


def parse(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Read the YAML after --config, and what the command line changes in it.

    Args:
        parts: the dataclasses whose fields the YAML may name; a key that none of them has ends the
            program with the nearest one that there is.
    """
    import torch
    from trl import TrlParser

    has_place = any(each.name == "use_cpu" for part in parts for each in fields(part))
    if has_place and not torch.cuda.is_available() and "--use_cpu" not in sys.argv:
        sys.argv += ["--use_cpu", "true"]
    torch.use_deterministic_algorithms(True, warn_only=True)
    _reuse_freed_memory()
    _keep_few_kernels()
    parser = TrlParser(parts)
    parser.allow_abbrev = False  # else `--learning_rat` is taken for the field that it begins
    _settle_precision(parser)
    try:
        found: tuple[Any, ...] = parser.parse_args_and_config()
    except ValueError as error:
        unknown = re.findall(r"'?--(\w+)'?|\['(\w+)'", str(error))
        stop(_nearest(unknown[0][0] or unknown[0][1], parts) if unknown else str(error))
    return found


def precision() -> str:
    """Return `bfloat16` where this machine computes in it, else `float32`.

    A step in emulated bfloat16 takes many times one in float32. `ladder.hardware` has the same
    rule, for what answers and what is foreseen.
    """
    import torch

    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float32"
    return precision_of(processor_flags(), os.environ.get("ONEDNN_MAX_CPU_ISA", ""))


def precision_of(flags: Collection[str], most: str) -> str:
    """Return the precision of a processor.

    Args:
        flags: what it can do, as Linux names it.
        most: the most of that which PyTorch may use, as oneDNN names it; empty: all of it.
    """
    has_unit = not BF16_UNITS.isdisjoint(flags) and most.upper() not in WITHOUT_BF16
    return "bfloat16" if has_unit else "float32"


def processor_flags() -> frozenset[str]:
    """Return what the processor can do, as Linux names it; nothing where that is not known."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        with info.open(errors="replace") as lines:
            for line in lines:
                if line.startswith(("flags", "Features")):
                    return frozenset(line.partition(":")[2].split())
    return frozenset()


def _settle_precision(parser: Any) -> None:
    """Let `auto` mean this machine's precision, in the YAML and on the command line.

    `dtype` is that of the weights; to transformers its `auto` would be what the checkpoint has.
    `bf16` lets full-precision weights be computed with in bfloat16; TRL's own default for it is
    yes where `fp16` is not set, whatever the processor.
    """
    for action in parser._actions:
        if action.dest == "dtype":
            action.type = _settled_dtype
        if action.dest == "bf16":
            action.default = None if precision() == "bfloat16" else False
            action.type = partial(_settled_bf16, action.type)


def _settled_dtype(text: str) -> str:
    return precision() if text == "auto" else text


def _settled_bf16(as_bool: Callable[[str], bool], text: str) -> bool:
    return precision() == "bfloat16" if text == "auto" else as_bool(text)


def _nearest(unknown: str, parts: Sequence[Any]) -> str:
    known = [each.name for part in parts for each in fields(part)]
    near = difflib.get_close_matches(unknown, known, 1)
    meant = f"did you mean `{near[0]}`?" if near else "the fields are TRL's and PEFT's own"
    return f"unknown key `{unknown}`: {meant}"


def read_rows(path: str | Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON-lines file, each with the fields that the program needs.

    A file without rows, a broken line, and a row without a field end the program with the line.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            stop(f"{path}, line {number}: not JSON ({error.msg})")
        for name in needed:
            if not isinstance(row, dict) or name not in row:
                stop(f"{path}, line {number}: no `{name}`; each row needs {', '.join(needed)}")
        rows.append(row)
    if not rows:
        stop(f"{path}: no rows to train on")
    return rows


def fitting(rows: Sequence[Any], lengths: Sequence[int], longest: int) -> list[Any]:
    """Return the rows that fit, and say how many do not; a cut row would teach a cut answer.

    Args:
        rows: anything.
        lengths: tokens of each row, prompt and answer.
        longest: the recipe's `max_length`, or the model's context.
    """
    kept = [row for row, tokens in zip(rows, lengths, strict=True) if tokens <= longest]
    left_out = len(rows) - len(kept)
    if left_out > MOST_LEFT_OUT * len(rows):
        stop(
            f"{left_out} of {len(rows)} rows are longer than {longest} tokens (the longest has "
            f"{max(lengths)}): set max_length to that if the model's context allows it, or shorten "
            "the rows"
        )
    if left_out:
        print(f"{left_out} of {len(rows)} rows are longer than {longest} tokens: left out")
    return kept


def row_tokens(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return how many tokens the prompt and the completion of each row take together."""
    if isinstance(rows[0]["prompt"], str):
        texts = [row["prompt"] + row["completion"] for row in rows]
    else:
        turns = [[*row["prompt"], *row["completion"]] for row in rows]
        texts = [tokenizer.apply_chat_template(each, tokenize=False) for each in turns]
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def local_only(model: Any) -> dict[str, Any]:
    """Return how to load from a folder without asking a hub, or from a hub at a revision."""
    here = Path(model.model_name_or_path).is_dir()
    return {"local_files_only": True} if here else {"revision": model.model_revision}


def usual_attention(dtype: str | None) -> str:
    """Return what attends where a recipe does not say.

    On a CPU the plain one, whose backward pass on short rows takes a third of the fused one's
    (`benchmarks/training.py --step`); on a GPU flash attention where that is installed and numbers
    have 16 bits, else PyTorch's fused one.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    if not torch.cuda.is_available():
        return "eager"
    of_16_bits = dtype in ("bfloat16", "float16")
    return "flash_attention_2" if of_16_bits and is_flash_attn_2_available() else "sdpa"


def loading(model: Any) -> dict[str, Any]:
    """Return the loading arguments that the recipe names: precision, attention, place."""
    return {
        "dtype": model.dtype,
        "attn_implementation": model.attn_implementation or usual_attention(model.dtype),
        "use_safetensors": True,
        **local_only(model),
    }


def without_padding(settings: Any, model: Any) -> bool:
    """Let rows stand end to end where flash attention attends; return whether a batch's do.

    It keeps them apart by their positions, and the batches are the same ones. TRL takes no
    `max_length` then: rows that are longer have been left out by `fitting`.
    """
    if loading(model)["attn_implementation"].startswith("flash_attention"):
        settings.padding_free = True
    if settings.padding_free and not settings.packing:
        settings.max_length = None
    return bool(settings.padding_free or settings.packing)


def tokenizer_of(model: Any, settings: Any, **more: Any) -> Any:
    """Return the tokenizer of the model that the recipe names."""
    from transformers import AutoTokenizer

    own_code = {"trust_remote_code": settings.trust_remote_code}
    return AutoTokenizer.from_pretrained(
        model.model_name_or_path, **own_code, **local_only(model), **more
    )


def trainer_arguments(
    settings: Any, model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what TRL's trainers are made with: model, settings, tokenizer, rows, adapters."""
    from datasets import Dataset
    from trl import get_peft_config, get_quantization_config

    settings.model_init_kwargs = loading(model)
    return {
        "model": model.model_name_or_path,
        "args": settings,
        "processing_class": tokenizer,
        "train_dataset": Dataset.from_list(list(rows)),
        "peft_config": get_peft_config(model),
        "quantization_config": get_quantization_config(model),
    }


def completion_trainer(summed_loss: Callable[[Any, Any, Mapping[str, Any]], Any]) -> Any:
    """Return a kind of SFTTrainer that learns completions by a loss of one's own.

    The head runs where there is a label (TRL does so only where Triton is at hand), and rows pass
    a few at a time.

    Args:
        summed_loss: of logits (positions, vocabulary), their labels and the inputs; a sum.
    """
    from trl import SFTTrainer

    class CompletionTrainer(SFTTrainer):  # type: ignore[misc]
        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            step = super().training_step

            def one(part: dict[str, Any]) -> Any:
                return step(model, part, num_items_in_batch)

            return in_parts(self, one, inputs, num_items_in_batch, TOKENS_AT_ONCE)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            if return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            head = self.accelerator.unwrap_model(model).get_output_embeddings()
            logits, wanted = completion_logits(model, inputs, head)
            loss = summed_loss(logits, wanted, inputs)
            self._total_train_tokens += int(inputs["attention_mask"].sum())
            if num_items_in_batch is None:
                return loss / len(wanted)
            # The count is of all processes, and their gradients are averaged.
            return loss / num_items_in_batch * self.accelerator.num_processes

    return CompletionTrainer


def same_vocabulary(student: Any, teacher: Any) -> None:
    """End the program where a teacher's logits would be read as those of other tokens.

    Args:
        student: its tokenizer.
        teacher: its tokenizer.
    """
    own, other = student.get_vocab(), teacher.get_vocab()
    if own == other:
        return
    apart = next(t for t in sorted(own.keys() | other.keys()) if own.get(t) != other.get(t))
    stop(
        f"student and teacher have different vocabularies ({len(own):,} and {len(other):,} tokens; "
        f"`{apart}` is {own.get(apart, 'not there')} and {other.get(apart, 'not there')}): logits "
        "can only be compared token by token. Name a student with the teacher's tokenizer, or take "
        "the distill_sequence recipe, which reads the teacher's text"
    )


def completion_logits(model: Any, inputs: Mapping[str, Any], head: Any = None) -> tuple[Any, Any]:
    """Return the logits (positions, vocabulary) that predict labelled tokens, and those tokens.

    Prompts are most of the tokens, and the head (hidden size x vocabulary) is most of the work of a
    small model: it runs at labelled positions and nowhere else. Rows are padded behind their end,
    where a causal model does not look: without a mask attention costs half as much.

    Args:
        model: is called as ever, so that it may be wrapped for several processes.
        inputs: input_ids, attention_mask and labels (rows, tokens).
        head: its output embeddings, where it is wrapped.
    """
    import torch

    labels, mask = inputs["labels"], inputs["attention_mask"]
    wanted = torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], UNLABELLED)], 1)
    learnt = wanted != UNLABELLED  # the state at a position predicts the next token
    head = head or model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, states: (states[0][learnt],))
    padded_behind = bool(mask[:, 0].all())
    try:
        logits = model(
            input_ids=inputs["input_ids"],
            attention_mask=None if padded_behind else mask,
            use_cache=False,
        ).logits.float()
    finally:
        hook.remove()
    return logits, wanted[learnt]


def in_parts(trainer: Any, step: Any, inputs: Mapping[str, Any], count: Any, at_once: int) -> Any:
    """Take a training step a few rows at a time, those of like length together.

    Activations are most of a step's memory, and padding a third of its work. Each part's loss is
    divided by the labels of the whole batch, so that the parts' gradients add up to the batch's
    own. A GPU takes its batches as they are.

    Args:
        trainer: whose model is trained.
        step: its own training step, of some inputs.
        inputs: tensors of (rows, tokens, ...), or of (rows, ...) that have no width of tokens.
        count: labels in the whole batch, as the trainer counts them.
        at_once: tokens that a part may have.
    """
    import torch

    if count is None or inputs["input_ids"].is_cuda:
        return step(inputs)
    lengths = inputs["attention_mask"].sum(1)
    parts = like_lengths(lengths.tolist(), at_once)
    loss = torch.tensor(0.0)
    for number, rows in enumerate(parts, start=1):
        width = int(lengths[rows].max())
        part = {
            name: _cut(value[rows], inputs["input_ids"], width) for name, value in inputs.items()
        }
        # Processes exchange gradients once, after their last part: they may have more or fewer
        # parts than each other.
        more = number < len(parts)
        with trainer.accelerator.no_sync(trainer.model_wrapped) if more else nullcontext():
            loss += step(part)
    return loss


def like_lengths(lengths: Sequence[int], at_once: int) -> list[list[int]]:
    """Return rows in parts of like length, each of so many tokens at most, padding included."""
    parts: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not parts or (len(parts[-1]) + 1) * lengths[parts[-1][0]] > at_once:
            parts.append([])
        parts[-1].append(row)
    return parts


def _cut(value: Any, ids: Any, width: int) -> Any:
    """Leave out the padding of a tensor that is as wide as the batch."""
    return value[:, :width] if value.dim() > 1 and value.shape[1] == ids.shape[1] else value


def same_precision(trainer: Any) -> None:
    """Hold adapters in the base's precision: on a CPU this is a third faster than float32.

    PEFT reads those of a checkpoint into float32: a run that goes on would be another one.
    """
    load = trainer._load_from_checkpoint

    def load_alike(*given: Any, **more: Any) -> None:
        load(*given, **more)
        _as_the_base(trainer.model)

    trainer._load_from_checkpoint = load_alike
    _as_the_base(trainer.model)


def _as_the_base(model: Any) -> None:
    """Convert adapters to the base's precision.

    DoRA's magnitudes stay as they are: their updates are smaller than bfloat16 can tell, so they
    would not move at all (TRL leaves them out for the same reason).
    """
    dtype = next(p.dtype for p in model.parameters() if not p.requires_grad)
    for name, parameter in model.named_parameters():
        learnt = parameter.requires_grad and "lora_magnitude_vector" not in name
        if learnt and dtype.is_floating_point:
            parameter.data = parameter.data.to(dtype)


def add_in_one_pass(model: Any) -> None:
    """Let each adapter be scaled and added to its layer's output in one operation.

    PEFT takes two passes over the widest tensors of the model, forward and again backward: about
    a twentieth of a step on a CPU. Layers with dropout, DoRA or quantised weights stay PEFT's own,
    and all do on a GPU, where ZeRO-3 gathers the weights of a layer only when that is called.
    """
    import torch
    from peft.tuners.lora import Linear

    if torch.cuda.is_available():
        return

    def adapted(layer: Any, states: Any, *given: Any, **more: Any) -> Any:
        (name,) = layer.active_adapters
        if layer.disable_adapters or layer.merged or given or more:
            return Linear.forward(layer, states, *given, **more)
        base, thin = layer.base_layer(states), layer.lora_A[name](states)
        wide, scale = layer.lora_B[name].weight.T, layer.scaling[name]
        return torch.addmm(base.flatten(0, -2), thin.flatten(0, -2), wide, alpha=scale).view_as(
            base
        )

    for layer in model.modules():
        if type(layer) is Linear and type(layer.base_layer) is torch.nn.Linear:
            (name,) = layer.active_adapters
            plain = name not in layer.lora_variant and not layer.lora_bias[name]
            one_dtype = layer.lora_A[name].weight.dtype == layer.base_layer.weight.dtype
            if plain and one_dtype and isinstance(layer.lora_dropout[name], torch.nn.Identity):
                layer.forward = partial(adapted, layer)


def run(trainer: Any, notes: Callable[[], Mapping[str, Any]] = dict) -> int:
    """Train to the end, from the last checkpoint if there is one, and write the record.

    Args:
        trainer: a transformers Trainer.
        notes: returns what else the record should hold; asked once training has ended.
    """
    import torch

    output = Path(trainer.args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    trainer.args.logging_nan_inf_filter = False  # it would hide a loss that is not a number
    if trainer.args.ddp_find_unused_parameters is None:
        trainer.args.ddp_find_unused_parameters = False  # every trained weight is used
    first = trainer.is_world_process_zero()
    progress = Progress(output / "progress.jsonl", first, partial(_tokens, trainer))
    trainer.add_callback(as_callback(progress))
    started = time.perf_counter()
    try:
        trainer.train(resume_from_checkpoint=last_whole_checkpoint(output))
        seconds = time.perf_counter() - started
        if progress.broken_at is not None:
            stop(_broken(trainer, progress.broken_at, last_whole_checkpoint(output)))
        trainer.save_model(str(output))
        (output / "training_args.bin").unlink(missing_ok=True)  # a pickle; the record says the same
    except (RuntimeError, MemoryError, OSError) as error:
        stop(_fault(error, trainer.args))
    tokens = torch.tensor(_tokens(trainer))
    tokens = int(trainer.accelerator.reduce(tokens.to(trainer.args.device)))
    if first:
        _record(output, trainer, progress, seconds, {"tokens": tokens, **notes()})
        for checkpoint in output.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    return 0


def _tokens(trainer: Any) -> int:
    """Return how many tokens a trainer has learnt, padding left out; 0 where it does not count."""
    return int(getattr(trainer, "_total_train_tokens", 0))


def last_whole_checkpoint(output: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; None where there is none.

    A run that is killed while it saves leaves a part of one. Its state is written last.
    """
    there = output.glob("checkpoint-*")
    for folder in sorted(there, key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            json.loads((folder / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return str(folder)
    return None


class Progress:
    """Append what is known at each logged step, for whoever watches."""

    def __init__(
        self, path: Path, writes: bool = True, tokens: Callable[[], int] = lambda: 0
    ) -> None:
        """Begin.

        Args:
            path: of the file.
            writes: no for all processes but one.
            tokens: returns how many this process has learnt so far, where it counts them.
        """
        self.path = path
        self.writes = writes
        self.tokens = tokens
        self.broken_at: int | None = None
        self.started = time.perf_counter()

    def write(self, step: int, steps: int, loss: float | None) -> None:
        """Append one line; the first loss that is not a number is where training broke."""
        if loss is not None and not math.isfinite(loss) and self.broken_at is None:
            self.broken_at = step
        if self.writes:
            seconds = round(time.perf_counter() - self.started, 2)
            line = {"step": step, "steps": steps, "loss": _or_none(loss), "seconds": seconds}
            line["tokens"] = self.tokens()
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def curve(self) -> list[list[float]]:
        """Return [step, loss] of every logged step; what a resumed run did again counts once."""
        lines = map(json.loads, self.path.read_text().splitlines())
        last = {line["step"]: line["loss"] for line in lines if line["loss"] is not None}
        return [[step, last[step]] for step in sorted(last)]


def as_callback(progress: Progress) -> Any:
    """Return the trainer callback that feeds a Progress, and ends a run whose loss is broken."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)
            control.should_log |= control.should_save  # the loss is looked at before it is kept

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_log |= control.should_save

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                progress.write(state.global_step, state.max_steps, float(logs["loss"]))
            if progress.broken_at is not None:
                control.should_training_stop = True
                control.should_save = False

    return Callback()


def stop(message: str) -> NoReturn:
    """End the program; its last line says why."""
    sys.exit(message)


def _or_none(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None


def _broken(trainer: Any, step: int, kept: str | None) -> str:
    there = f"{Path(kept).name} from before it is kept" if kept else "there is no checkpoint yet"
    rate = trainer.args.learning_rate
    return (
        f"the loss is not a number at step {step}: stopped; {there}. Lower learning_rate (it is "
        f"{rate:g}: try {rate / 10:g}), or look for rows that hold no answer"
    )


def _fault(error: BaseException, settings: Any) -> str:
    """Say what a fault of the machine was and which setting mends it; raise any other error."""
    import torch

    text = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate" in text:
        return f"out of memory: {smaller(settings)}"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in text or "os error 28" in text:
        return f"{settings.output_dir}: no space left on the device; free some and start again"
    raise error


def smaller(settings: Any) -> str:
    """Return the setting that takes less memory and trains the same model."""
    batch, parts = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    if batch > 1:
        half = batch // 2
        return (
            f"set per_device_train_batch_size to {half} and gradient_accumulation_steps to "
            f"{math.ceil(batch / half) * parts} (the same steps in smaller parts)"
        )
    return "set activation_checkpointing to true, or max_length lower; or take the qlora recipe"


def _record(
    output: Path, trainer: Any, progress: Progress, seconds: float, notes: Mapping[str, Any]
) -> None:
    """Write what was trained, for how long, on what."""
    model = trainer.model
    trained = {
        "steps": int(trainer.state.global_step),
        "rows": len(trainer.train_dataset),
        "loss_curve": progress.curve(),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "all_parameters": sum(p.numel() for p in model.parameters()),
        "seed": trainer.args.seed,
        "learning_rate": trainer.args.learning_rate,
        "precision": precision_used(trainer),
        "processes": trainer.args.world_size,
    }
    write_record(output, seconds, ("torch", "transformers", "trl", "peft"), {**trained, **notes})


def precision_used(trainer: Any) -> str:
    """Say which precision the weights were held and computed in."""
    given = trainer.args.model_init_kwargs or {}
    held = str(given.get("dtype", "float32")).removeprefix("torch.")
    autocast = "bfloat16" if trainer.args.bf16 else "float16" if trainer.args.fp16 else held
    if getattr(trainer.model, "is_loaded_in_4bit", False):
        return f"4-bit weights, computed in {autocast}"
    return held if autocast == held else f"{held}, computed in {autocast}"


def write_record(
    output: Path, seconds: float, libraries: Sequence[str], notes: Mapping[str, Any]
) -> None:
    """Write training.json: what the machine did, beside what the program knows of its training."""
    import torch

    gpu = torch.cuda.is_available()
    record = {
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1) if gpu else 0.0,
        "versions": {name: version(name) for name in libraries},
        # On a CPU every kernel here repeats bit for bit with as many threads; on a GPU the
        # backward pass of attention, and sums over atomics, do not.
        "not_deterministic": ["attention's backward pass", "sums by atomics"] if gpu else [],
        "threads": torch.get_num_threads(),
        **notes,
    }
    (output / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def peak_memory_mb() -> float:
    """Return the most memory that this program has held.

    Linux hands `ru_maxrss` on from the process that started this one, which may have held more.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _reuse_freed_memory() -> None:
    """Keep freed memory in the process (glibc): batches of varying length else fault it anew."""
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def _keep_few_kernels() -> None:
    """Let oneDNN keep the kernels of a few steps, not of all shapes that were ever seen.

    It keeps 1,024, each with its scratch memory, and so does PyTorch's layer over it; rows of many
    lengths have many shapes. On a CPU that took another GB within 24 steps, and saved no time.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "16")  # ideep, PyTorch's layer
