"""Is a model on this machine the certified one? Digests, canaries, the effect of its adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ladder.artefacts.canaries import (
    LEAST_EFFECT,
    Prompt,
    check_canaries,
    effect_of,
    take_canaries,
)
from ladder.engines.base import Engine
from ladder.engines.local import LocalEngine
from ladder.engines.passport import parts_of, read_passport
from ladder.errors import NoEffectError, PassportError
from ladder.evidence import Canaries, Candidate, ProbeReference, RevalidationPlan
from ladder.lifecycle.probe_prompts import TEXTS, chats
from ladder.models.models import Models

PIN = "model: "


def probe_local(
    models: Models, plan: RevalidationPlan, candidate: Candidate, reference: ProbeReference | None
) -> tuple[dict[str, Any], Canaries | None, dict[str, str]]:
    """Compare a model with what the plan pins, ask its canaries, and try its adapter.

    Args:
        models: opens it.
        plan: names the certified digests.
        candidate: what was certified.
        reference: of an earlier look; None: this is the first.

    Returns:
        fields of a `ProbeLook`; canaries to be kept as the reference, where there were none and
        every digest is the certified one; the digests of the parts.

    Raises:
        EngineError: there is no such model on this machine.
    """
    try:
        engine = models.uncached(candidate.model, candidate.adapter)
        parts = _parts(engine)
        changed = _differing(plan, engine.fingerprint(), parts, reference)
        found: dict[str, Any] = {"changed": changed, "probe": "digests"}
        if not isinstance(engine, LocalEngine):
            return {**found, "verdict": "revalidate" if changed else "same"}, None, parts
        canaries, taken = _recorded(engine, candidate, reference), None
        if canaries is None and not changed:
            canaries = taken = take_canaries(engine, _prompts(engine, candidate))
        found |= _asked(engine, canaries) if canaries else {}
        found |= _effect(engine, candidate, canaries)
    except (NoEffectError, PassportError) as error:
        return {"probe": "canaries", "verdict": "block", "refused": str(error)}, None, {}
    out = bool(found.pop("far", 0) or found.get("refused"))
    verdict = "block" if out else "revalidate" if changed or found.get("moved") else "same"
    return {**found, "verdict": verdict}, taken, parts


def _parts(engine: Engine) -> dict[str, str]:
    """Return part -> digest of base and adapter."""
    if not isinstance(engine, LocalEngine):
        return {}
    found = {f"base: {name}": digest for name, digest in parts_of(engine.folder).items()}
    on_top = parts_of(engine.adapter) if engine.adapter else {}
    return found | {f"adapter: {name}": digest for name, digest in on_top.items()}


def _differing(
    plan: RevalidationPlan,
    fingerprint: Mapping[str, str],
    parts: Mapping[str, str],
    reference: ProbeReference | None,
) -> tuple[str, ...]:
    """Return the names of what is not as it was certified, and of parts not as they were since."""
    pinned = {name: digest for name, digest in plan.pinned.items() if name.startswith(PIN)}
    now = {f"{PIN}{name}": digest for name, digest in fingerprint.items()}
    kept = reference.parts if reference else parts
    differing = {name for name in pinned.keys() | now.keys() if pinned.get(name) != now.get(name)}
    differing |= {name for name in kept.keys() | parts.keys() if kept.get(name) != parts.get(name)}
    return tuple(sorted(differing))


def _recorded(
    engine: LocalEngine, candidate: Candidate, reference: ProbeReference | None
) -> Canaries | None:
    """Return the canaries of the artefact's passport, else those of the reference."""
    passport = read_passport(engine.adapter or engine.folder)
    if passport is not None and passport.canaries is not None:
        return passport.canaries
    return reference.canaries if reference else None


def _prompts(engine: LocalEngine, candidate: Candidate) -> list[Prompt]:
    """Return the canary prompts in the form that the certified system asks in."""
    able = engine.abilities
    if candidate.form == "chat" and able.chat:
        return [*chats(system=able.system)]
    return [*TEXTS]


def _asked(engine: LocalEngine, canaries: Canaries) -> dict[str, Any]:
    drift = check_canaries(engine, canaries)
    return {
        "probe": "canaries",
        "canaries": drift.asked,
        "moved": drift.moved,
        "far": drift.far,
        "largest": round(drift.largest, 5),
        "tolerance": round(drift.tolerance, 5),
        "calls": drift.asked,
    }


def _effect(engine: LocalEngine, candidate: Candidate, canaries: Canaries | None) -> dict[str, Any]:
    """Tell how far an adapter moves its base: one that moves nothing has loaded without effect."""
    if engine.adapter is None:
        return {}
    base = LocalEngine(engine.folder, None, engine.own_code)
    prompts = [each.prompt for each in canaries.prompts] if canaries else [*TEXTS]
    effect = effect_of(engine, base, prompts)
    found: dict[str, Any] = {"effect": round(effect.largest, 6)}
    if not effect.is_there:
        least = max(LEAST_EFFECT, 4 * effect.noise)
        why = f"the adapter moves no canary by more than {least:.4f} nats: it has no effect"
        found["refused"] = why
    return found
