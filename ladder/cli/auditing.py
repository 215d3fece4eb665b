"""Verbs for whoever does not trust the team: audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import tell

audit = typer.Typer(
    no_args_is_help=True, help="Show what was promised, and that nothing was changed since."
)


@audit.callback()
def audits() -> None:
    """Show what was promised, and that nothing was changed since."""


@audit.command()
def keys(
    role: Annotated[str, typer.Option(help="Whose: machine or person.")] = "machine",
    public: Annotated[bool, typer.Option("--public", help="Print the public key alone.")] = False,
) -> None:
    """Make a pair of Ed25519 keys in your own configuration, or name the one that is there."""
    from ladder.audit.keys import ROLES, load_signer, make_keys, public_file, public_pem
    from ladder.trust.settings import shown

    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise typer.BadParameter(f"{role}: there are {', '.join(ROLES)}", param_hint="--role")
    path = make_keys(known)
    key = load_signer(path).public_key
    if public:
        typer.echo(public_pem(key).decode(), nl=False)
        return
    tell(f"{known} key {key.keyid[:12]}: {shown(path)} (private: it stays here)")
    tell(f"public key, for whoever checks: {shown(public_file(path))}")


@audit.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its assessment.json.")],
    ai_act: Annotated[
        Path, typer.Option("--ai-act", help="Write an evidence pack for Annex IV into this folder.")
    ],
    with_examples: Annotated[
        bool,
        typer.Option("--with-examples", help="With the test logs: they hold rows and answers."),
    ] = False,
) -> None:
    """Write what a notified body is handed: evidence by point, and what is left for a human."""
    from ladder.audit.pack.certified import declared
    from ladder.commands.evidence_pack import export_pack

    pack = export_pack(run, ai_act, with_examples=with_examples)
    alone = sum(not one.files for one in pack.annex_iv)
    tell(f"wrote {ai_act}: {len(pack.files):,} files, index.html lists them")
    points = len(pack.annex_iv)
    tell(f"Annex IV, {points} points: evidence for a part of {points - alone}, {alone} for a human")
    if pack.certified is None:
        tell("certified lower bound: none, so no accuracy may be declared")
    else:
        tell(f"certified lower bound: {declared(pack.certified):g}; declare no more")
    tell(f"{len(pack.questions)} questions that a reader would still ask are in it")
