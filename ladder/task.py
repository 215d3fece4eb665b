"""task.yaml -> Task: the user's job, with every mistake reported at once.

Only the form is checked here. Names of scorers, engines and rungs are looked up by the room that
owns their table.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import math
import os
import re
import reprlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)
from pydantic.fields import FieldInfo

from ladder.errors import Problem, TaskError
from ladder.files import (
    HALF,
    UNWRITABLE,
    fault_of_name,
    odd_values,
    open_file,
    problem_of,
    read_text,
)
from ladder.redaction import keep_secrets_in
from ladder.trust.code import Consent, Granted

RungName = Literal["prompt", "rag", "lora", "distill"]
RUNGS: tuple[RungName, ...] = get_args(RungName)
StoreKind = Literal["lancedb", "qdrant"]
STORE_KINDS: tuple[StoreKind, ...] = get_args(StoreKind)
TASK_FILE_LIMIT_BYTES = 1_000_000
MOST_VALUES = 100_000
"""A task file may hold this many values once its aliases are written out."""
DATA_SUFFIXES = (".jsonl", ".csv", ".parquet")
DATASETS_PREFIX = "datasets:"
LEARNT_OR_JUDGED = ("train", "unlabeled", "preferences", "synthetic", "test")
LEAST_PERCENT = 10
"""A min_score from here on is meant in percent."""

_Location = tuple[str, ...]
SCHEMA: _Location = ("answer", "schema")
"""What JSON has no words for is told of it by those who read it."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


ColumnName = Literal[
    "id",
    "input",
    "target",
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
]


def _store_place(value: str) -> str:
    store_parts(value)
    return value


class DataFiles(_Section):
    """Where the rows are. Either `examples` alone, or `test` with an optional `train`."""

    train: str | None = None
    test: str | None = None
    examples: str | None = None
    documents: str | None = None
    store: Annotated[str, AfterValidator(_store_place)] | None = None
    """Where the documents are kept and searched; default: in memory, anew in each run."""
    unlabeled: str | None = None
    synthetic: str | None = None
    """Training rows that a teacher wrote (`ladder synth`); they teach, and never judge."""
    graded: str | None = None
    """Answers that people have graded: what the `judge` scorer is compared with."""
    preferences: str | None = None
    """Better and worse answers, or answers that are wanted or not: what dpo, orpo and kto learn."""
    columns: dict[ColumnName, str] = {}
    """Our field name -> the name of the column in the user's files, e.g. {input: text}."""

    def files(self) -> dict[str, str]:
        """Return the role and value of every file that is given."""
        roles = ("train", "test", "examples", "documents", "unlabeled", "synthetic", "graded")
        named = (*roles, "preferences")
        return {role: value for role in named if (value := getattr(self, role))}


class AnswerForm(_Section):
    """What an answer looks like."""

    type: Literal["label", "text", "number", "json"] = "text"
    labels: tuple[str, ...] = ()
    """The closed answer set; taken from the training rows when it is not given."""
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    max_tokens: int = Field(64, ge=1, le=4096)


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


class ModelNames(_Section):
    """Which models take part.

    Each is `bundled:<name>`, `hf:<id-or-folder>@<revision>` or `openai:<model>@<base-url>`.
    """

    base: str = "bundled:smollm2-135m"
    teacher: str | None = None
    student: str | None = None
    embedding: str | None = None
    reranker: str | None = None
    """A cross-encoder that orders anew what a search found."""


