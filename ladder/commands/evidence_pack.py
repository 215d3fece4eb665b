"""`ladder audit export --ai-act`: a folder with what a notified body is handed of one run.

Written beside its place and moved there whole. Rows and answers stay out of it unless they are
asked for: their digests are in it, so that they can be compared, or erased, without breaking it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.artefacts.card import RECORD, licence_of
from ladder.audit.keys import private_file, public_file
from ladder.audit.ledger import is_kept
from ladder.audit.pack import mapping as names
from ladder.audit.pack.act import DATES, TO_VERIFY
from ladder.audit.pack.card import run_card
from ladder.audit.pack.certified import certified
from ladder.audit.pack.data_card import data_card
from ladder.audit.pack.ml_bom import ml_bom
from ladder.audit.pack.questions import questions
from ladder.audit.pack.slice_table import slice_table
from ladder.audit.pack.verifying import INDEX, SUMS
from ladder.audit.training import statement_of
from ladder.audit.verify import SIGNED as SIGNED_FILE
from ladder.commands.audit import STATEMENTS
from ladder.commands.page import happened_since, next_check
from ladder.engines.passport import read_passport
from ladder.errors import LadderError, Problem, StateError
from ladder.evidence import ASSESSMENT, ActDate, Assessment, EvidencePack, Passport
from ladder.files import clear_disk_errors, file_digest, open_file, shipped, write_whole
from ladder.lifecycle.history import RECORDS
from ladder.lifecycle.plan import PLAN, day_of, load_plan
from ladder.report.brief import BRIEF, as_brief_page
from ladder.report.markdown import as_markdown
from ladder.report.pack import monitoring_plan, pack_markdown, pack_page, test_report
from ladder.report.page import NO_SAMPLES, PAGE, as_page
from ladder.report.reading import read_assessment, whole_record
from ladder.report.samples import SIBLING
from ladder.task import read_yaml
from ladder.wording import in_json

COPIED = (ASSESSMENT, PLAN, "costs.svg", *RECORDS)
"""Files of a run that hold no row and no answer."""
MADE_ANEW = (PAGE, BRIEF, "brief.md", "report.md", SIBLING)
"""The run's own hold examples, or are written again from its record."""
SIGNED = (
    names.RECORD,
    names.REPORT,
    names.CARD,
    names.DATA,
    names.SLICES,
    names.FREEZE,
    names.LEDGER,
    names.HEADS,
    names.BOM,
    names.MONITORING,
    names.ISOLATION,
    names.PROVENANCE,
    names.TASK,
    names.PLAN,
    names.RECIPE,
    names.TRAINING,
    names.STATEMENTS,
)
"""What the signature under the test report stands under, as far as it is there."""


@dataclass(frozen=True)
class Run:
    """A run that is packed."""

    a: Assessment
    folder: Path

    @property
    def runs(self) -> Path:
        """The folder of all runs, where a ledger lies."""
        return self.folder.resolve().parent.parent


def export_pack(run: Path, out: Path, *, with_examples: bool = False) -> EvidencePack:
    """Write an evidence pack.

    Args:
        run: a run's folder, or its assessment.json.
        out: the folder to write; it must not be there, or be empty.
        with_examples: put the test logs into it, which hold rows and answers.

    Returns:
        its index.

    Raises:
        DataError: the run is damaged, or not there.
        StateError: the folder is there, or cannot be written.
    """
    a, folder = read_assessment(run)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        wanted = Problem(str(out), "something that is there", "a folder that is not", "Name one.")
        raise StateError(str(wanted))
    with clear_disk_errors(out), whole_record(folder):
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            pack = _write(Run(a, folder), scratch, with_examples)
            if out.exists():
                out.rmdir()
            scratch.chmod(0o755)
            scratch.replace(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return pack


def _write(run: Run, into: Path, with_examples: bool) -> EvidencePack:
    _copy_records(run, into)
    logs = dict(_test_logs(run.folder))
    if with_examples:
        for name in logs:
            _copy(run.folder / name, into / names.EXAMPLES / name)
    _write_pages(run, into)
    _write_cards(run, into)
    present = _digests(into)
    write_whole(
        into / names.TEST,
        test_report(run.a, {k: v for k, v in present.items() if k.startswith(SIGNED)}),
    )
    pack = _index(run, _digests(into), {} if with_examples else logs)
    write_whole(into / INDEX, in_json(pack.model_dump_json(indent=2)) + "\n")
    write_whole(into / "index.md", pack_markdown(pack, run.a))
    write_whole(into / "index.html", pack_page(pack, run.a))
    sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(into).items())
    write_whole(into / SUMS, sums)
    return pack


def _copy_records(run: Run, into: Path) -> None:
    """Copy what the run and the ledger beside it hold, byte for byte."""
    found = {f"run/{name}": run.folder / name for name in COPIED}
    found |= {
        names.LEDGER: run.runs / Path(names.LEDGER).name,
        names.HEADS: run.runs / Path(names.HEADS).name,
    }
    if is_kept(found[names.LEDGER]):
        found[names.KEY] = public_file(private_file("machine"))
    if (freeze := _freeze_before(run)) is not None:
        found[names.FREEZE] = freeze
    if (task := _task_file(run)) is not None:
        found[names.TASK] = task
    found |= {f"run/{name}": run.folder / name for name in _statements(run.folder)}
    found |= _of_training(run.a)
    for name, path in found.items():
        if path.is_file() and not path.is_symlink():
            _copy(path, into / name)


