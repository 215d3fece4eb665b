"""task.yaml -> Task: the user's job, with every mistake reported at once.

Only the form is checked here. Names of scorers, engines and rungs are looked up by the room that
owns their table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from ladder.task.references import ModelRef, store_parts
from ladder.trust.code import Consent, Granted

RungName = str
"""The NAME of a module in `rungs.LADDER`; `climb.preflight` knows which there are."""
RUNGS: tuple[RungName, ...] = ("prompt", "rag", "lora", "distill")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `yes`, `on` and the like where a number is wanted: YAML reads them as true."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and {int, float} & {kind, *get_args(kind)}:
            raise ValueError("a number (YAML reads yes, no, on and off as true and false)")
        return value


ColumnName = Literal[
    "id",
    "input",
    "target",
    "targets",
    "doc_ids",
    "group",
    "stratum",
    "time",
    "text",
    "title",
    "answer",
    "human",
    "chosen",
    "rejected",
    "desirable",
    "split",
]


def _store_place(value: str) -> str:
    store_parts(value)
    return value


class DataFiles(_Section):
    """Where the rows are: `examples` alone, or `test` with `train` and `dev`, both optional."""

    train: str | None = None
    dev: str | None = None
    """Rows that choose between candidates; default: a part of `train`."""
    test: str | None = None
    examples: str | None = None
    documents: str | None = None
    store: Annotated[str, AfterValidator(_store_place)] | None = None
    """Where the documents are kept and searched; default: in memory, anew in each run."""
    unlabeled: str | None = None
    out_of_scope: str | None = None
    """Inputs that none of the labels answers, in the share in which they come beside the held-out
    examples: from which probability on answers are given is chosen and judged with them."""
    synthetic: str | None = None
    """Training examples that a teacher wrote (`ladder synth`); they teach, and never judge."""
    graded: str | None = None
    """Answers that people have graded: what the `judge` scorer is compared with."""
    preferences: str | None = None
    """Better and worse answers, or answers that are wanted or not: what dpo, orpo and kto learn."""
    language: str | None = Field(None, pattern=r"^([a-z]{2,3}|none)$")
    """ISO 639-1 code of the documents and rows: whose stems a search by words goes by. None: told
    by their function words; "none": words are searched as they are."""
    columns: dict[ColumnName, str] = {}
    """Our field name -> the name of the column in the user's files, e.g. {input: text}. `split`:
    which part a row of `examples` belongs to; where it is not mapped, ladder splits them."""

    def files(self) -> dict[str, str]:
        """Return the role and value of every file that is given."""
        roles = ("train", "dev", "test", "examples", "documents", "unlabeled", "synthetic")
        named = (*roles, "graded", "preferences", "out_of_scope")
        return {role: value for role in named if (value := getattr(self, role))}


def _each_once(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Write labels as rows are read: in Unicode's form NFC, without spaces around them."""
    return tuple(dict.fromkeys(unicodedata.normalize("NFC", label.strip()) for label in labels))


class AnswerForm(_Section):
    """What an answer looks like."""

    type: Literal["label", "text", "number", "json"] = "text"
    labels: Annotated[tuple[str, ...], AfterValidator(_each_once)] = ()
    """The closed answer set; taken from the training examples when it is not given."""
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    """Tokens that an answer may have, a model's thoughts before it included; default: what the
    known answers need, and some more."""


class GateLimits(_Section):
    """The limits a rung must hold to pass."""

    min_score: float = Field(gt=0, le=1)
    max_cost_usd_per_1k: float | None = Field(None, gt=0)
    max_p95_ms: float | None = Field(None, gt=0)
    max_error_rate: float = Field(0.02, ge=0, lt=1)
    """Above this share of engine errors there is no verdict."""
    confidence: float = Field(0.95, ge=0.5, lt=1)
    when_undecided: Literal["lean", "climb", "stop", "ask"] = "lean"
    """What to do when the rows settle nothing: go by the estimate and say so (lean), try the next
    rung, stop, or ask the person at the terminal."""
    when_control_passes: Literal["stop", "climb"] | None = None
    """What to do when answers without a language model hold the gate already: stop there, or
    measure the rungs all the same. Not given: stop where answers are labels and no `rungs` are
    named."""


class ModelNames(_Section):
    """Which models take part.

    Each is `bundled:<name>`, `hf:<id-or-folder>@<revision>` or `openai:<model>@<base-url>`.
    """

    base: ModelRef = ModelRef("bundled:smollm2-135m")
    teacher: ModelRef | None = None
    student: ModelRef | None = None
    embedding: ModelRef | None = None
    reranker: ModelRef | None = None
    """A cross-encoder that orders anew what a search found."""


