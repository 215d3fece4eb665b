"""How soon a hosted model may go: by notices that were observed, not by those that are promised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ladder.engines import kind_of
from ladder.task import ModelRef
from ladder.trust.keys import place_at

NoticeName = Literal["own", "general", "specialised", "preview", "alias", "unknown"]


@dataclass(frozen=True)
class Notice:
    """How long before its end one is told of it."""

    name: NoticeName
    days: int | None
    """Observed, or what to reckon with; None: nobody takes it away."""
    source: str


OPENAI = "api.openai.com"
NOTICES: dict[NoticeName, Notice] = {
    "own": Notice("own", None, "its weights lie here, or on a server of this machine"),
    "general": Notice(
        "general", 91, "OpenAI gave 3 months in October 2026 where its policy says 6"
    ),
    "specialised": Notice("specialised", 91, "OpenAI's policy says 3 months"),
    "preview": Notice("preview", 14, "OpenAI's policy says about 2 weeks"),
    "alias": Notice("alias", 14, "an undated alias moves with about 2 weeks' mail"),
    "unknown": Notice(
        "unknown", 14, "no notice of this provider was observed: be ready in 2 weeks"
    ),
}
SPECIALISED = re.compile(r"audio|realtime|transcribe|tts|search|image|embedding|moderation", re.I)
DATED = re.compile(
    r"(?:^|[-_@:.])"
    r"(?:20\d\d-?[01]\d-?[0-3]\d|(?:0[1-9]|1[0-2])[0-3]\d|2[3-9](?:0[1-9]|1[0-2])|0\d\d)"
    r"(?=$|[-_@:.])"
)
"""`-2024-07-18`, `-20250929`; month and day as in `-0613`; year and month as in `-2411`; `-001`."""
COMMIT = re.compile(r"[0-9a-f]{40}")


def notice_of(model: str, seen: int | None = None) -> Notice:
    """Return the notice class of a model reference.

    Args:
        model: the reference; empty: no language model.
        seen: days of the shortest notice that the registry has seen of this model.
    """
    notice = NOTICES[_class_of(model)]
    if seen is None or (notice.days is not None and notice.days <= seen):
        return notice
    return Notice(notice.name, seen, "the notice that this registry has on record")


def _class_of(model: str) -> NoticeName:
    ref = ModelRef(model) if model else None
    if ref is None or not is_hosted(ref):
        return "own"
    if alias_fault(model):
        return "alias"
    if _host(ref) != OPENAI:
        return "unknown"
    if "preview" in ref.name:
        return "preview"
    return "specialised" if SPECIALISED.search(ref.name) else "general"


def alias_fault(model: str) -> str:
    """Say why a reference is no pinned snapshot; empty: it is one, or nobody else can move it."""
    ref = ModelRef(model) if model else None
    if ref is None:
        return ""
    if ref.kind == "hf" and not _is_path(ref.name) and not COMMIT.fullmatch(ref.place or ""):
        return f"{ref.label}: a branch or tag moves; name the commit: {ref.label}@40 hex digits"
    if is_hosted(ref) and not DATED.search(_base_of(ref.name)):
        return f"{ref.label}: an undated alias is moved by its provider; name a dated snapshot"
    return ""


def base_note(model: str) -> str:
    """Say that a hosted fine-tune dies with its base; empty: it is none."""
    ref = ModelRef(model) if model else None
    if ref is None or not is_hosted(ref) or not _is_tune(ref.name):
        return ""
    return f"a hosted fine-tune dies with its base: watch the end of {_base_of(ref.name)}"


def is_hosted(ref: ModelRef) -> bool:
    """Tell whether a model is answered by somebody else's server."""
    kind = kind_of(ref)
    if kind is None or not kind.served:
        return False
    return not (ref.place and place_at(ref.place).here)


def _host(ref: ModelRef) -> str:
    return place_at(ref.place).host if ref.place else ""


def _is_tune(name: str) -> bool:
    return name.startswith("ft:")


def _base_of(name: str) -> str:
    """Return the snapshot under a fine-tune, `ft:BASE:ORGANISATION:SUFFIX:ID`; else the name."""
    return name.split(":")[1] if _is_tune(name) else name


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~"))
