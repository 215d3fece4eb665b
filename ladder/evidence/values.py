"""The small records that others are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator


class Record(BaseModel):
    """A frozen value that crosses a file boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    FORMER: ClassVar[Mapping[str, str]] = {}
    """Former name of a field -> its name: what was written before still loads."""
    RETIRED: ClassVar[frozenset[str]] = frozenset()
    """Former names of fields that held sentences, which `ladder.report` says from other fields
    today. They are dropped where a file is read, and refused like any unknown field elsewhere."""

    @model_validator(mode="before")
    @classmethod
    def _with_fields_of_today(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, dict):
            return values
        retired = cls.RETIRED if info.mode == "json" else frozenset()
        known = {name: value for name, value in values.items() if name not in retired}
        return {cls.FORMER.get(name, name): value for name, value in known.items()}

    def but(self, **changes: Any) -> Self:
        """Return the same record with some fields changed, checked like a new one.

        Raises:
            ValidationError: a field that there is not, or a value of the wrong type.
        """
        return self.model_validate({**dict(self), **changes})


class Estimate(Record):
    """A mean score in 0..1 with its two-sided interval."""

    mean: float
    low: float
    high: float
    n: int


MOST_WAITED = 0.2
"""Share of its processor time that a timed request may wait for. A quiet machine shows some
hundredths."""


class Latency(Record):
    """Milliseconds of requests after warm-up, at the task's concurrency, queueing included."""

    p50: float
    p95: float
    p99: float
    n: int
    intervals: dict[str, tuple[float | None, float | None]] = {}
    """p50, p95, p99 -> order-statistic interval; none where the requests are too few for an end."""
    clients: int = 1
    """Requests under way at once."""
    first_token_p50: float | None = None
    first_token_p95: float | None = None
    """Until the first token, where the endpoint streams."""
    queue_p95: float = 0.0
    """Of the wait before the model begins, on a machine that answers one request at a time."""
    most_per_second: float | None = None
    """Requests a second up to which 95 % of them are answered within the gate's limit by one
    machine (`economy.load.rate_in_time`); None: no limit, an endpoint, or at no rate."""
    service_s: tuple[float, ...] = ()
    """Seconds that each request took alone on this machine, in the order of asking: what replicas
    are counted from. Empty: an endpoint, or a file written before."""
    waited: float | None = None
    """Of the processor time that the timed requests wanted: the share for which they waited, since
    other work had the processors. None: an endpoint, or not known."""

    @property
    def disturbed(self) -> bool:
        """Whether other work made the requests so slow that these are no times of the system."""
        return self.waited is not None and self.waited > MOST_WAITED


BLOCK_TOKENS = 16
"""Of a block in which engines hold keys and values (Kwon et al., 2023: PagedAttention)."""


class TokenUse(Record):
    """Mean tokens of a request, and how long requests are."""

    input_mean: float
    output_mean: float
    thoughts_mean: float = 0.0
    """Of `output_mean`: what the model thought before it answered."""
    least: int = 0
    """Prompt and answer of the shortest request that was answered; 0 in files written before."""
    blocks: dict[int, int] = {}
    """Blocks of `BLOCK_TOKENS` that prompt and answer fill -> how many requests. Empty in files
    written before."""


Purpose = Literal[
    "greeting",
    "parity",
    "judge",
    "prompt search",
    "race",
    "proof",
    "fixes",
    "measuring",
    "latency",
    "diagnosis",
    "context curve",
    "teacher",
    "training",
    "confirmation",
]
"""What something is asked for. `greeting`: what a server can do; `parity`: a GGUF
file beside the same weights in transformers; `proof`: a challenger on fresh
training examples; `teacher`: answers to learn; `training`: tokens that were read to learn."""


class Asked(Record):
    """What models were asked: in this run, where nothing else is said."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of this machine, or of waiting for an endpoint."""
    usd: float = 0.0
    """Paid to endpoints."""
    errors: dict[str, int] = {}
    """Kind of error -> requests that ended with it, second tries among them."""


class Failures(Record):
    """Requests that failed, among those of one step."""

    kinds: dict[str, int]
    """Kind -> how many."""
    of: int
    """Requests in all."""
    words: str
    """The server's own, of the commonest kind."""


class Memory(Record):
    """What each technique needs on a machine, and what there is."""

    FORMER = {"there_mb": "available_mb"}

    needed_mb: dict[str, float]
    available_mb: float