def _keys_as_rows_are_read(shares: dict[str, float]) -> dict[str, float]:
    return {unicodedata.normalize("NFC", kind.strip()): share for kind, share in shares.items()}


class Use(_Section):
    """How the answer will be used."""

    requests_per_month: int = Field(100_000, ge=1, le=10**12)
    concurrency: int = Field(1, ge=1, le=10_000)
    months: int = Field(12, ge=1, le=600)
    """Over which what is paid once is spread."""
    usd_per_label: float = Field(0.0, ge=0, le=1e6)
    """What one labelled row costs to make."""
    strata: Annotated[
        dict[str, Annotated[float, Field(gt=0)]], AfterValidator(_keys_as_rows_are_read)
    ] = {}
    """Kind of row (the `stratum` column) -> its share of the requests in production."""


class Hardware(_Section):
    """What this machine costs, and a second one like it."""

    usd_per_hour: float = Field(0.20, ge=0, le=1e6)
    priced: date | None = None
    """The day on which that was the price."""
    shared: bool = False
    """Other work is done on the machine too, so that an answer costs the seconds that it takes; not
    given, whole machines are paid, every hour of the month."""
    utilisation: float = Field(1.0, gt=0, le=1)
    """The share of the paid hours in which it answers; the rest is paid all the same."""


class Prices(_Section):
    """What an endpoint charges, and where the figures come from."""

    input_usd_per_1m: float = Field(ge=0, le=1e6)
    output_usd_per_1m: float = Field(ge=0, le=1e6)
    source: str = "task.yaml"
    priced: date | None = None
    """The day on which that was the price."""


def _ray_address(value: str) -> str:
    if value != "auto" and not re.fullmatch(r"[A-Za-z0-9._-]+:[0-9]{1,5}", value):
        raise ValueError("HOST:PORT of a Ray cluster (as `ray start --head` prints it), or auto")
    return value


class Execution(_Section):
    """Where models whose weights are on this machine answer: here, or on a Ray cluster too."""

    engine: Literal["local", "ray"] = "local"
    address: Annotated[str, AfterValidator(_ray_address)] = "auto"
    """HOST:PORT of a Ray cluster that runs; `auto`: what RAY_ADDRESS says."""
    workers: int | None = Field(None, ge=1, le=10_000)
    """At most; not given: as many as the cluster has room for. The answers are the same for any."""
    cpus: int | None = Field(None, ge=1, le=1024)
    """Cores, and so threads, of each worker; not given: as many as this machine computes with."""
    gpus: float = Field(0.0, ge=0, le=64)
    """Of each worker."""


class Rules(_Section):
    """What the run may do."""

    data_may_leave: bool = False
    max_spend_usd: float = Field(5.0, ge=0, le=1e9)
    request_timeout_s: float = Field(45.0, gt=0, le=3600)
    """Seconds that one request to an endpoint may take in all."""
    requests_in_flight: int = Field(8, ge=1, le=1024)
    """Requests that an endpoint is asked at once, at most."""
    remote_code: list[ModelRef] = []
    """Models, by the name they have under `models`, whose own Python code may run here."""


class Training(_Section):
    """How the lora and distill rungs train."""

    recipe: str | None = None
    """A shipped recipe's name (lora, qlora, dora, full), or a recipe file beside the task; unnamed,
    lora where the memory is there, else qlora."""
    max_rows: int = Field(2000, ge=1)
    """Train on at most so many rows; the report says when rows were left out."""


class Search(_Section):
    """How hard the prompt rung looks for a better prompt when its usual ones do not pass."""

    prompt_calls: int = Field(600, ge=0, le=1_000_000)
    """Rows answered while searching, at most; 0: no search."""


class ScorerChoice(_Section):
    """A scorer's name and its parameters."""

    name: str
    parameters: dict[str, Any] = {}


def _scorer_choices(value: object) -> object:
    """Accept `name`, `{name: {parameters}}`, or a list of either."""
    entries = value if isinstance(value, list) else [value]
    choices: list[object] = []
    for entry in entries:
        if isinstance(entry, str):
            choices.append({"name": entry})
        elif isinstance(entry, Mapping) and len(entry) == 1:
            name, parameters = next(iter(entry.items()))
            choices.append({"name": name, "parameters": parameters or {}})
        else:
            raise ValueError("a name, or {name: {parameter: value}}, or a list of them")
    if not choices:
        raise ValueError("at least one scorer")
    return choices


