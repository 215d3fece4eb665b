"""What a training step computes: losses on completions, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from settings import stop

TOKENS_AT_ONCE = 1024
"""On a CPU: more is no faster, and takes more than 2 GB for 135M parameters. A GPU takes all."""


UNLABELLED = -100


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
