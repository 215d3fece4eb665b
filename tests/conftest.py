"""What tests share: where real data lies, and the command line as a user starts it."""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

from ladder import cli
from ladder.ending import SIGNALS
from ladder.trust import egress
from ladder.trust.quiet import HUB_OFFLINE

# A busy machine is no reason to fail: nothing here is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent
PUBLIC_DATA = Path(os.environ.get("LADDER_DATASETS", ROOT.parent / "shared" / "datasets"))
EVALSETS = ("r1_guest_feedback", "r2_ferry_handbook", "r3_bakery_orders", "r4_bakery_fast")


@pytest.fixture(autouse=True)
def settings_at(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration would lie: none is there, and nobody's own is read."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    monkeypatch.setenv("LADDER_CONFIG", str(path))
    return path


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's URLs hold is no secret in the next."""
    monkeypatch.setattr("ladder.redaction._SECRETS", set())


@pytest.fixture(autouse=True)
def nothing_kept_here() -> Iterator[None]:
    """What one test's task keeps on this machine, the next may send."""
    offline = os.environ.get(HUB_OFFLINE)
    yield
    egress.let_go()
    os.environ.pop(HUB_OFFLINE, None)
    if offline is not None:
        os.environ[HUB_OFFLINE] = offline


def ladder(
    *words: object, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "ladder", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", **more},
        timeout=1800,
        check=False,
    )


def assessed(out: str) -> dict[str, Any]:
    """Return the record that `assess --json` ends with: all that assessment.json holds."""
    last: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert last["event"] == "answer", last
    found: dict[str, Any] = last["found"]
    return found


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    errors: str

    def refused(self, *words: str) -> None:
        assert self.code == 2, (self.code, self.errors)
        assert "Traceback" not in self.errors
        assert "A bug" not in self.errors
        for word in words:
            assert word in self.errors


@pytest.fixture(name="ladder")
def ladder_in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Said]]:
    """The command line inside this process: its imports are paid for once."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook

    def run(*words: object) -> Said:
        out, errors = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["ladder", *map(str, words)])
        with redirect_stdout(out), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
            cli.main()
        return Said(int(ended.value.code or 0), out.getvalue(), errors.getvalue())

    yield run
    sys.unraisablehook = hook
    for number, handler in kept.items():
        signal.signal(number, handler)


def program(name: str) -> ModuleType:
    """Return a training program as a module; programs find what they share beside them."""
    folder = str(ROOT / "recipes")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def train_head(
    folder: Path,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int = 0,
    embedding: Path | None = None,
) -> None:
    """Make a classifier with the recipe's own program."""
    module = program("student_label")
    model = str(embedding) if embedding else None
    module.train_head(folder, texts, labels, module.Head(str(folder), model, seed=seed))


@pytest.fixture(scope="session")
def public_data() -> Path:
    if not PUBLIC_DATA.is_dir():
        pytest.skip("the public data sets are not on this machine (LADDER_DATASETS names them)")
    return PUBLIC_DATA


@pytest.fixture(scope="session")
def smollm() -> Path:
    """The bundled model, converted into the user's cache if it is not there yet."""
    from ladder.engines.bundled import bundled_folder

    return bundled_folder("smollm2-135m")


def random_llama(folder: Path, smollm: Path, **settings: object) -> Path:
    """Write a two-layer model with random weights and the bundled model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(smollm)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=tokenizer.pad_token_id,
        **settings,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(smollm: Path, tmp_path: Path) -> Path:
    return random_llama(tmp_path / "tiny", smollm)


@pytest.fixture
def student(tiny: Path, tmp_path: Path) -> Path:
    """A trained model with its passport, made from the tiny one."""
    from trained import issued

    folder = tmp_path / "student"
    shutil.copytree(tiny, folder)
    issued(folder, tiny)
    return folder
