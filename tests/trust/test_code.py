"""Consent and keys: what stands outside the task decides, and nothing inside it."""

from __future__ import annotations

import os
import py_compile
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import ladder

from ladder.commands.check import check_task
from ladder.commands.init import write_starter
from ladder.errors import EngineError, SettingsError, TaskError
from ladder.scorers import Score, make_scorer
from ladder.scorers.own import own_scorer
from ladder.task import ScorerChoice
from ladder.trust.code import Consent, Granted, read_code
from ladder.trust.keys import about_key, how_to_send, key_for, place_at
from ladder.trust.settings import Settings, read_settings, settings_file, trust_code

B64 = "b" * 64
KEY = "sk-very-secret-0123456789"
SCORER = """\
from subprocess import run
from ladder.scorers.base import Score
from .near import ends

def same(*, length=1):
    return lambda answer, target: Score(ends(answer, target, length))

def wrong():
    return 5

class Same:
    def __call__(self, answer, target):
        return Score(float(answer == target))

alias = print
"""
NEAR = "def ends(a, b, length):\n    return float(a[-length:] == b[-length:])\n"


def says(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def package(folder: Path) -> Path:
    (folder / "mine").mkdir()
    (folder / "mine" / "scorers.py").write_text(SCORER)
    (folder / "mine" / "near.py").write_text(NEAR)
    return folder


def scorer(folder: Path, name: str, granted: Granted = "trusted", **parameters: Any) -> Any:
    choice = ScorerChoice(name=name, parameters=parameters)
    return make_scorer(choice, "score", Consent(folder / "task.yaml", granted))


def digest(folder: Path) -> str:
    return read_code(folder / "mine", "score").digest


# Code


def test_a_digest_gives_consent_until_a_file_changes(tmp_path: Path) -> None:
    package(tmp_path)
    with pytest.raises(TaskError, match="ladder trust"):
        scorer(tmp_path, "mine.scorers:same")
    trust_code(digest(tmp_path), "mine")
    assert scorer(tmp_path, "mine.scorers:same", length=2)("abc", "xbc") == Score(1.0)
    (tmp_path / "mine" / "near.py").write_text(NEAR + "# another\n")
    with pytest.raises(TaskError, match="consent"):
        scorer(tmp_path, "mine.scorers:same")


@pytest.mark.parametrize("change", ["renamed", "added"])
def test_every_file_of_a_package_counts(change: str, tmp_path: Path) -> None:
    before = digest(package(tmp_path))
    if change == "added":
        (tmp_path / "mine" / "inner").mkdir()
        (tmp_path / "mine" / "inner" / "more.py").write_text("")
    else:
        (tmp_path / "mine" / "near.py").rename(tmp_path / "mine" / "far.py")
    assert digest(tmp_path) != before


def test_kept_bytecode_is_never_what_runs(tmp_path: Path) -> None:
    """A .pyc that says it belongs to the trusted source would be taken by Python's own import."""
    source = package(tmp_path) / "mine" / "near.py"
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')\n" + NEAR)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    kept = source.parent / "__pycache__" / f"near.{os.sys.implementation.cache_tag}.pyc"  # type: ignore[attr-defined]
    kept.parent.mkdir()
    py_compile.compile(str(evil), cfile=str(kept), invalidation_mode=unchecked)
    trust_code(digest(tmp_path), "mine")
    assert scorer(tmp_path, "mine.scorers:same")("a", "a") == Score(1.0)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        ("mine.scorers:run", {"args": ["true"]}, "only imports"),
        ("mine.scorers:ends", {}, "only imports"),
        ("mine.scorers:alias", {}, "no function or class"),
        ("mine.scorers:missing", {}, "no function or class"),
        ("mine.scorers:wrong", {}, "which returns int"),
        ("mine.scorers:same", {"lenght": 1}, "lenght"),
        ("mine.scorers:same.__globals__", {}, "module:function"),
        ("mine.scorers:__builtins__", {}, "module:function"),
        ("mine.scorers:", {}, "module:function"),
        ("../mine:same", {}, "module:function"),
        ("mine.absent:same", {}, "a scorer beside the task"),
        ("joblib:load", {"filename": "x"}, "a scorer beside the task"),
        ("os.path:join", {}, "a scorer of your own"),
        ("ladder.files:write_whole", {}, "a scorer of your own"),
    ],
)
def test_only_what_a_module_defines_is_a_scorer(
    name: str, parameters: dict[str, Any], why: str, tmp_path: Path
) -> None:
    package(tmp_path)
    with pytest.raises(TaskError, match=why):
        scorer(tmp_path, name, "all", **parameters)


def test_a_class_is_a_scorer_too(tmp_path: Path) -> None:
    package(tmp_path)
    assert scorer(tmp_path, "mine.scorers:Same", "all")("a", "a") == Score(1.0)


