"""Answers from a GGUF file, as llama.cpp gives them where the file is served.

The file is another model than the one it was made of: it is quantised, and computed by other code.
Its figures are its own; `benchmarks/gguf_parity.py` says how far its answers are from the other's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.engine import EndpointEngine
from ladder.errors import EndpointDownError, EngineError, MissingExtraError
from ladder.files import file_digest
from ladder.hardware import hardware
from ladder.language.tokens import likely_tokens
from ladder.wording import harmless

CHILD = Path(__file__).with_name("child.py")
MOST_CONTEXT = 8192
"""Tokens of prompt and answer that memory is kept for, where the model has more."""
TIMEOUT_S = 600.0
"""For one answer: a large model on a small machine takes its time."""


class Header(NamedTuple):
    """What a file says of itself."""

    architecture: str
    quantisation: str
    """As llama.cpp names it, e.g. `Q4_K_M`."""
    context: int
    """Tokens that it was trained with."""
    chat: bool
    """It holds a chat template."""


class GgufEngine:
    """A GGUF file, asked one request at a time: nothing is answered beside another answer."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is loaded when it is first asked.

        Raises:
            EngineError: there is no such file, or it is no GGUF file.
            MissingExtraError: llama.cpp is not installed.
        """
        if not path.is_file():
            raise EngineError(f"gguf:{path}: no such file")
        if find_spec("xllamacpp") is None:
            raise MissingExtraError("llama.cpp", 'pip install "escalation-ladder[gguf]"')
        self.path = path
        self.process: subprocess.Popen[str] | None = None
        """In which llama.cpp runs, once it was asked."""
        self._endpoint: EndpointEngine | None = None

    @cached_property
    def header(self) -> Header:
        """What the file says of itself.

        Raises:
            EngineError: it is no GGUF file.
        """
        return read_header(self.path)

    @property
    def abilities(self) -> Abilities:
        """Text and JSON; labels are written, not scored."""
        return Abilities(
            chat=self.header.chat,
            plain=True,
            json_schema=True,
            context=min(self.header.context, MOST_CONTEXT),
            counts_exactly=False,
        )

    def fingerprint(self) -> dict[str, str]:
        """Return the file, llama.cpp's version and the processor: other builds answer otherwise."""
        return {
            "gguf": file_digest(self.path),
            "quantisation": self.header.quantisation,
            "llama.cpp": version("xllamacpp"),
            "processor": hardware()["processor"],
        }

    def count_tokens(self, text: str) -> int:
        """Return an estimate, not a count (`language.tokens.likely_tokens`)."""
        return likely_tokens(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield each answer as it comes. `choices` are ignored.

        Raises:
            EngineError: the file cannot be loaded, or the process ended.
        """
        if not requests:
            return
        if self._endpoint is None:
            self._endpoint = EndpointEngine(
                self.path.name,
                self._started(),
                concurrency=1,
                timeout_s=TIMEOUT_S,
                patience=Patience(outage_s=1.0),  # a process of this machine does not come back
            )
        try:
            yield from self._endpoint.complete(requests)
        except EndpointDownError as error:
            ended = self.process.poll() if self.process else None
            self._endpoint = None  # the next question starts it anew
            if ended is None:
                raise
            raise EngineError(f"gguf:{self.path}: llama.cpp ended ({ended}): {error}") from None

    def _started(self) -> str:
        """Start llama.cpp; return its base URL once it answers. It ends with this object.

        Raises:
            EngineError: it does not start.
        """
        context = self.abilities.context
        command = [sys.executable, "-P", str(CHILD), str(self.path), str(context)]
        log = tempfile.TemporaryFile()  # noqa: SIM115 (the process holds it as long as it runs)
        process = subprocess.Popen(
            [*command, os.environ.get("OMP_NUM_THREADS") or hardware()["cores"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the climb, which ends it then
        )
        self.process = process
        weakref.finalize(self, _end, process)
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise EngineError(f"gguf:{self.path}: llama.cpp does not load it: {_last_line(log)}")
        return f"{address}/v1"


def read_header(path: Path) -> Header:
    """Read what a GGUF file says of itself.

    Raises:
        EngineError: it is no GGUF file.
        MissingExtraError: the `gguf` package is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise MissingExtraError("gguf", 'pip install "escalation-ladder[gguf]"') from None
    try:
        fields = gguf.GGUFReader(path).fields
        architecture = str(fields["general.architecture"].contents())
        context = fields.get(f"{architecture}.context_length")
        kind = fields.get("general.file_type")
        name = gguf.LlamaFileType(kind.contents()).name if kind else "unknown"
        return Header(
            architecture=architecture,
            quantisation=name.removeprefix("MOSTLY_").removeprefix("ALL_"),
            context=int(context.contents()) if context else MOST_CONTEXT,
            chat="tokenizer.chat_template" in fields,
        )
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise EngineError(f"gguf:{path}: no readable GGUF file ({error})") from None


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line for line in log.read()[-4_000:].decode("utf-8", "replace").splitlines() if line]
    last = lines[-1] if lines else "it ended without a word"
    return harmless(next((line for line in reversed(lines) if "error" in line), last), 300)
