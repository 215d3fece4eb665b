"""The table of engines. To add one: a module that satisfies `base.Engine`, and a line here.

Each engine's module loads only when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ladder.engines.base import Abilities, Completion, Engine, Request
from ladder.engines.bundled import MODELS, bundled_folder
from ladder.errors import EngineError, MissingExtraError
from ladder.task import ModelRef, is_url
from ladder.trust.egress import fetching

__all__ = [
    "ENGINES",
    "Abilities",
    "Completion",
    "Engine",
    "Kind",
    "Request",
    "is_served",
    "kind_of",
    "model_folder",
    "open_engine",
]

Opener = Callable[[str, str | None, Path | None, Path, bool], Engine]
"""(name, place, adapter, folder of the task, whether its own code may run) -> engine."""


Fault = tuple[str, str]
"""(what is wrong with a reference, what was wanted)."""


class Greeted(NamedTuple):
    """What came of a greeting."""

    there: bool
    words: str
    context: int | None = None
    """Tokens that fit into prompt and answer, as the server tells; None: it does not."""


class Supported(NamedTuple):
    """What a server supports, found by asking it."""

    lines: tuple[tuple[bool, str], ...]
    """Whether it is a warning, and what is said."""
    requests: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Kind:
    """A kind of engine: the word before the colon of a model reference."""

    open: Opener
    served: bool = False
    """Answered by a server (`Abilities.served`): opening one sends nothing."""
    decides: bool = False
    """Answers typed questions alone (`Abilities.decides`): it writes no text."""
    trainable: bool = False
    """Its weights are on this machine, to start a training from."""
    fault: Callable[[str, str | None, Path], Fault | None] = lambda name, place, beside: None
    """(name, place, folder of the task) -> what is wrong with a reference, before it is opened."""
    greet: Callable[[str, str, float], Greeted] | None = None
    """(name, place, seconds at most) -> what answers there, before anything is asked of it."""
    supports: Callable[[str, str, float, Sequence[str]], Supported] | None = None
    """(name, place, seconds at most for each request, labels that may be sent) -> what the server
    supports."""


def _bundled(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.local import LocalEngine

    return LocalEngine(bundled_folder(name), adapter)


def _hf(name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool) -> Engine:
    from ladder.engines.local import LocalEngine

    return LocalEngine(hf_folder(name, place, beside, own_code), adapter, own_code)


def _openai(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.endpoint import EndpointEngine

    if place is None or not is_url(place):
        raise EngineError(f"openai:{name} names no endpoint: write openai:{name}@https://…/v1")
    return EndpointEngine(name, place)


def _greet_openai(name: str, place: str, seconds: float) -> Greeted:
    from ladder.engines.endpoint.probing import probe, said

    found = probe(name, place, seconds)
    return Greeted(found.there, said(found, name), found.context)


def _supports_openai(name: str, place: str, seconds: float, labels: Sequence[str]) -> Supported:
    from ladder.engines.endpoint.supports import said, supports

    found = supports(name, place, seconds)
    return Supported(tuple(said(found)), found.requests, found.tokens_in, found.tokens_out)


def _decisions(form: str) -> Opener:
    """Return what opens an endpoint of typed decisions: `systemone`, or OpenAI's `decisions`."""

    def opened(
        name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
    ) -> Engine:
        from ladder.engines.decisions import WIRES, DecisionEngine

        if place is None or not is_url(place):
            raise EngineError(f"{form}:{name} names no endpoint: write {form}:{name}@https://…/v1")
        return DecisionEngine(name, place, wire=WIRES[form])

    return opened


def _greet_decisions(form: str) -> Callable[[str, str, float], Greeted]:
    def greeted(name: str, place: str, seconds: float) -> Greeted:
        from ladder.engines.decisions import WIRES
        from ladder.engines.decisions.engine import CHECK
        from ladder.engines.endpoint.probing import probe, said

        found = probe(name, place, seconds, wire=WIRES[form], greeting=CHECK)
        return Greeted(found.there, said(found, name), found.context)

    return greeted


def _supports_decisions(
    form: str,
) -> Callable[[str, str, float, Sequence[str]], Supported]:
    def asked(name: str, place: str, seconds: float, labels: Sequence[str]) -> Supported:
        from ladder.engines.decisions import WIRES
        from ladder.engines.decisions.supports import supports
        from ladder.engines.endpoint.supports import said

        found = supports(name, place, seconds, WIRES[form], labels)
        return Supported(tuple(said(found)), found.requests, found.tokens_in, found.tokens_out)

    return asked


