"""Verbs for whoever does not trust the team: audit."""

from __future__ import annotations

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
