"""An evidence pack on the disk: whole, checkable with sha256sum, without rows, without a claim."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from artefacts.test_card import passport
from conftest import ROOT
from harmful import HOSTILE, acting, live, tokens
from runs_made import made_run
from test_docs import assert_ran, run_pages

from ladder.audit.folders import digests_in
from ladder.audit.keys import load_signer, private_file, public_file
from ladder.audit.ledger import note
from ladder.audit.statements import TYPE, write_statement
from ladder.audit.training import statement_of
from ladder.commands.evidence_pack import export_pack
from ladder.errors import StateError
from ladder.evidence import ASSESSMENT, Assessment, CitedFreeze, Comparison
from ladder.files import file_digest

STAMP = "2026-10-01T080000.000000Z"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a sample of its test logs."""
    made = made_run(tmp_path / "runs", STAMP)
    (made / "prompt").mkdir()
    (made / "prompt/samples.jsonl").write_text('{"id": "1", "input": "a private row"}\n')
    return made


def trained(run: Path, built: Path) -> None:
    """Say in the record of a run that its answer was trained, in a folder that is made."""
    built.mkdir(parents=True)
    path = run / ASSESSMENT
    values = json.loads(path.read_text())
    rung = values["recommendation"]["rung"]
    [chosen] = (each for each in values["attempts"] if each["rung"] == rung)
    chosen["candidate"]["build"]["folder"] = str(built)
    path.write_text(json.dumps(values))


def texts(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_a_pack_lists_its_files_with_their_digests(run, tmp_path):
    pack = export_pack(run, tmp_path / "out")
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "out", check=False
    )
    assert done.returncode == 0
    kept = json.loads((tmp_path / "out/pack.json").read_text())
    assert kept["files"] == pack.files
    for name, digest in pack.files.items():
        assert file_digest(tmp_path / "out" / name) == digest
    named = {name for one in (*pack.annex_iv, *pack.articles) for name in one.files}
    assert named <= pack.files.keys()
    page = (tmp_path / "out/index.html").read_text()
    for name in pack.files:
        assert f'href="{name}"' in page
    listed = {
        line.split("  ")[1] for line in (tmp_path / "out/SHA256SUMS").read_text().splitlines()
    }
    there = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert listed == there


@pytest.mark.slow
def test_no_row_is_in_it_unless_it_is_asked_for(run, tmp_path):
    pack = export_pack(run, tmp_path / "out")
    assert pack.left_out == {"prompt/samples.jsonl": file_digest(run / "prompt/samples.jsonl")}
    assert "a private row" not in texts(tmp_path / "out")
    pack = export_pack(run, tmp_path / "whole", with_examples=True)
    assert not pack.left_out
    assert "run/examples/prompt/samples.jsonl" in pack.files


def test_nothing_says_that_a_requirement_is_met(run, tmp_path):
    export_pack(run, tmp_path / "out")
    said = texts(tmp_path / "out").lower()
    assert "compliant" not in said
    for path in (ROOT / "ladder").rglob("*.py"):
        if "audit" in path.parts or path.name in ("pack.py", "evidence_pack.py"):
            assert "compliant" not in path.read_text().lower(), path


def test_ledger_freeze_and_task_are_taken_along(run, tmp_path):
    (tmp_path / "runs/ledger.jsonl").write_text("{}\n")
    (tmp_path / "runs/ledger.heads.jsonl").write_text("{}\n")
    folder = run.parent
    for stamp in ("2026-09-01T080000.000000Z", "2026-09-30T080000.000000Z"):
        (folder / f"freeze-{stamp}.json").write_text(stamp)
    (folder / "freeze-2026-10-02T080000.000000Z.json").write_text("too late")
    pack = export_pack(run, tmp_path / "out")
    assert (tmp_path / "out/ledger/freeze.json").read_text().startswith("2026-09-30")
    points = {one.point: one.files for one in (*pack.annex_iv, *pack.articles)}
    assert "ledger/freeze.json" in points["Art. 9(8)"]
    assert points["6"] == ("ledger/ledger.jsonl",)


