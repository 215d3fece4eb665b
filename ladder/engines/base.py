"""What every engine takes and gives: a Request in, a Completion out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

CUT_BEFORE_TEXT = "cut before any text"
"""The kind of error of an answer that reached its limit of tokens before it began."""
NO_ANSWER = "no answer"
"""The kind of error where a model says that it cannot decide: it is not scored as wrong."""
CHANCE_LEVEL = "chance level"
"""The kind of error where a server gives all options one probability: it has read nothing."""
OWN_KINDS = frozenset(
    {
        NO_ANSWER,
        "too long",
        "empty",
        CUT_BEFORE_TEXT,
        "chat template",
        "content filter",
        "refusal",
        "tool call",
        "no text",
        "thoughts only",
        "worker died",  # of `sharded.work`: two in turn, with nothing else to answer
    }
)
"""Of errors that would come again: they are in the request, or in what the model says to it."""
PASSING_STATUSES = frozenset({"HTTP 408", "HTTP 409", "HTTP 425", "HTTP 429"})
LATER = frozenset({"schema", "temperature", "sample", "top_logprobs"})
"""Fields of a Request that answers were kept without."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Either `messages` (role, content) in chat form, or `text` to be continued as it stands.
    With `choices` the engine scores each of them as the continuation instead of generating.
    """

    messages: tuple[tuple[str, str], ...] = ()
    text: str = ""
    choices: tuple[str, ...] = ()
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    """Generation ends before the first of these strings."""
    schema: str = ""
    """A JSON Schema, as JSON text, that the answer keeps to; its properties come in this order.
    An answer that reaches `max_tokens` before it is whole is cut there, and is not valid JSON."""
    temperature: float = 0.0
    """0: the likeliest token each time. Above: drawn from the softmax of logits / temperature."""
    sample: int = 0
    """Which draw. With the prompt it seeds the draw: the same request has the same answer."""
    top_logprobs: int = 0
    """So many of the likeliest first tokens are to be told, by endpoints that do (a probe)."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain values: the part of the cache key that is the request.

        Fields that came later are left out where they are unset, so cached completions stay valid.
        """
        values = asdict(self)
        return {name: value for name, value in values.items() if value or name not in LATER}


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, or an error: never an empty answer in place of one."""

    text: str = ""
    tokens_in: int = 0
    """Exact tokens of the prompt, without padding."""
    tokens_out: int = 0
    seconds: float = 0.0
    """This request's share of the machine's time (of its batch), or its own time at an endpoint."""
    error: str | None = None
    kind: str = ""
    """Of an error: a word or two that errors of one kind share, e.g. `HTTP 503` or `time-out`."""
    choice_logprobs: tuple[float, ...] = ()
    """Log-probability of each choice, its end included, in the order of the request."""
    greedy_choice: int | None = None
    """The choice that decoding token by token within the choices arrives at."""
    lost_tokens: tuple[int, int] = (0, 0)
    """Of prompts and answers, billed in tries that gave no answer before this one came: they were
    paid, and are no part of what an answer costs."""
    first_s: float | None = None
    """Seconds until the first token came, where the answer was streamed."""
    cut: bool = False
    """The answer reached `max_tokens` before it ended: its end is missing."""
    thought_tokens: int = 0
    """Of `tokens_out`: what the model thought before it answered. It is paid, and never scored."""
    first_logprobs: tuple[tuple[str, float], ...] = ()
    """The likeliest first tokens with their log-probabilities (nats), where an endpoint told them:
    then the text may be blank."""
    chance: float | None = None
    """Of the answer, 0..1, where the engine is a classifier that tells it with the answer."""
    cached: bool = False

    @property
    def is_own_fault(self) -> bool:
        """Whether the error speaks of this request and would come again, not of the server.

        A system whose prompts are too long fails by itself; one whose server was down did not.
        """
        refused = self.kind.startswith("HTTP 4") and self.kind not in PASSING_STATUSES
        return self.error is not None and (refused or self.kind in OWN_KINDS)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine can do."""

    chat: bool = True
    """Takes turns of a chat; else one text."""
    system: bool = True
    """Takes a system turn; else the instruction stands in the first user turn."""
    plain: bool = False
    """Continues a text without a chat template."""
    thinks: bool = False
    """Writes thoughts before its answer, which takes tokens of the answer's limit."""
    scores_choices: bool = False
    decides: bool = False
    """Answers typed questions with one of their options, and writes no text."""
    json_schema: bool = False
    """Holds an answer to a JSON Schema, or asks the endpoint to."""
    context: int = 4096
    """Tokens that fit into prompt and answer together."""
    instructed: bool = True
    """Reads instructions and examples; a classifier reads the bare input."""
    served: bool = False
    """Answered by a server, many requests at once: priced by tokens, timed at the task's
    concurrency. It has `timeout_s`, `concurrency`, `ahead`, `ended` and `streaming`, like
    `EndpointEngine`."""
    local: bool = True
    """Runs on this machine: nothing leaves it, and its cost is machine time."""
    negotiated: tuple[str, ...] = ()
    """What a server has refused so far of how requests are put, and what is sent instead."""
    served_by: tuple[str, ...] = ()
    """The models and builds that a server's answers have named so far, in their order."""
    counts_exactly: bool = True
    """`count_tokens` asks the model's tokenizer; else it estimates, and limits go by a bound."""


