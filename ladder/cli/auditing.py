"""Verbs for whoever does not trust the team: freeze, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import (
    AllRuns,
    AllRunsNamed,
    DataFolder,
    RunsFolder,
    TaskFile,
    all_runs,
    tell,
)

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
    from ladder.audit.keys import (
        ROLES,
        load_signer,
        make_keys,
        private_file,
        public_file,
        public_pem,
    )
    from ladder.trust.settings import shown

    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise typer.BadParameter(f"{role}: there are {', '.join(ROLES)}", param_hint="--role")
    there = private_file(known).exists()
    path = make_keys(known)
    key = load_signer(path).public_key
    if public:
        typer.echo(public_pem(key).decode(), nl=False)
        return
    made = "already there" if there else "made"
    tell(f"{known} key {key.keyid[:12]}, {made}: {shown(path)} (private: it stays here)")
    tell(f"public key, for whoever checks: {shown(public_file(path))}")


@audit.command()
def init(folder: AllRuns = None, runs: AllRunsNamed = None) -> None:
    """Begin the ledger of a folder of runs: from now on what is done there is written into it."""
    from ladder.audit.ledger import LEDGER, begin, is_kept

    place = all_runs(folder, runs)
    known = is_kept(place.resolve() / LEDGER)
    tell(f"ledger: {begin(place)}{' (already begun)' if known else ''}")


@audit.command()
def verify(
    folder: AllRuns = None,
    runs: AllRunsNamed = None,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(help="Of the machine that wrote the ledger; default: this one's."),
    ] = None,
    person_key: Annotated[
        list[Path] | None, typer.Option(help="Public, of who signed a run; default: your own.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option(help="A head that was kept elsewhere (ladder audit anchor).")
    ] = None,
    ledger_only: Annotated[
        bool, typer.Option("--ledger-only", help="Without the files of runs, as in a pack.")
    ] = False,
) -> None:
    """Check the ledger and the files of all runs, or an evidence pack, offline.

    Exits with 1 where something does not hold.
    """
    from ladder.audit.keys import public_keys
    from ladder.audit.pack.mapping import LEDGER
    from ladder.audit.pack.verifying import is_pack, verify_pack
    from ladder.audit.verify import kept_in
    from ladder.audit.verify import verify as check
    from ladder.commands.audit import verified_lines

    persons = public_keys(person_key or (), "person")
    place = all_runs(folder, runs)
    whole = is_pack(place) and not ledger_only
    kept_in((place / LEDGER).parent if whole else place)
    keys = public_keys(public_key or ())
    if whole:
        found = verify_pack(place, keys, head, persons)
    else:
        found = check(place, keys, head, persons, ledger_only=ledger_only)
    for line in verified_lines(found):
        tell(line)
    raise typer.Exit(1 if found.faults else 0)


@audit.command()
def anchor(
    folder: AllRuns = None,
    runs: AllRunsNamed = None,
    out: Annotated[Path, typer.Option(help="The file to keep elsewhere.")] = Path("head.json"),
) -> None:
    """Write the signed head into a file, for somebody else to keep: it shows a tail that is cut."""
    from ladder.audit.keys import public_keys
    from ladder.audit.ledger import head_of, read_ledger
    from ladder.audit.verify import kept_in
    from ladder.files import write_whole

    place = all_runs(folder, runs)
    path, keys = kept_in(place), public_keys(())
    newest = read_ledger(path, keys).heads[-1]
    said = head_of(newest, keys)
    write_whole(out, newest.decode() + "\n")
    tell(f"head of {said.size} records, {said.root[:16]}…, {said.at}: {out}")
    tell(f"give it to somebody else; later: ladder audit verify {place} --head {out}")


@audit.command()
def sign(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    name: Annotated[str, typer.Option(help="Who signs; it stays in the run's folder.")],
    key: Annotated[
        Path | None, typer.Option(help="Your private key; default: that of ladder audit keys.")
    ] = None,
    role: Annotated[str, typer.Option(help="As what, e.g. product owner.")] = "",
) -> None:
    """Sign a run as the person who answers for it."""
    from ladder.audit.signature import sign_run

    file, record = sign_run(run, name, role, key)
    tell(f"signed by {name}: {file} (record {record.line})")


@audit.command()
def weights(
    folder: Annotated[Path, typer.Argument(help="Of a model or an adapter.")],
) -> None:
    """Sign the weights of a model or an adapter (OpenSSF); checked whenever they are loaded."""
    from ladder.audit.keys import public_file
    from ladder.audit.weights import sign_weights, weights_key
    from ladder.trust.settings import shown

    tell(f"signed: {sign_weights(folder)}")
    tell(f"public key, for whoever loads them: {shown(public_file(weights_key()))}")


@audit.command()
def erase(
    file: Annotated[Path, typer.Argument(help="A file of a run that holds personal data.")],
    folder: AllRuns = None,
    runs: AllRunsNamed = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a file of a run away for good; the ledger says that it was erased, and still holds."""
    from ladder.audit.erasure import erase as take_away

    place = all_runs(folder, runs)
    if not yes and not typer.confirm(f"Erase {file} for good?"):
        raise typer.Exit(1)
    tell(f"erased: {file} (record {take_away(file, place).line})")


@audit.command()
def vouch(
    file: Annotated[Path, typer.Argument(help="A record of checks, or the registry.")],
    folder: AllRuns = None,
    runs: AllRunsNamed = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Say that lines are right which a crash left out of the ledger; that you did stays in it."""
    from ladder.audit.vouching import unrecorded
    from ladder.audit.vouching import vouch as write_down
    from ladder.wording import MOST_SHOWN, harmless

    found = unrecorded(file, all_runs(folder, runs))
    for number, text in found.lines:
        tell(f"{number}: {harmless(text, MOST_SHOWN)}")
    if not yes and not typer.confirm(
        "Are these lines right? The ledger will say that you said so."
    ):
        raise typer.Exit(1)
    tell(f"vouched for: {file} (record {write_down(found).line})")


@audit.command()
def quiet() -> None:
    """Print what libraries would send unasked, and the variables that stop them here."""
    from ladder.commands.quiet import quiet_lines

    for line in quiet_lines():
        typer.echo(line)


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
    from ladder.report.reading import read_assessment

    pack = export_pack(run, ai_act, with_examples=with_examples)
    alone = sum(not one.files for one in pack.annex_iv)
    tell(f"wrote {ai_act}: {len(pack.files):,} files, index.html lists them")
    points = len(pack.annex_iv)
    tell(f"Annex IV, {points} points: evidence for a part of {points - alone}, {alone} for a human")
    if pack.certified is None:
        tell("certified lower bound: none, so no accuracy may be declared")
        if read_assessment(run)[0].stopped:
            tell("the run was stopped: run the same `ladder assess` again, then export that run")
    else:
        tell(f"certified lower bound: {declared(pack.certified):g}; declare no more")
    tell(f"{len(pack.questions)} questions that a reader would still ask are in it")


def freeze(task: TaskFile, data: DataFolder = None, runs: RunsFolder = Path("runs")) -> None:
    """Sign what a task promises before anything is measured: gate, metric, data, rungs, seed."""
    from ladder.commands.audit import freeze_task, frozen_words
    from ladder.files import whole_path

    for line in frozen_words(*freeze_task(task, data, whole_path(runs))):
        tell(line)
