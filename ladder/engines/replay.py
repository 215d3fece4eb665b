"""Answers from a recording: the same ones every time, without a model.

A recording is a JSON-lines file; each line is `{"request": …, "completion": …}` with the fields of
`Request` and `Completion`. Fields that are left out have their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ladder.engines.base import Abilities, Completion, Request
from ladder.errors import DataError, EngineError, Problem
from ladder.files import digest_of, file_digest, open_file, write_json_lines
from ladder.json_values import from_json
from ladder.language.tokens import likely_tokens

PROBLEMS_SHOWN = 20


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    request: Request
    completion: Completion


class ReplayEngine:
    """The answers of a recording. Where a request stands there twice, the later line counts."""

    def __init__(self, path: Path) -> None:
        """Read the recording.

        Raises:
            EngineError: there is no such file.
            DataError: with each line that is not a recorded answer.
        """
        if not path.is_file():
            raise EngineError(f"{path}: no such recording")
        self.path = path
        self._answers = _read(path)

    @property
    def abilities(self) -> Abilities:
        """Everything that can be recorded can be replayed."""
        return Abilities(
            plain=True, scores_choices=True, json_schema=True, context=8192, counts_exactly=False
        )

    def fingerprint(self) -> dict[str, str]:
        """Return the file's digest."""
        return {"replay": file_digest(self.path)}

    def count_tokens(self, text: str) -> int:
        """Return an estimate, not a count (`language.tokens.likely_tokens`)."""
        return likely_tokens(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield the recorded answers in order; what was not recorded is an error."""
        missing = Completion(error=f"not in the recording {self.path}")
        for at, request in enumerate(requests):
            yield at, self._answers.get(digest_of(request.as_json()), missing)


def record(path: Path, pairs: Iterable[tuple[Request, Completion]]) -> None:
    """Write a recording, whole or not at all.

    Raises:
        StateError: the folder is full or cannot be written.
    """
    write_json_lines(
        path,
        (
            # Where the answer came from at the time is no part of it.
            {"request": request.as_json(), "completion": asdict(replace(completion, cached=False))}
            for request, completion in pairs
        ),
    )


def _read(path: Path) -> dict[str, Completion]:
    answers: dict[str, Completion] = {}
    problems: list[Problem] = []
    with open_file(path) as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            found = _parse(f"{path}:{number}", text)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                digest, completion = found
                answers[digest] = completion
            if len(problems) == PROBLEMS_SHOWN:
                break
    if problems:
        raise DataError(problems)
    return answers


def _parse(where: str, text: bytes) -> tuple[str, Completion] | Problem:
    """Return the digest of a line's request with its completion, or what is wrong."""
    wanted = '{"request": {…}, "completion": {…}}'
    try:
        row = from_json(text)
        line = _Line.model_validate(row)
        digest = digest_of(line.request.as_json())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        return Problem(where, f"{at}: {first['msg']}" if at else first["msg"], wanted)
    except (ValueError, RecursionError) as error:
        return Problem(where, f"unreadable JSON ({error})", wanted)
    if not {"text", "error", "choice_logprobs"} & set(row["completion"]):
        return Problem(where, "a completion without `text`, `error` or `choice_logprobs`", wanted)
    return digest, line.completion