class Engine(Protocol):
    """Where answers come from."""

    @property
    def abilities(self) -> Abilities:
        """What this engine can do."""
        ...

    def fingerprint(self) -> dict[str, str]:
        """Return what its answers depend on (weights, template, precision), without loading it."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text (an estimate where the tokenizer is not at hand)."""
        ...

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer requests in any order; yield the position of each with its completion."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests of one call that are answered together, in one batch: cut by their content alone."""

    places: tuple[int, ...]
    """Positions of its requests in the call."""
    shared: int
    """First tokens of each of its prompts that all prompts of its kind in the call begin with."""
    group: int
    """Requests of the call that begin so: each bears its share of the time that reading it took."""


@runtime_checkable
class Chunked(Protocol):
    """An engine whose calls are cut into chunks, which any copy of it answers alike."""

    def cut(self, requests: Sequence[Request]) -> tuple[list[tuple[int, Completion]], list[Chunk]]:
        """Return the errors of requests that cannot be asked, by position, and the chunks."""
        ...

    def answer(self, requests: Sequence[Request], chunk: Chunk) -> list[Completion]:
        """Answer the requests of a chunk, in its order."""
        ...


class Served(Engine, Protocol):
    """An engine whose answers come from a server (`Abilities.served`)."""

    timeout_s: float
    """Seconds that one try may take."""
    concurrency: int
    """Requests under way at once, at most."""
    ahead: Callable[[Request], None] | None
    """Called before each try is sent; where it raises, nothing more is sent."""
    ended: Callable[[Request, tuple[int, int] | None], None] | None
    """Called after each try, with the tokens of prompt and answer that it cost; None: it was sent,
    no answer came, and it may be billed."""

    def streaming(self, concurrency: int) -> Engine:
        """Return an engine to be timed: so many requests under way at once, from the start."""
        ...


def here(engine: Engine) -> Engine:
    """Return the engine of this machine: of a model that answers on a cluster, the model itself.

    What is timed is timed on it, since how fast a cluster answers is no user's wait for one answer.
    """
    own: Engine = getattr(engine, "here", engine)
    return own


@runtime_checkable
class Templated(Protocol):
    """An engine that asks by a chat template.

    What that takes is found by trying it, which needs the tokenizer loaded. It is kept, so that a
    run whose answers are all kept loads nothing.
    """

    def template_files(self) -> dict[str, str]:
        """Return digests of all that it depends on, without loading it."""
        ...

    def try_template(self) -> dict[str, Any]:
        """Load the tokenizer and try the template; the answer is JSON-able.

        Raises:
            EngineError: there is no tokenizer to be read.
            MissingExtraError: transformers is not installed.
        """
        ...

    def know_template(self, found: dict[str, Any]) -> None:
        """Take what was found before for found."""
        ...


@runtime_checkable
class Learning(Protocol):
    """A served engine whose abilities are known once its server was asked."""

    learnt: dict[str, bool]
    """What was found; kept, and set again in later runs."""

    def learn(
        self, *, greet: bool = True, tell: Callable[[Completion], None] = lambda completion: None
    ) -> dict[str, bool] | None:
        """Ask what the server and the model can do; None where nobody answers now.

        Args:
            greet: also ask whether the model thinks before it answers.
            tell: is told of each answer.
        """
        ...