class Use(_Section):
    """How the answer will be used."""

    requests_per_month: int = Field(100_000, ge=1, le=10**12)
    concurrency: int = Field(1, ge=1, le=10_000)
    months: int = Field(12, ge=1, le=600)
    """Over which what is paid once is spread."""
    usd_per_label: float = Field(0.0, ge=0, le=1e6)
    """What one labelled row costs to make."""
    strata: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Kind of row (the `stratum` column) -> its share of the requests in production."""


class Hardware(_Section):
    """What this machine costs."""

    usd_per_hour: float = Field(0.20, ge=0, le=1e6)
    utilisation: float = Field(1.0, gt=0, le=1)
    """The share of the paid hours in which it answers; the rest is paid all the same."""


class Prices(_Section):
    """What an endpoint charges, and where the figures come from."""

    input_usd_per_1m: float = Field(ge=0, le=1e6)
    output_usd_per_1m: float = Field(ge=0, le=1e6)
    source: str = "task.yaml"


class Rules(_Section):
    """What the run may do."""

    data_may_leave: bool = False
    max_spend_usd: float = Field(5.0, ge=0, le=1e9)
    request_timeout_s: float = Field(45.0, gt=0, le=3600)
    """Seconds that one request to an endpoint may take in all."""
    remote_code: list[str] = []
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


def _rung_names(value: object) -> object:
    """Accept a list of rungs; name those that there are."""
    names = value if isinstance(value, list | tuple) else [value]
    unknown = [name for name in names if name not in RUNGS]
    if unknown:
        raise ValueError(f"a list of some of {', '.join(RUNGS)}, not `{unknown[0]}`")
    return names


class Task(_Section):
    """The user's job, as written in task.yaml."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    goal: str = Field(min_length=3)
    data: DataFiles
    answer: AnswerForm = AnswerForm()
    score: Annotated[tuple[ScorerChoice, ...], BeforeValidator(_scorer_choices)]
    gate: GateLimits
    models: ModelNames = ModelNames()
    use: Use = Use()
    hardware: Hardware = Hardware()
    prices: Prices | None = None
    rules: Rules = Rules()
    search: Search = Search()
    training: Training = Training()
    rungs: Annotated[tuple[RungName, ...], BeforeValidator(_rung_names)] = Field(
        RUNGS, min_length=1
    )
    seed: int = Field(0, ge=0, lt=2**31)

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

    def find_data(self, value: str) -> Path:
        """Return the file that a data value names: beside the task file, or under --data."""
        beside = self.folder / value
        if self._data_root is None or beside.exists():
            return beside
        return self._data_root / value


def load_task(path: Path, data_root: Path | None = None, granted: Granted = "trusted") -> Task:
    """Read a task file.

    Args:
        path: the YAML file.
        data_root: a further folder in which data files may lie. Files outside the task's own
            folder and this one are refused, so that a task file from elsewhere cannot make
            `ladder` read what its user did not mean to show.
        granted: what of the code that the task names may run (`ladder.trust.code`).

    Raises:
        TaskError: with every mistake found.
    """
    text = _read(path)
    root, values = _parse(path, text)
    named = values if isinstance(values, dict) else {}
    keep_secrets_in([named.get(name) for name in ("models", "data", "score", "rules")])
    lines = _lines(root)
    problems = [*_unnameable(path, data_root), *_duplicate_keys(path, root)]
    odd = {at: got for at, got in odd_values(values) if UNWRITABLE not in got or at[:2] != SCHEMA}
    halves = {at: found for at, found in odd.items() if HALF in found}
    if halves:  # nothing else could be told of it
        raise TaskError([*problems, *_odd_problems(path, lines, halves, ())])
    task: Task | None
    told: list[_Location] = []
    try:
        task = Task.model_validate(values)
    except ValidationError as error:
        details: list[dict[str, Any]] = [dict(detail) for detail in error.errors()]
        told += [tuple(map(str, detail["loc"])) for detail in details]
        problems += [_explain(path, lines, detail) for detail in details]
        task = _data_alone(values)
    problems += _odd_problems(path, lines, odd, told)
    if task is not None:
        task._source = path
        task._data_root = data_root
        task._granted = granted
        task._digest = hashlib.sha256(text.encode()).hexdigest()
        problems += _check_data(task, lines)
    if task is None or problems:
        raise TaskError(problems)
    return task


def _unnameable(path: Path, data_root: Path | None) -> Iterator[Problem]:
    for place in (path, data_root):
        try:
            problem = fault_of_name(place.resolve()) if place else None
        except (OSError, RuntimeError):  # told where it is opened
            continue
        if problem:
            yield problem


