"""Answers from a transformers model on this machine, as fast as static batches allow.

Three things make evaluation fast and leave the answers as they are: the tokens that all requests
share are run once; requests of like length share a batch; and a closed answer set is scored in one
forward pass over the tree of its tokens instead of being generated.
"""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.choices import ChoiceTree
from ladder.engines.growing import Growing, draws_of, next_tokens
from ladder.engines.json_schema import Grammars
from ladder.engines.passport import read_settings, refuse_changed, refuse_pickle
from ladder.errors import EngineError, MissingExtraError
from ladder.files import digest_of, folder_digests
from ladder.hardware import precision
from ladder.wording import harmless

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 4096
"""Tokens in one forward pass, padding included: beyond this a CPU gains nothing."""
BATCH_ROWS = 32
HEAD_ROWS = 256
"""Positions scored against the whole vocabulary at once: bounds the memory of the logits."""

ADAPTER = "adapter_config.json"
PINNED = ("config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja")


class LocalEngine:
    """A causal language model in a folder, with an adapter on top if one is given."""

    def __init__(self, folder: Path, adapter: Path | None = None, own_code: bool = False) -> None:
        """Open the folders; no weights are loaded yet.

        Args:
            folder: of the model.
            adapter: folder of the adapter.
            own_code: run the Python code in the model's folder; without it that is refused.

        Raises:
            EngineError: they hold no model, no adapter, or pickles.
            PassportError: one of them is not what its passport says.
        """
        _refuse_other(folder, adapter)
        refuse_changed(folder, adapter)
        self.folder = folder
        self.adapter = adapter
        self.own_code = own_code

    @property
    def abilities(self) -> Abilities:
        """A local model continues plain text, scores choices, and can be held to a schema."""
        context = int(self._config.get("max_position_embeddings", 2048))
        return Abilities(
            plain=True, scores_choices=True, json_schema=True, context=context, local=True
        )

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_settings(self.folder / "config.json")

    def fingerprint(self) -> dict[str, str]:
        """Return digests of weights, tokenizer, template and adapter, and the precision."""
        weights = sorted(path.name for path in self.folder.glob("*.safetensors"))
        pins = folder_digests(self.folder, PINNED)
        pins["weights"] = digest_of(folder_digests(self.folder, weights))
        if self.adapter is not None:
            names = (ADAPTER, "adapter_model.safetensors")
            pins["adapter"] = digest_of(folder_digests(self.adapter, names))
        pins["precision"] = precision()
        pins["transformers"] = _transformers_version()
        return pins

    @cached_property
    def _token_counter(self) -> Any:
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower kind
            why = harmless(str(error), 120)
            raise EngineError(f"{self.folder}: no tokenizer.json to be read ({why})") from None

    def count_tokens(self, text: str) -> int:
        """Return the exact number of tokens of a text."""
        return len(self._token_counter.encode(text, add_special_tokens=False).ids)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer with its chat template."""
        transformers = _transformers()
        return transformers.AutoTokenizer.from_pretrained(
            self.folder, local_files_only=True, trust_remote_code=self.own_code
        )

    @cached_property
    def model(self) -> Any:
        """The weights in memory; an adapter is merged after it is shown to change the answers."""
        return load_model(self.folder, self.adapter, self.own_code)

    def encode(self, request: Request) -> list[int]:
        """Return the prompt's tokens."""
        if not request.messages:
            return self._ids(self._inert(request.text))
        messages = [
            {"role": role, "content": self._inert(content)} for role, content in request.messages
        ]
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return self._ids(text)

    def _inert(self, text: str) -> str:
        """Break up special tokens in a text: data must not be able to end its own turn."""
        for token in self.tokenizer.all_special_tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer requests in batches of like length, scored ones and generated ones apart."""
        prompts = [self.encode(request) for request in requests]
        fitting = []
        for at, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            unfit = self._unfit(request, prompt)
            if unfit:
                yield at, Completion(error=unfit, kind="too long", tokens_in=len(prompt))
            else:
                fitting.append(at)
        for scored in (True, False):
            group = [at for at in fitting if bool(requests[at].choices) == scored]
            if group:
                run = self._score if scored else self._generate
                yield from run(requests, prompts, group)

    def _unfit(self, request: Request, prompt: list[int]) -> str | None:
        """Return why a request cannot be answered, if it cannot."""
        room = self.abilities.context - request.max_tokens
        if not prompt or len(prompt) > room:
            return f"{len(prompt)} prompt tokens; between 1 and {room} fit this model"
        try:
            self._begin(request, prompt)
        except EngineError as error:
            return str(error)
        return None

    def _batches(
        self, group: list[int], lengths: dict[int, int], beside: int
    ) -> Iterator[list[int]]:
        """Cut into batches of like length that stay within the token budget."""
        batch: list[int] = []
        for at in sorted(group, key=lambda at: -lengths[at]):
            widest = lengths[batch[0]] if batch else lengths[at]
            full = (len(batch) + 1) * (widest + beside // 4) > BATCH_TOKENS
            if batch and (full or len(batch) == BATCH_ROWS):
                yield batch
                batch = []
            batch.append(at)
        if batch:
            yield batch

    def _prefill(self, prompts: Sequence[list[int]], group: list[int]) -> tuple[int, Any]:
        """Run the tokens that all prompts of a group begin with; return how many, and the cache."""
        import torch
        from transformers import DynamicCache

        shared = shared_prefix([prompts[at] for at in group])
        cache = DynamicCache(config=self.model.config)
        if shared:
            ids = torch.tensor([prompts[group[0]][:shared]], device=self.model.device)
            with torch.inference_mode():
                self.model.model(input_ids=ids, past_key_values=cache, use_cache=True)
        return shared, cache

    def _score(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], group: list[int]
    ) -> Iterator[tuple[int, Completion]]:
        import torch

        started = time.perf_counter()
        trees = self._trees(requests, group)
        shared, prefix = self._prefill(prompts, group)
        lengths = {at: len(prompts[at]) - shared + len(trees[at].nodes) for at in group}
        prefill_seconds = (time.perf_counter() - started) / len(group)
        for batch in self._batches(group, lengths, beside=shared):
            started = time.perf_counter()
            with torch.inference_mode():
                rows = [(prompts[at][shared:], trees[at]) for at in batch]
                logprobs = self._tree_logprobs(rows, shared, prefix)
            seconds = (time.perf_counter() - started) / len(batch) + prefill_seconds
            for at, scored in zip(batch, logprobs, strict=True):
                choice_logprobs, greedy = trees[at].read(scored)
                best = max(range(len(choice_logprobs)), key=choice_logprobs.__getitem__)
                yield (
                    at,
                    Completion(
                        text=requests[at].choices[best],
                        tokens_in=len(prompts[at]),
                        tokens_out=trees[at].lengths[best],
                        seconds=seconds,
                        choice_logprobs=choice_logprobs,
                        greedy_choice=greedy,
                    ),
                )

    def _trees(self, requests: Sequence[Request], group: list[int]) -> dict[int, ChoiceTree]:
        """Build each distinct answer set's tree once."""
        built: dict[tuple[bool, tuple[str, ...]], ChoiceTree] = {}
        trees = {}
        for at in group:
            chat, choices = bool(requests[at].messages), requests[at].choices
            if (chat, choices) not in built:
                # In plain text an answer follows a space and ends its line; in a chat it ends
                # the turn. Scoring the end keeps a label from winning as a part of a longer one.
                end = self.tokenizer.eos_token_id if chat else self._line_end
                texts = choices if chat else tuple(f" {choice}" for choice in choices)
                ids = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
                built[chat, choices] = ChoiceTree.build(ids, end)
            trees[at] = built[chat, choices]
        return trees

    @cached_property
    def _line_end(self) -> int:
        return int(self.tokenizer("\n", add_special_tokens=False)["input_ids"][-1])

    def _tree_logprobs(
        self, rows: list[tuple[list[int], ChoiceTree]], shared: int, prefix: Any
    ) -> list[list[dict[int, float]]]:
        """Return, for each row, the log-probabilities of each tree node's children."""
        import torch

        width = max(len(suffix) + len(tree.nodes) for suffix, tree in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        positions = torch.zeros_like(ids)
        sees = torch.zeros((len(rows), 1, width, shared + width), dtype=torch.bool)
        sees[..., :shared] = True
        sees[:, 0, torch.arange(width), shared + torch.arange(width)] = True  # no row sees nothing
        asked: list[tuple[int, int]] = []
        for row, (suffix, tree) in enumerate(rows):
            size = len(suffix)
            ids[row, :size] = torch.tensor(suffix)
            positions[row, : size + len(tree.nodes)] = torch.tensor(
                [*range(shared, shared + size), *(shared + size - 1 + d for d in tree.depths)]
            )
            sees[row, 0, :size, shared : shared + size] = torch.ones(size, size).tril().bool()
            asked.append((row, size - 1))
            if tree.nodes:
                end = size + len(tree.nodes)
                ids[row, size:end] = torch.tensor(tree.nodes)
                sees[row, 0, size:end, shared : shared + size] = True
                sees[row, 0, size:end, shared + size : shared + end] = torch.from_numpy(
                    tree.ancestors
                )
                asked += [(row, at) for at in range(size, end)]
        device = self.model.device
        hidden = self.model.model(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            attention_mask=sees.to(device),
            past_key_values=repeated(prefix, len(rows)) if shared else None,
            use_cache=bool(shared),
        ).last_hidden_state
        places = torch.tensor(asked, device=device)
        picked = hidden[places[:, 0], places[:, 1]]
        children = [list(kids) for _, tree in rows for kids in tree.children]
        values = self._children_logprobs(picked, children)
        out, at = [], 0
        for _, tree in rows:
            out.append(values[at : at + len(tree.children)])
            at += len(tree.children)
        return out

    def _children_logprobs(
        self, hidden: torch.Tensor, children: list[list[int]]
    ) -> list[dict[int, float]]:
        import torch

        found: list[dict[int, float]] = []
        for start in range(0, len(children), HEAD_ROWS):
            logits = self.model.lm_head(hidden[start : start + HEAD_ROWS]).float()
            totals = torch.logsumexp(logits, dim=-1)
            for row, kids in enumerate(children[start : start + HEAD_ROWS]):
                values = (logits[row, kids] - totals[row]).tolist()
                found.append(dict(zip(kids, values, strict=True)))
        return found

    def _generate(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], group: list[int]
    ) -> Iterator[tuple[int, Completion]]:
        import torch

        started = time.perf_counter()
        shared, prefix = self._prefill(prompts, group)
        prefill_seconds = (time.perf_counter() - started) / len(group)
        lengths = {at: len(prompts[at]) - shared + requests[at].max_tokens for at in group}
        for batch in self._batches(group, lengths, beside=shared):
            started = time.perf_counter()
            answers = [self._begin(requests[at], prompts[at]) for at in batch]
            with torch.inference_mode():
                self._grow(answers, [prompts[at][shared:] for at in batch], shared, prefix)
            seconds = (time.perf_counter() - started) / len(batch) + prefill_seconds
            for at, answer in zip(batch, answers, strict=True):
                text = "" if answer.fault else self._text(answer.tokens, requests[at].stop)
                tokens_in, tokens_out = len(prompts[at]), len(answer.tokens)
                yield at, Completion(text, tokens_in, tokens_out, seconds, answer.fault)

    def _begin(self, request: Request, prompt: list[int]) -> Growing:
        matcher = None
        if request.schema:
            matcher = self._grammars.start(request.schema, after_space=not request.messages)
        return Growing(request, matcher, draws_of(request, prompt))

    @cached_property
    def _grammars(self) -> Grammars:
        vocabulary = self.model.get_output_embeddings().out_features
        return Grammars(self.tokenizer, vocabulary, [*self._ends])

    def _grow(
        self, answers: list[Growing], suffixes: list[list[int]], shared: int, prefix: Any
    ) -> None:
        """Decode token by token; an answer that has ended leaves the batch."""
        import torch

        device = self.model.device
        cache = repeated(prefix, len(suffixes))
        ids, mask, positions = self._padded(suffixes, shared)
        live = list(answers)
        while True:
            logits = self._next_logits(ids, mask, positions, cache)
            for answer, token in zip(live, next_tokens(logits, live), strict=True):
                answer.take(token)
            going = [place for place, answer in enumerate(live) if not self._ended(answer)]
            if not going:
                return
            if len(going) < len(live):
                keep = torch.tensor(going, device=device)
                cache.batch_select_indices(keep)
                mask, positions = mask[keep], positions[keep]
                live = [live[place] for place in going]
            ids = torch.tensor([[answer.tokens[-1]] for answer in live], device=device)
            mask = torch.cat([mask, mask.new_ones((len(live), 1))], dim=-1)
            positions = positions[:, -1:] + 1

    def _padded(
        self, suffixes: list[list[int]], shared: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ids, attention mask and positions of prompts, behind the tokens they share."""
        import torch

        width = max(map(len, suffixes))
        ids = torch.zeros((len(suffixes), width), dtype=torch.long)
        mask = torch.zeros((len(suffixes), shared + width), dtype=torch.long)
        mask[:, :shared] = 1
        for row, suffix in enumerate(suffixes):  # padded on the left: all answers begin together
            ids[row, width - len(suffix) :] = torch.tensor(suffix)
            mask[row, shared + width - len(suffix) :] = 1
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, shared:]
        device = self.model.device
        return ids.to(device), mask.to(device), positions.to(device)

    def _next_logits(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
    ) -> torch.Tensor:
        logits: torch.Tensor = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits

    def first_logprobs(self, requests: Sequence[Request]) -> torch.Tensor:
        """Return the log-probabilities of each answer's first token: [requests, vocabulary].

        Float32, on the CPU; all requests in one batch, as generation begins.
        """
        import torch

        prompts = [self.encode(request) for request in requests]
        with torch.inference_mode():
            shared, prefix = self._prefill(prompts, [*range(len(prompts))])
            padded = self._padded([prompt[shared:] for prompt in prompts], shared)
            logits = self._next_logits(*padded, repeated(prefix, len(prompts)))
            return logits.float().log_softmax(-1).cpu()

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self.model.generation_config.eos_token_id
        own = {self.tokenizer.eos_token_id}
        return frozenset(own | set(ends if isinstance(ends, list) else [ends]))

    def _ended(self, answer: Growing) -> bool:
        tokens, request = answer.tokens, answer.request
        if answer.whole or tokens[-1] in self._ends or len(tokens) >= request.max_tokens:
            return True
        return bool(request.stop) and any(
            stop in self.tokenizer.decode(tokens) for stop in request.stop
        )

    def _text(self, tokens: list[int], stops: Sequence[str]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in stops:
            text = text.split(stop, 1)[0]
        return text.strip()


def shared_prefix(prompts: Sequence[list[int]]) -> int:
    """Return how many first tokens all prompts share, leaving at least one to each."""
    if len(prompts) < 2:
        return 0
    low, high = min(prompts), max(prompts)
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    return min(shared, *(len(prompt) - 1 for prompt in prompts))


def repeated(cache: Any, rows: int) -> Any:
    """Return a copy of a one-row key-value cache for a batch."""
    import copy

    copied = copy.deepcopy(cache)
    if copied.get_seq_length():
        copied.batch_repeat_interleave(rows)
    return copied


def _refuse_other(folder: Path, adapter: Path | None) -> None:
    """Refuse folders that hold something else than a model and an adapter in safetensors."""
    if not (folder / "config.json").is_file():
        if (folder / ADAPTER).is_file():
            fix = f"`ladder export {folder} --to merged` makes a model of it"
            raise EngineError(f"{folder} holds an adapter, not a model: {fix}")
        raise EngineError(f"{folder} holds no model: there is no config.json in it")
    refuse_pickle(folder)
    if adapter is not None:
        if not (adapter / ADAPTER).is_file():
            raise EngineError(f"{adapter} holds no adapter: there is no {ADAPTER} in it")
        refuse_pickle(adapter)


def _transformers_version() -> str:
    try:
        return version("transformers")
    except PackageNotFoundError:
        raise MissingExtraError("transformers", 'pip install "escalation-ladder[local]"') from None


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("transformers", 'pip install "escalation-ladder[local]"') from None
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def load_model(folder: Path, adapter: Path | None, own_code: bool = False) -> Any:
    """Load weights for inference, with the adapter merged into them.

    Raises:
        EngineError: the weights cannot be loaded, or the adapter does not change the answers.
        MissingExtraError: torch, transformers or peft is not installed.
    """
    transformers = _transformers()
    import torch

    reuse_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, precision()),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=own_code,
        ).to(device)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        fix = (
            "Wanted: safetensors weights of an architecture that transformers itself has; code in "
            "a folder runs only where rules.remote_code names the model, and with your consent"
        )
        raise EngineError(f"{folder} cannot be loaded. {fix}. {why}") from None
    model.eval()
    if adapter is None:
        return model
    # It reports that optional kernels are not downloaded; nothing here needs them.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingExtraError("peft", 'pip install "escalation-ladder[train]"') from None
    probe = torch.arange(100, 132, device=device)[None]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        before = model(probe).logits.float()
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        change = float((model(probe).logits.float() - before).abs().max())
    if change == 0:
        raise EngineError(f"the adapter in {adapter} does not change the model's answers")
    model.eval()
    return model


def load_gguf(file: Path) -> Any:
    """Load a GGUF file for inference, in the precision of this machine."""
    transformers = _transformers()
    import torch

    with redirect_stderr(io.StringIO()):  # its own bar cannot be turned off otherwise
        model = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=getattr(torch, precision()),
            local_files_only=True,
        )
    model.eval()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def reuse_freed_memory() -> None:
    """Keep freed memory in the process (glibc), instead of faulting it in anew for every batch.

    Batches of varying length otherwise spend nearly half their time on page faults.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no separate mapping per large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: do not give the heap's top back