def _one_or_more(value: object) -> object:
    """Accept a single name where a list is wanted."""
    return value if isinstance(value, list | tuple) else [value]


def _trackers(value: object) -> object:
    """Accept a word, a list of words, or `none`, as Hugging Face's `report_to` has it."""
    named = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(named, list | tuple) or not all(isinstance(one, str) for one in named):
        raise ValueError("the name of a tracker, a list of names, or none")
    words = [str(one).strip() for one in named]
    if "none" in words and len(words) > 1:
        raise ValueError("`none` alone, or the names of trackers")
    return tuple(dict.fromkeys(word for word in words if word != "none"))


S = TypeVar("S", bound=_Section)


def _changed(section: S, changes: Mapping[str, Any]) -> S:
    return type(section).model_validate({**section.model_dump(exclude_unset=True), **changes})


class Task(_Section):
    """The user's job, as written in task.yaml."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    goal: str = Field(min_length=3)
    data: DataFiles
    answer: AnswerForm = AnswerForm()
    score: Annotated[tuple[ScorerChoice, ...], BeforeValidator(_scorer_choices)]
    metric_rationale: str = ""
    """Why the first score is what a user of the answers cares for; `ladder freeze` wants it."""
    gate: GateLimits
    models: ModelNames = ModelNames()
    use: Use = Use()
    hardware: Hardware = Hardware()
    execution: Execution = Execution()
    prices: Prices | None = None
    rules: Rules = Rules()
    search: Search = Search()
    training: Training = Training()
    rungs: Annotated[tuple[RungName, ...], BeforeValidator(_one_or_more)] = Field(
        RUNGS, min_length=1
    )
    seed: int = Field(0, ge=0, lt=2**31)
    report_to: Annotated[tuple[str, ...], BeforeValidator(_trackers)] = ()
    """Where an assessment is reported beside its own files: names in `tracking.TRACKERS`."""

    _source: Path = PrivateAttr(Path("task.yaml"))
    _data_root: Path | None = PrivateAttr(None)
    _digest: str = PrivateAttr("")
    _granted: Granted = PrivateAttr("trusted")

    @property
    def source(self) -> Path:
        """The task file."""
        return self._source

    @property
    def folder(self) -> Path:
        """The folder of the task file."""
        return self._source.parent

    @property
    def data_root(self) -> Path | None:
        """The folder given with --data, if any."""
        return self._data_root

    @property
    def digest(self) -> str:
        """The sha256 of the task file."""
        return self._digest

    @property
    def consent(self) -> Consent:
        """What of the code that the task names may run: a person says so, outside of the task."""
        return Consent(self._source, self._granted)

    @property
    def stops_at_control(self) -> bool:
        """Whether the control is the answer where it holds the gate."""
        named = "rungs" in self.model_fields_set  # they are wanted
        usual = "stop" if self.answer.type == "label" and not named else "climb"
        return (self.gate.when_control_passes or usual) == "stop"

    def with_gate(self, **changes: Any) -> Task:
        """Return the task with some limits of the gate changed, checked like new ones."""
        return self.model_copy(update={"gate": _changed(self.gate, changes)})

    def climbing(self) -> Task:
        """Return the task as `--until` and `--climb` change it: no control ends the climb.

        A control that may not end it has no share of the gate's error, so fewer rows do.
        """
        return self.with_gate(when_control_passes="climb")

    def with_data(self, **changes: Any) -> Task:
        """Return the task with some of its files changed, checked like new ones."""
        return self.model_copy(update={"data": _changed(self.data, changes)})

    def with_models(self, **changes: Any) -> Task:
        """Return the task with some of its models changed, checked like new ones."""
        return self.model_copy(update={"models": _changed(self.models, changes)})

    def on_ray(self, address: str) -> Task:
        """Return the task with its models answering on a Ray cluster, checked like a new one."""
        return self.model_copy(
            update={"execution": _changed(self.execution, {"engine": "ray", "address": address})}
        )

    def reporting_to(self, names: Sequence[str]) -> Task:
        """Return the task with other trackers, checked like new ones."""
        return self.model_copy(update={"report_to": _trackers(list(names))})

    def find_data(self, value: str) -> Path:
        """Return the file that a data value names: beside the task file, or under --data."""
        beside = self.folder / value
        if self._data_root is None or beside.exists():
            return beside
        return self._data_root / value