def test_an_installed_package_is_named_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings_at: Path
) -> None:
    (tmp_path / "site").mkdir()
    package(tmp_path / "site")
    (tmp_path / "site" / "mine").rename(tmp_path / "site" / "our_scorers")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "task").mkdir()
    with pytest.raises(TaskError, match=r"trusted_packages: \[our_scorers\]"):
        scorer(tmp_path / "task", "our_scorers.scorers:same", "all")
    says(settings_at, "trusted_packages: [our_scorers]\n")
    assert scorer(tmp_path / "task", "our_scorers.scorers:same")("a", "a") == Score(1.0)
    with pytest.raises(TaskError, match="found in the task's own folder"):
        scorer(tmp_path / "site", "our_scorers.scorers:same", "all")


@pytest.mark.slow
def test_trust_shows_asks_and_writes_one_line(tmp_path: Path, settings_at: Path) -> None:
    write_starter(tmp_path / "t")
    task = tmp_path / "t" / "task.yaml"
    assert "names no code" in ladder("trust", task).stdout
    task.write_text(task.read_text().replace("score: exact_match", "score: mine:same"))
    (tmp_path / "t" / "mine.py").write_text("def same():\n    return lambda answer, target: 1\n")
    assert "ladder trust" in "\n".join(check_task(task, None))
    says(settings_at, "# mine\nendpoints: {my.host: MY_KEY}\n")
    shown = ladder("trust", task, "--yes").stdout
    assert "mine.py" in shown
    [code] = read_settings().trusted_code
    assert code in shown
    assert settings_at.read_text().startswith("# mine\nendpoints: {my.host: MY_KEY}\n")
    assert read_settings().endpoints == {"my.host": "MY_KEY"}
    assert "trusted already" in ladder("trust", task).stdout
    assert "check does not run it" in "\n".join(check_task(task, None))


# The configuration


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("trusted: []\n", "an unknown key"),
        ("- a\n", "something else"),
        ("a: [1\n", "valid YAML"),
        ("trusted_code: {abc: x}\n", "a sha256"),
        ("trusted_packages: [a.b]\n", "without dots"),
        ("endpoints: {'https://a.b': K}\n", "without a scheme"),
        ("endpoints: {'me@a.b': K}\n", "without a scheme"),
        ("endpoints: {'a.b:99999': K}\n", "without a scheme"),
        ("endpoints: {'ä.de': K}\n", "in ASCII"),
        (f"endpoints: {{a.b: {KEY}}}\n", "never a key itself"),
        ("endpoints: {a.b: K}\nendpoints: {c.d: K}\n", "it once"),
    ],
)
def test_a_mistake_in_it_is_one_message(text: str, why: str, settings_at: Path) -> None:
    says(settings_at, text)
    with pytest.raises(SettingsError, match=why) as caught:
        read_settings()
    assert KEY not in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_file_that_others_may_write_is_refused(settings_at: Path) -> None:
    says(settings_at, "endpoints: {}\n")
    for mode in (0o620, 0o602):
        settings_at.chmod(mode)
        with pytest.raises(SettingsError, match="chmod go-w"):
            read_settings()
    settings_at.unlink()
    os.mkfifo(settings_at)
    with pytest.raises(SettingsError, match="a small text file"):
        read_settings()


def test_a_folder_in_which_anybody_may_replace_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    monkeypatch.setenv("LADDER_CONFIG", str(folder / "config.yaml"))
    says(folder / "config.yaml", "endpoints: {}\n")
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="chmod o-w"):
        read_settings()
    folder.chmod(0o1777)  # as /tmp: only its owner may replace a file there
    assert not read_settings().endpoints