def _odd_problems(
    path: Path,
    lines: Mapping[_Location, int],
    odd: Mapping[_Location, str],
    told: Sequence[_Location],
) -> Iterator[Problem]:
    """Yield the values that can stand in no record, apart from those that something is told of."""
    for at, got in odd.items():
        if not any(at[: len(place)] == place for place in told):
            where = f"{path}:{_line_of(lines, at)}: {_dotted(at)}"
            wanted = "text, finite numbers, true or false, and lists and mappings of them"
            yield Problem(where, got, wanted, "Put a text between quotes.")


def _data_alone(values: Mapping[str, Any]) -> Task | None:
    """Return a task with its data section only, so that its files are checked in the same go."""
    try:
        alone: dict[str, Any] = {"data": DataFiles.model_validate(values.get("data"))}
    except ValidationError:
        return None
    return Task.model_construct(**alone)


def _read(path: Path) -> str:
    wanted = "a task file in YAML"
    try:
        found = path.stat()
    except OSError as error:
        problem = problem_of(path, error, wanted)
        missing = error.errno == errno.ENOENT
        fix = "Start with: ladder init" if missing else problem.fix
        raise TaskError([replace(problem, fix=fix)]) from None
    if stat.S_ISDIR(found.st_mode):
        fix = f"Name the file: {path / 'task.yaml'}"
        raise TaskError([Problem(str(path), "a folder", wanted, fix)])
    if found.st_size > TASK_FILE_LIMIT_BYTES:
        got = f"{found.st_size:,} bytes"
        fix = "Data belongs in files of its own, named under `data:`."
        raise TaskError([Problem(str(path), got, "at most 1 MB", fix)])
    return read_text(path, wanted, TaskError, TASK_FILE_LIMIT_BYTES)