@pytest.mark.slow
def test_the_ledger_of_a_pack_can_be_checked_with_what_lies_in_it(run, tmp_path, ladder):
    ladder("audit", "keys")
    ladder("audit", "init", "--runs", run.parent.parent)
    export_pack(run, tmp_path / "pack")
    index = (tmp_path / "pack" / "index.md").read_text()
    command = "audit verify ledger --ledger-only --public-key ledger/machine.pub.pem"
    assert f"`ladder {command}`" in index
    words = [str(tmp_path / "pack" / w) if w.startswith("ledger") else w for w in command.split()]
    assert ladder(*words).code == 0


@pytest.fixture
def pack(run, tmp_path, ladder) -> Path:
    """A pack of a run that the ledger names, with a freeze and a person's signature."""
    for role in ("machine", "person"):
        ladder("audit", "keys", "--role", role)
    ladder("audit", "init", "--runs", run.parent.parent)
    signer = load_signer(private_file("machine"))
    write_statement(run / "statements/prompt.dsse.json", {"_type": TYPE, "said": "PASSED"}, signer)
    values = json.loads((run / ASSESSMENT).read_text())
    values["criteria"] = CitedFreeze(frozen=False).model_dump(mode="json")
    (run / ASSESSMENT).write_text(json.dumps(values))
    note(run, "assess", files=digests_in(run))
    assert ladder("audit", "sign", run, "--name", "Grace Hopper").code == 0
    export_pack(run, tmp_path / "pack")
    return tmp_path / "pack"


def test_a_pack_is_checked_by_the_command_that_stands_in_it(pack, ladder):
    command = "audit verify . --public-key ledger/machine.pub.pem"
    assert f"`ladder {command}`" in (pack / "index.md").read_text()
    key = public_file(private_file("machine"))
    said = ladder("audit", "verify", pack, "--public-key", key)
    files = sum(path.is_file() for path in pack.rglob("*"))
    assert (said.code, f"{files} files" in said.out) == (0, True), said.out


@pytest.mark.parametrize(
    ("name", "sums_too", "told"),
    [
        ("index.md", False, ["it is not the file that SHA256SUMS names"]),
        ("run/assessment.json", True, ["no record and no signed statement names"]),
        ("run/statements/prompt.dsse.json", True, ["no record and no signed", "canonical form"]),
        ("run/signature", True, ["no record and no signed", "canonical form"]),
        ("ledger/ledger.jsonl", True, ["ledger.jsonl"]),
    ],
)
def test_a_file_of_a_pack_that_was_changed_is_named(pack, ladder, name, sums_too, told):
    [path] = (
        path for path in pack.rglob("*") if path.relative_to(pack).as_posix().startswith(name)
    )
    before = file_digest(path)
    path.write_bytes(path.read_bytes() + b" ")
    if sums_too:
        sums = pack / "SHA256SUMS"
        sums.write_text(sums.read_text().replace(before, file_digest(path)))
    said = ladder("audit", "verify", pack, "--public-key", pack / "ledger/machine.pub.pem")
    assert said.code == 1
    for words in (*told, path.name, f"does not hold: {len(told)}"):
        assert words in said.out


def test_what_was_added_to_a_pack_or_taken_away_is_named(pack, ladder):
    (pack / "run/extra.json").write_text("{}")
    (pack / "slices.csv").unlink()
    said = ladder("audit", "verify", pack, "--public-key", pack / "ledger/machine.pub.pem").out
    assert "slices.csv: it is missing" in said
    assert "extra.json: SHA256SUMS does not name it" in said