def test_it_is_never_looked_for_in_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LADDER_CONFIG", "config.yaml")
    with pytest.raises(SettingsError, match="an absolute path"):
        settings_file()
    monkeypatch.delenv("LADDER_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings_file() == tmp_path / ".config/ladder/config.yaml"
    assert read_settings() == Settings()


@pytest.mark.parametrize(
    "text",
    ["", "trusted_code:\n", "trusted_code: # mine\n  # none\nendpoints: {}", "endpoints: {a.b: K}"],
)
def test_a_line_is_added_to_any_form(text: str, settings_at: Path) -> None:
    says(settings_at, text)
    before = read_settings()
    for number, comment in enumerate(['a "quoted" \\1 name', "ü: #2"]):
        trust_code(f"{number:064x}", comment)
    assert list(read_settings().trusted_code.values()).count("ü: #2") == 1
    assert len(read_settings().trusted_code) == 2
    assert read_settings().endpoints == before.endpoints


def test_a_form_that_no_line_can_be_added_to_is_told(settings_at: Path) -> None:
    says(settings_at, f"trusted_code: {{{'a' * 64}: x}}\n")
    with pytest.raises(SettingsError, match=f'Add it by hand: "{B64}"'):
        trust_code(B64, "more")


# Keys


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LADDER_API_KEY", "OPENAI_API_KEY", "MY_KEY"):
        monkeypatch.setenv(name, f"{KEY}-{name}")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("https://API.OpenAI.com.:443/v1", "OPENAI_API_KEY"),
        ("http://api.openai.com/v1", None),
        ("https://api.openai.com:8443/v1", None),
        ("https://openai.com/v1", None),
        ("https://eu.api.openai.com/v1", None),
        ("https://api.openai.com.evil.net/v1", None),
        ("https://api.openai.com@evil.net/v1", None),
        ("https://evil.net/api.openai.com", None),
        ("https://evil.net#@api.openai.com/", None),
        ("https://аpi.openai.com/v1", None),  # a Cyrillic first letter
        ("http://localhost:8000/v1", "LADDER_API_KEY"),
        ("http://127.0.0.9/v1", "LADDER_API_KEY"),
        ("https://[::1]:8000/v1", "LADDER_API_KEY"),
        ("http://localhost.evil.net/v1", None),
        ("http://127.0.0.1.evil.net/v1", None),
        ("https://my.host:8443/v1", "MY_KEY"),
        ("https://MY.host.:8443/v1", "MY_KEY"),
        ("http://my.host:8443/v1", None),
        ("https://my.host/v1", None),
        ("https://usual.host/v1", "MY_KEY"),
        ("https://usual.host:444/v1", None),
        ("http://[::1]:9000/v1", "MY_KEY"),
    ],
)
def test_a_key_goes_where_the_configuration_says(
    url: str, variable: str | None, settings_at: Path
) -> None:
    named = "{'my.host:8443': MY_KEY, usual.host: MY_KEY, '[::1]:9000': MY_KEY}"
    says(settings_at, f"endpoints: {named}\n")
    place = place_at(httpx.URL(url))
    key = key_for(place)
    assert (key.variable if key else None) == variable
    assert KEY not in f"{about_key(place)} {how_to_send(place)} {key!r}"
    assert about_key(place).startswith(f"key: ${variable} by" if variable else "no key")


def test_what_to_add_is_said_word_for_word(settings_at: Path) -> None:
    said = how_to_send(place_at("https://my.host:8443/v1"))
    assert f'{settings_at}: endpoints: {{"my.host:8443": MY_VARIABLE}}' in said
    says(settings_at, said.split(f"{settings_at}: ")[1].split(", where")[0] + "\n")
    assert "set MY_VARIABLE" in how_to_send(place_at("https://my.host:8443/v1"))
    assert "https://" in how_to_send(place_at("http://my.host:8443/v1"))


def test_a_key_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDER_API_KEY", "two\nlines")
    with pytest.raises(EngineError, match="LADDER_API_KEY") as caught:
        key_for(place_at("http://localhost/v1"))
    assert "two" not in str(caught.value)


def test_check_names_the_variable_of_each_endpoint(
    tmp_path: Path, settings_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    write_starter(tmp_path / "t")
    task = tmp_path / "t" / "task.yaml"
    models = "{base: 'openai:m@https://my.host/v1', teacher: 'openai:m@https://other.host/v1'}"
    kept = [line for line in task.read_text().splitlines() if not line.startswith("models")]
    text = "\n".join([*kept, f"models: {models}", "rules: {data_may_leave: true}", ""])
    task.write_text(text)
    says(settings_at, "endpoints: {my.host: MY_KEY}\n")
    said = "\n".join(check_task(task, None))
    assert f"base: m at my.host: key: $MY_KEY by {settings_at}" in said
    assert "teacher: m at other.host: no key" in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("says", "value"), [("True", 1.0), ("0.25", 0.25), ("0", 0.0), ("Score(0.5, 'half')", 0.5)]
)
def test_a_plain_function_of_an_answer_and_a_target_scores(says, value, tmp_path):
    text = f"from ladder.scorers.base import Score\ndef near(answer, target):\n    return {says}\n"
    (tmp_path / "mine.py").write_text(text)
    consent = Consent(tmp_path / "task.yaml", "all")
    assert own_scorer("mine:near", {}, consent, "score")("a", "b").value == value


@pytest.mark.parametrize("says", ["2", "-0.1", "float('nan')", "'yes'", "None", "1 / 0"])
def test_what_is_no_score_is_told_as_the_scorers_mistake(says, tmp_path):
    (tmp_path / "mine.py").write_text(f"def near(answer, target):\n    return {says}\n")
    scorer = own_scorer("mine:near", {}, Consent(tmp_path / "task.yaml", "all"), "score")
    with pytest.raises(TaskError, match="mine:near"):
        scorer("a", "b")