class _Loader(yaml.SafeLoader):
    """Names the line of a number or a date that Python cannot hold."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:  # `!!bool x`, `!!float ""`, …
            got = f"`{str(node.value)[:20]}…` ({str(error).split(':')[0]})"
            mark = node.start_mark
            raise yaml.constructor.ConstructorError(None, None, got, mark) from None


class TooManyValuesError(ValueError):
    """Aliases stand for more values than a file may hold."""


def read_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """Return a YAML text as nodes with their lines, and as values.

    Raises:
        yaml.YAMLError: it is none.
        RecursionError: it is nested too deep.
        TooManyValuesError: its aliases stand for too many values.
    """
    root = yaml.compose(text, Loader=_Loader)
    if root is not None and _expanded(root, {}) > MOST_VALUES:
        raise TooManyValuesError("aliases that stand for too many values")
    return root, yaml.load(text, Loader=_Loader)


def _parse(path: Path, text: str) -> tuple[yaml.MappingNode, Any]:
    """Return the file as nodes with their lines, and as values."""
    fix = "Start from the example that `ladder init` writes."
    try:
        root, values = read_yaml(text)
    except TooManyValuesError as error:
        got, wanted = str(error), f"at most {MOST_VALUES:,}"
        raise TaskError([Problem(str(path), got, wanted, "Write the values out.")]) from None
    except yaml.YAMLError as error:
        raise TaskError([_yaml_problem(path, text, error)]) from None
    except RecursionError:
        raise TaskError([Problem(str(path), "values nested too deep", "plain keys", fix)]) from None
    if root is None:
        raise TaskError([Problem(str(path), "an empty file", "keys like `name:`", fix)])
    if not isinstance(root, yaml.MappingNode):
        got = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        raise TaskError([Problem(f"{path}:1", got, "a mapping with keys like `name:`", fix)])
    return root, values


def _yaml_problem(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
    got = str(getattr(error, "problem", None) or error).replace("\n", " ")
    tabbed = "\t" in "".join(text.split("\n")[line : line + 1])
    fix = "Indent with spaces, not tabs." if tabbed else "Mend the YAML at this line."
    return Problem(f"{path}:{line + 1}", got, "valid YAML", fix)


def _expanded(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Return how many values a node stands for once its aliases are written out."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf  # what holds itself never ends
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        sizes[id(node)] = 1 + sum(_expanded(part, sizes) for part in inner)
    return sizes[id(node)]


def _walk(node: yaml.Node, at: _Location = ()) -> Iterator[tuple[_Location, yaml.Node, int]]:
    """Yield location, value node and line (from 1) of everything in the file."""
    seen: set[int] = set()

    def walk(node: yaml.Node, at: _Location) -> Iterator[tuple[_Location, yaml.Node, int]]:
        if id(node) in seen:  # an alias: each node is visited once
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*at, str(key.value))
                yield here, key, key.start_mark.line + 1
                yield from walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                here = (*at, str(index))
                yield here, value, value.start_mark.line + 1
                yield from walk(value, here)

    return walk(node, at)


def _lines(root: yaml.Node) -> dict[_Location, int]:
    return {at: line for at, _, line in _walk(root)}


def _duplicate_keys(path: Path, root: yaml.Node) -> Iterator[Problem]:
    first: dict[_Location, int] = {}
    for at, _, line in _walk(root):
        if at in first:
            where = f"{path}:{line}: {_dotted(at)}"
            got = f"a second `{at[-1]}` (first on line {first[at]})"
            yield Problem(where, got, "one", "Take one of them out.")
        first.setdefault(at, line)


def _dotted(at: _Location) -> str:
    return ".".join(at)


def _line_of(lines: Mapping[_Location, int], at: _Location) -> int:
    while at and at not in lines:
        at = at[:-1]
    return lines.get(at, 1)


def _explain(path: Path, lines: Mapping[_Location, int], detail: dict[str, Any]) -> Problem:
    """Turn one pydantic error into a Problem."""
    at: _Location = tuple(part for part in map(str, detail["loc"]) if part != "[key]")
    where = f"{path}:{_line_of(lines, at)}: {_dotted(at)}"
    if detail["type"] == "extra_forbidden":
        known = _known_keys(at[:-1])
        nearest = difflib.get_close_matches(at[-1], known, n=1, cutoff=0.5)
        fix = f"Did you mean `{nearest[0]}`?" if nearest else ""
        return Problem(where, f"the unknown key `{at[-1]}`", f"one of {', '.join(known)}", fix)
    if detail["type"] == "missing":
        return Problem(where, "nothing", f"the key `{at[-1]}`", "It is required.")
    if (detail["type"], at) == ("less_than_equal", ("gate", "min_score")):
        return _share_wanted(where, detail["input"])
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    message = message.replace("String should have", "text of").replace("Keys should be", "keys of")
    if detail["type"] == "string_pattern_mismatch":
        message = "letters, digits, '.', '_' or '-', starting with a letter or digit, at most 64"
    return Problem(where, _short(detail.get("input")), message)


def _share_wanted(where: str, value: object) -> Problem:
    wanted = "a share from 0 to 1"
    if isinstance(value, int | float) and LEAST_PERCENT <= value <= 100:
        return Problem(where, _short(value), wanted, f"Did you mean {value / 100:g}?")
    return Problem(where, _short(value), wanted)


def _short(value: object) -> str:
    try:
        text = reprlib.repr(value) if isinstance(value, list | dict) else repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number too large to print"
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(at: _Location) -> list[str]:
    section: type[BaseModel] = Task
    for part in at:
        field: FieldInfo | None = section.model_fields.get(part)
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = field.annotation
        elif field and "Prices" in str(field.annotation):
            section = Prices
    return [field.alias or name for name, field in section.model_fields.items()]


def _check_data(task: Task, lines: Mapping[_Location, int]) -> Iterator[Problem]:
    given = task.data.files()

    def at(role: str) -> str:
        return f"{task.source}:{_line_of(lines, ('data', role))}: data.{role}"

    if "examples" in given and ("train" in given or "test" in given):
        fix = "Keep `examples` alone (it is split for you), or name `train` and `test`."
        yield Problem(at("examples"), "`examples` beside `train` or `test`", "one way", fix)
    if "examples" not in given and "test" not in given:
        fix = "Without held-out rows nothing can be measured."
        yield Problem(at("test"), "neither `test` nor `examples`", "one of them", fix)
    roles_of: dict[str, str] = {}
    for role, value in given.items():
        saved = value.startswith(DATASETS_PREFIX)  # each role reads its own split
        learnt_or_judged = role in LEARNT_OR_JUDGED and not saved
        first = roles_of.setdefault(os.path.normpath(value), role) if learnt_or_judged else role
        if first != role:
            fix = "What a model learns from cannot measure it: name another file."
            yield Problem(at(role), f"the file of `{first}` again", "a file of its own", fix)
        problem = _check_file(task, at(role), value)
        if problem:
            yield problem
    if task.data.store is not None:
        yield from _check_store(task, at("store"), task.data.store)


def _check_store(task: Task, where: str, value: str) -> Iterator[Problem]:
    if "documents" not in task.data.files():
        fix = "Name them under `documents`, or take `store` out."
        yield Problem(where, "a store without documents", "documents to keep in it", fix)
    address = store_parts(value)[1]
    if is_url(address):
        if "@" in address:  # not shown: it may hold a password
            fix = "A key stands in the environment, e.g. QDRANT_API_KEY, never in an address."
            yield Problem(where, "an address with `@`", "qdrant:http://HOST:PORT", fix)
        return
    try:
        inside = (task.folder / address).resolve().is_relative_to(task.folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        yield Problem(where, f"{_short(value)} ({str(error)[:40]})", "the name of a folder")
        return
    if not inside:
        fix = "A task may write beside itself only."
        yield Problem(where, f"`{value}`, outside the task's folder", "a folder inside it", fix)


def _check_file(task: Task, where: str, value: str) -> Problem | None:
    name = value.removeprefix(DATASETS_PREFIX)
    saved = name != value
    if saved:
        name = re.split("[@#]", name)[0]  # without the revision and the split
    elif Path(name).suffix not in DATA_SUFFIXES:
        wanted = f"a file ending in {', '.join(DATA_SUFFIXES)}, or {DATASETS_PREFIX}<id-or-folder>"
        return Problem(where, f"`{value}`", wanted, "Convert the file, or name another one.")
    try:
        roots = [root.resolve() for root in (task.folder, task.data_root) if root is not None]
        path = task.find_data(name)
        inside = any(path.resolve().is_relative_to(root) for root in roots)
        there = saved or path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL, a link to itself
        return Problem(where, f"{_short(value)} ({str(error)[:40]})", "the name of a file")
    if not inside:
        fix = "Put the file beside the task, or name its folder on the command line: --data FOLDER"
        return Problem(where, f"`{value}`, outside the task's folder", "a file inside it", fix)
    if not there:
        looked = " and ".join(str(root) for root in (task.folder, task.data_root) if root)
        fix = "Mend the name, or give the folder of the data: --data FOLDER"
        if where.endswith("data.synthetic"):
            fix = "Take the key out, run `ladder synth`, and name the file that it accepts."
        return Problem(where, f"no file `{value}` (looked in {looked})", "a file that exists", fix)
    return None if saved else _unreadable(where, value, path)


def _unreadable(where: str, value: str, path: Path) -> Problem | None:
    try:
        open_file(path).close()
    except OSError as error:
        found = problem_of(path, error, "a file that can be read")
        return replace(found, where=where, got=f"`{value}`, {found.got}")
    return None


def model_parts(reference: str) -> tuple[str, str, str | None]:
    """Split `kind:name@suffix` into kind, name and suffix (a revision, or an endpoint's URL).

    Raises:
        ValueError: the reference has no kind.
    """
    match = re.fullmatch(r"([a-z]+):([^@]+)(?:@(.+))?", reference)
    if match is None:
        raise ValueError("kind:name, e.g. bundled:smollm2-135m")
    kind, name, suffix = match.groups()
    return kind, name, suffix


def store_parts(place: str) -> tuple[StoreKind, str]:
    """Split `kind:address` into the kind of a store and its folder or URL.

    Raises:
        ValueError: no such kind, no address, or an address that this kind has not.
    """
    wanted = "lancedb:<folder>, qdrant:<folder> or qdrant:http://HOST:PORT"
    found, _, address = place.partition(":")
    kind = next((known for known in STORE_KINDS if known == found), None)
    if kind is None or not address.strip():
        raise ValueError(wanted)
    if "://" in address and not (kind == "qdrant" and is_url(address)):
        raise ValueError(wanted)
    return kind, address


def is_url(address: str) -> bool:
    """Tell whether an address is a server's."""
    return re.match(r"https?://[^/\s]", address) is not None