def _freeze_before(run: Run) -> Path | None:
    """Return the freeze that the run cites, or the last one of the task from before it began."""
    stamp = run.folder.resolve().name
    made = sorted(run.folder.resolve().parent.glob("freeze-*.json"))
    wanted = getattr(getattr(run.a, "criteria", None), "digest", "")
    if wanted:
        return next((path for path in made if file_digest(path) == wanted), None)
    return max((path for path in made if path.stem.removeprefix("freeze-") <= stamp), default=None)


def _task_file(run: Run) -> Path | None:
    """Return the task file, where it is still the one that was assessed."""
    places = [Path(run.a.task.source)]
    with suppress(LadderError):
        places.append(run.folder / load_plan(run.folder / PLAN).task)
    for path in places:
        with suppress(OSError, ValueError):
            if file_digest(path) == run.a.task.digest:
                return path
    return None


def _of_training(a: Assessment) -> dict[str, Path]:
    """Return what tells how the answer's model was trained, and holds no row."""
    built = _built(a)
    if built is None:
        return {}
    found = {names.PROVENANCE: statement_of(built), names.TRAINING: built / RECORD}
    passport = _passport(a)
    for name, digest in passport.recipe_digests.items() if passport else ():
        for folder in (shipped("recipes"), Path(a.task.source).parent):
            with suppress(OSError, ValueError):
                if _is_settings(name) and file_digest(folder / name) == digest:
                    found[names.RECIPE] = folder / name
    return found


def _is_settings(name: str) -> bool:
    """Tell whether a recipe's file is its settings: a name, and no way to another folder."""
    return name == Path(name).name and name.endswith(".yaml")


def _statements(folder: Path) -> tuple[str, ...]:
    """Return the signed statements in a run's folder: on its rungs, and of who signed it."""
    found = (
        *folder.glob(f"{STATEMENTS}/*{SIGNED_FILE}"),
        *folder.glob(f"signature-*{SIGNED_FILE}"),
    )
    return tuple(path.relative_to(folder).as_posix() for path in sorted(found))


def _test_logs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and digest of the files of a run that hold rows or answers."""
    without = {*COPIED, *MADE_ANEW, *_statements(folder)}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in without:
            yield name, file_digest(path)


def _write_pages(run: Run, into: Path) -> None:
    a, check = run.a, next_check(run.folder, run.a)
    page = as_page(a, NO_SAMPLES, check, happened_since(run.folder))
    write_whole(into / names.REPORT, page.html)
    write_whole(into / "run/report.md", as_markdown(a))
    write_whole(into / names.BRIEF, as_brief_page(a, check))
    plan = run.folder / PLAN
    if a.plan and plan.is_file():
        write_whole(into / names.MONITORING, monitoring_plan(load_plan(plan)))


def _write_cards(run: Run, into: Path) -> None:
    a = run.a
    write_whole(into / names.CARD, run_card(a))
    write_whole(into / names.DATA, _json(data_card(a, _data_files(into / names.TASK))))
    write_whole(into / names.BOM, _json(ml_bom(a, _passport(a), _licences(a))))
    write_whole(into / names.SLICES, slice_table(a))
    isolation = getattr(a, "isolation", None)  # None: not asked for, or written before
    if isolation is not None:
        write_whole(into / names.ISOLATION, in_json(isolation.model_dump_json(indent=2)) + "\n")


def _json(values: Mapping[str, Any]) -> str:
    return in_json(json.dumps(values, ensure_ascii=False, indent=2)) + "\n"


def _data_files(task: Path) -> dict[str, str]:
    """Return role -> name of the file, as far as the task file says it."""
    if not task.is_file():
        return {}
    values = read_yaml(task.read_text(encoding="utf-8"))[1]
    data = values.get("data") if isinstance(values, dict) else None
    named = data.items() if isinstance(data, dict) else ()
    return {str(role): value for role, value in named if isinstance(value, str)}


def _built(a: Assessment) -> Path | None:
    """Return the folder of what was trained for the answer; None: nothing was."""
    built = a.chosen.candidate.build.folder if a.chosen and a.chosen.candidate else None
    return Path(built) if built else None


def _passport(a: Assessment) -> Passport | None:
    """Return the passport of what was trained for the answer, where it is still there."""
    built = _built(a)
    try:
        return read_passport(built) if built else None
    except (LadderError, OSError):
        return None


def _licences(a: Assessment) -> dict[str, str]:
    """Return what packages say of their licence, where the version is the measured one.

    So does the base, where what was trained on it says where it lay.
    """
    found = {}
    passport = _passport(a)
    if passport and (of_base := licence_of(Path(passport.base_folder))):
        found[a.task.base] = of_base
    for name, version in a.versions.items():
        try:
            about = importlib.metadata.metadata(name).json
        except importlib.metadata.PackageNotFoundError:
            continue
        said = str(about.get("license_expression") or about.get("license") or "")
        if about.get("version") == version and said and "\n" not in said:
            found[name] = said
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_file(source) as read, target.open("wb") as written:
        shutil.copyfileobj(read, written)


def _digests(folder: Path) -> dict[str, str]:
    """Return name -> sha256 of every file beneath a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {}
    for path in paths:
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return found


def _index(run: Run, files: dict[str, str], left_out: dict[str, str]) -> EvidencePack:
    a, found = run.a, certified(run.a)
    annex, articles = names.map_points(files)
    return EvidencePack(
        ladder_version=a.ladder_version,
        task=a.task.name,
        run=a.created,
        assessment=files[names.RECORD],
        certified=found.bound if found else None,
        annex_iv=annex,
        articles=articles,
        questions=questions(a, files),
        keep=names.retention(day_of(a.created)),
        dates=tuple(
            ActDate(day=one.day.isoformat(), what=one.what, source=one.source) for one in DATES
        ),
        to_verify=TO_VERIFY,
        files=files,
        left_out=left_out,
    )