@pytest.mark.slow
def test_signed_statements_go_along_and_can_be_read(run, tmp_path, ladder):
    for role in ("machine", "person"):
        ladder("audit", "keys", "--role", role)
    signer = load_signer(private_file("machine"))
    write_statement(run / "statements/prompt.dsse.json", {"_type": TYPE, "said": "PASSED"}, signer)
    built = tmp_path / "runs/artefacts/lora-1"
    trained(run, built)
    write_statement(statement_of(built), {"_type": TYPE, "said": "provenance"}, signer)
    assert ladder("audit", "sign", run, "--name", "Grace Hopper").code == 0
    (run / "statements/link.dsse.json").symlink_to("/etc/hostname")
    pack = export_pack(run, tmp_path / "out")
    [signature] = (name for name in pack.files if name.startswith("run/signature-"))
    assert set(pack.left_out) == {"prompt/samples.jsonl"}, "they hold no rows"
    assert "run/statements/link.dsse.json" not in pack.files
    points = {one.point: one.files for one in pack.annex_iv}
    assert {"run/statements/prompt.dsse.json", signature} <= set(points["2(g)"])
    assert "run/provenance.dsse.json" in points["2(a)"]
    index = (tmp_path / "out/index.md").read_text()
    for name, what in (
        ("run/provenance.dsse.json", "SLSA provenance"),
        (signature, "of the person"),
    ):
        assert re.search(rf"\[{re.escape(name)}\].* \| [^|]*{what}", index), name
    [command] = re.findall(r"What a signed file says: `(.*?)`;", index)
    done = subprocess.run(command, shell=True, cwd=tmp_path / "out", capture_output=True, text=True)
    assert json.loads(done.stdout) == {"_type": TYPE, "said": "provenance"}, done.stderr


@pytest.mark.parametrize("changed", [False, True])
def test_the_settings_of_a_training_go_along_as_long_as_they_are_the_same(run, tmp_path, changed):
    built = tmp_path / "runs/artefacts/lora-1"
    trained(run, built)
    (built / "training.json").write_text('{"steps": 15}')
    digest = "00" * 32 if changed else file_digest(ROOT / "recipes/lora.yaml")
    recipe = {"lora.yaml": digest, "../secret.yaml": "11" * 32}
    made = passport("adapter", "x").model_copy(update={"recipe_digests": recipe})
    (built / "passport.json").write_text(made.model_dump_json())
    pack = export_pack(run, tmp_path / "out")
    points = {one.point: one.files for one in pack.annex_iv}
    assert "run/training.json" in points["2(a)"]
    assert ("run/recipe.yaml" in points["2(a)"]) is not changed
    asked = any("With which settings" in each for each in pack.questions)
    assert asked is changed


def test_a_model_that_is_not_better_than_none_is_said_so(run, tmp_path):
    path = run / ASSESSMENT
    a = Assessment.model_validate_json(path.read_text())
    over = Comparison(
        other="control", difference=0.0, low=-0.1, high=0.1, n=9, p_value=0.5,
        claim="no difference proven",
    )  # fmt: skip
    attempts = tuple(
        each.but(comparisons=(over,)) if each.rung == a.recommendation.rung else each
        for each in a.attempts
    )
    path.write_text(a.but(attempts=attempts).model_dump_json())
    pack = export_pack(run, tmp_path / "out")
    assert any(each.startswith("Why a language model?") for each in pack.questions)
    for name in ("index.html", "index.md", "test-report.md"):
        assert "is not proven better than" in (tmp_path / "out" / name).read_text(), name


def test_every_file_of_a_pack_is_told(run, tmp_path):
    pack = export_pack(run, tmp_path / "out", with_examples=True)
    index = (tmp_path / "out/index.md").read_text()
    rows = re.findall(r"^\| \[([^\]]*)\]\([^)]*\) \| ([^|]+) \| `[0-9a-f]{64}` \|$", index, re.M)
    assert dict(rows).keys() == pack.files.keys()


def test_a_folder_that_is_there_is_refused_and_left_alone(run, tmp_path, ladder):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(StateError, match="something that is there"):
        export_pack(run, tmp_path / "out")
    ladder("audit", "export", run, "--ai-act", tmp_path / "out").refused("something that is there")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert not list(tmp_path.glob(".out.*"))


def test_a_run_without_a_record_says_how_to_go_on(run, tmp_path, ladder):
    (run / ASSESSMENT).unlink()
    told = ladder("audit", "export", run, "--ai-act", tmp_path / "out")
    told.refused("a finished run", "run the same `ladder assess` again")
    told = ladder("audit", "export", tmp_path / "nowhere", "--ai-act", tmp_path / "out")
    told.refused("a finished run", "runs/<task>/<time>")
    assert "again" not in told.errors
    assert not (tmp_path / "out").exists()