def _gguf(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.gguf import GgufEngine

    return GgufEngine(beside / _file(name, place))


def _replay(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.replay import ReplayEngine

    return ReplayEngine(beside / _file(name, place))


def _head(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.classifier import ClassifierEngine

    return ClassifierEngine(beside / _file(name, place))


def _encoder(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> Engine:
    from ladder.engines.encoder import EncoderEngine

    return EncoderEngine(beside / _file(name, place))


def _file(name: str, place: str | None) -> str:
    """Return the name of a file or a folder, which is nowhere but here: an `@` is part of it."""
    return name if place is None else f"{name}@{place}"


def _no_bundled(name: str, place: str | None, beside: Path) -> Fault | None:
    return None if name in MODELS else ("", f"bundled:{' or bundled:'.join(MODELS)}")


def _no_folder(name: str, place: str | None, beside: Path) -> Fault | None:
    there = any(folder.is_dir() for folder in (Path(name), beside / name))
    return ("", "a folder that is there") if name.startswith((".", "/")) and not there else None


def _no_file(name: str, place: str | None, beside: Path) -> Fault | None:
    path = beside / _file(name, place)
    return None if path.is_file() else ("", f"a GGUF file that is there ({path.name} is not)")


def _no_address(kind: str) -> Callable[[str, str | None, Path], Fault | None]:
    def fault(name: str, place: str | None, beside: Path) -> Fault | None:
        if is_url(place or ""):
            return None
        found = ", without an address"
        if place:
            found = ", whose address has no http:// or https:// and host"
        return found, f"{kind}:MODEL@https://HOST/v1"

    return fault


ENGINES: dict[str, Kind] = {
    "bundled": Kind(_bundled, trainable=True, fault=_no_bundled),
    "hf": Kind(_hf, trainable=True, fault=_no_folder),
    "openai": Kind(
        _openai,
        served=True,
        fault=_no_address("openai"),
        greet=_greet_openai,
        supports=_supports_openai,
    ),
    **{
        form: Kind(
            _decisions(form),
            served=True,
            decides=True,
            fault=_no_address(form),
            greet=_greet_decisions(form),
            supports=_supports_decisions(form),
        )
        for form in ("systemone", "decisions")
    },
    "gguf": Kind(_gguf, fault=_no_file),
    "replay": Kind(_replay),
    "head": Kind(_head),
    "encoder": Kind(_encoder),
}


def kind_of(reference: str) -> Kind | None:
    """Return the kind of engine that a reference names; None: there is none.

    Raises:
        ValueError: it is no reference.
    """
    return ENGINES.get(ModelRef(reference).kind)


def is_served(reference: str) -> bool:
    """Tell whether a model is answered by a server."""
    kind = kind_of(reference)
    return kind is not None and kind.served


def open_engine(
    reference: str, adapter: str | None = None, beside: Path = Path(), own_code: bool = False
) -> Engine:
    """Open the engine that a reference names.

    Args:
        reference: `kind:name@place`; kinds are the keys of ENGINES.
        adapter: folder of a LoRA adapter to put on top of a local model.
        beside: folder that relative names are looked up in.
        own_code: run the Python code that comes with a model (`hf:` only).

    Raises:
        EngineError: there is no such engine or model.
        MissingExtraError: a library it needs is not installed.
    """
    try:
        ref = ModelRef(reference)
    except ValueError as error:
        raise EngineError(f"{error}; kinds are {', '.join(ENGINES)}") from None
    if ref.kind not in ENGINES:
        near = difflib.get_close_matches(ref.kind, ENGINES, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise EngineError(f"`{ref}`: no engine `{ref.kind}`; there are {', '.join(ENGINES)}.{hint}")
    on_top = Path(adapter) if adapter else None
    return ENGINES[ref.kind].open(ref.name, ref.place, on_top, beside, own_code)


def model_folder(reference: str, beside: Path = Path(), own_code: bool = False) -> Path:
    """Return the folder of a local model's weights (`bundled:` or `hf:`), as training needs it."""
    ref = ModelRef(reference)
    if ref.kind == "bundled":
        return bundled_folder(ref.name)
    if ref.kind == "hf":
        return hf_folder(ref.name, ref.place, beside, own_code)
    raise EngineError(
        f"`{reference}` has no weights on this machine; training needs bundled: or hf:"
    )


def hf_folder(name: str, revision: str | None, beside: Path, own_code: bool = False) -> Path:
    """Return a local folder as it is, or fetch a hub id at a revision into the hub's cache.

    Code is fetched only where it may run.
    """
    for folder in (Path(name), beside / name):
        if folder.is_dir():
            return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError(
            "huggingface_hub", 'pip install "escalation-ladder[local]"'
        ) from None
    try:
        patterns = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "README.md"]
        patterns += ["*.py"] if own_code else []
        with fetching():
            return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub raises many kinds; all mean: no such model to be had
        raise EngineError(
            f"hf:{name}: no such folder, and the hub gave none ({type(error).__name__})"
        ) from None