def test_why_the_metric_was_chosen_is_readable_in_a_pack(tmp_path):
    frozen = CitedFreeze(frozen=True, metric_rationale="A wrong <b>label</b> is a lost letter.")
    folder = made_run(tmp_path / "runs", STAMP)
    record = folder / ASSESSMENT
    found = json.loads(record.read_text()) | {"criteria": frozen.model_dump()}
    record.write_text(json.dumps(found))
    export_pack(folder, tmp_path / "out")
    for name in ("index.html", "index.md", "test-report.md", "run/report.md", "run/report.html"):
        said = (tmp_path / "out" / name).read_text()
        assert "is a lost letter." in said, name
        assert "<b>label" not in said, name


def test_a_link_in_a_run_is_not_followed(run, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden away")
    (run / "costs.svg").symlink_to(secret)
    (run / "prompt/link.jsonl").symlink_to(secret)
    pack = export_pack(run, tmp_path / "out", with_examples=True)
    assert "hidden away" not in texts(tmp_path / "out")
    assert "run/costs.svg" not in pack.files


@pytest.mark.slow
def test_nothing_of_a_hostile_run_acts(run, tmp_path):
    text = HOSTILE.replace("\ud800", "")
    path = run / "assessment.json"
    values = json.loads(path.read_text())
    values["task"] |= {"goal": text, "scorer": text, "base": text}
    values["attempts"][-1]["measurement"]["slices"] = {
        text: {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    }
    path.write_text(json.dumps(values))
    pack = export_pack(run, tmp_path / "out")
    for name in ("index.md", "index.html", "test-report.md", "model-card.md", "slices.csv"):
        assert not acting((tmp_path / "out" / name).read_text()), name
    for name in ("index.md", "test-report.md", "model-card.md"):
        body = (tmp_path / "out" / name).read_text().rpartition("\n---\n\n")[2]
        links = {token.attrs["href"] for token in tokens(body) if token.type == "link_open"}
        assert links <= pack.files.keys()
        assert {one for one in live(body) if not one.startswith("link_open")} == set()
    page = (tmp_path / "out/index.html").read_text()
    assert "<script>alert" not in page
    assert "onerror=alert(2)>" not in page


@pytest.mark.slow
def test_the_verbs_say_what_was_written(run, tmp_path, ladder):
    said = ladder("audit", "export", run, "--ai-act", tmp_path / "out")
    assert said.code == 0
    assert "certified lower bound: 0.789; declare no more" in said.out
    card = tmp_path / "card.md"
    assert ladder("card", run, "--out", card).code == 0
    assert ladder("card", run).out == card.read_text()
    assert ladder("card", run, "--check", card).code == 0
    other = tmp_path / "rows.csv"
    other.write_text("text,label\nhello,a\n")
    wrong_file = ladder("card", run, "--check", other)
    assert wrong_file.code == 2
    assert "no score that it declares" in wrong_file.errors
    card.write_text(card.read_text() + "\nIts accuracy is 99 %.\n")
    refused = ladder("card", run, "--check", card)
    assert refused.code == 1
    assert f"line {len(card.read_text().splitlines())}: exact_match 99 %" in refused.out
    assert "0.79" in refused.out


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path, run):
    (tmp_path / "made").mkdir()
    run.parent.parent.rename(tmp_path / "made/runs")
    assert_ran(run_pages([ROOT / "docs/evidence-pack.md"], tmp_path / "made"))
    assert (tmp_path / "made/evidence/index.html").is_file()


@pytest.mark.slow
def test_of_a_run_that_was_stopped_the_way_on_is_said(run, tmp_path, ladder):
    found = json.loads((run / "assessment.json").read_text())
    (run / "assessment.json").write_text(json.dumps({**found, "stopped": "by Ctrl-C"}))
    said = ladder("audit", "export", run, "--ai-act", tmp_path / "out")
    assert said.code == 0, said.errors
    assert "no accuracy may be declared" in said.out
    assert "run the same `ladder assess` again" in " ".join(said.out.split())
