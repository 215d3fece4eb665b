"""Signed weights: what was signed loads, and nothing else does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ladder.audit.keys import public_file
from ladder.audit.weights import beside, refuse_badly_signed, sign_weights, weights_key
from ladder.engines.passport import refuse_changed
from ladder.errors import MissingExtraError, PassportError, SettingsError


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of an adapter, and a configuration of its own."""
    monkeypatch.setenv("LADDER_CONFIG", str(tmp_path / "config" / "config.yaml"))
    folder = tmp_path / "artefacts" / "lora-1"
    (folder / "inner").mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "inner" / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("a card")
    return folder


def test_what_was_signed_loads(adapter: Path) -> None:
    signature = sign_weights(adapter)
    assert signature == beside(adapter)
    assert weights_key().stat().st_mode & 0o777 == 0o600
    refuse_changed(adapter, None)


def test_the_card_may_change_and_no_other_file(adapter: Path) -> None:
    sign_weights(adapter)
    (adapter / "README.md").write_text("with what was measured")
    refuse_changed(adapter, None)
    (adapter / "inner" / "tokenizer.json").write_text("{ }")
    with pytest.raises(PassportError, match=r"tokenizer\.json"):
        refuse_changed(adapter, None)


@pytest.mark.parametrize("at", [0, 5_000, 10_239])
def test_a_byte_of_the_weights_is_found(adapter: Path, at: int) -> None:
    sign_weights(adapter)
    weights = adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[at] ^= 1
    weights.write_bytes(content)
    with pytest.raises(PassportError, match=r"adapter_model\.safetensors"):
        refuse_changed(adapter.parent / "base", adapter)


def test_files_that_were_added_or_taken_away_are_found(adapter: Path) -> None:
    sign_weights(adapter)
    added = adapter / "modeling.py"
    added.write_text("print('hello')")
    with pytest.raises(PassportError, match=r"modeling\.py"):
        refuse_changed(adapter, None)
    added.unlink()
    (adapter / "inner" / "tokenizer.json").unlink()
    with pytest.raises(PassportError, match=r"tokenizer\.json"):
        refuse_changed(adapter, None)


def test_a_signature_by_a_key_that_is_not_believed_does_not_hold(adapter: Path) -> None:
    sign_weights(adapter)
    theirs = public_file(weights_key()).read_text()
    weights_key().unlink()
    public_file(weights_key()).unlink()
    refuse_badly_signed(adapter)  # no key: nothing to check with
    other = adapter.with_name("other")
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"1")
    sign_weights(other)
    with pytest.raises(PassportError, match=r"not what lora-1\.sig was made for"):
        refuse_badly_signed(adapter)
    (weights_key().parent / "weights-supplier.pub.pem").write_text(theirs)
    refuse_badly_signed(adapter)


def test_a_signature_that_came_with_a_model_is_checked(adapter: Path) -> None:
    sign_weights(adapter).rename(adapter / "model.sig")
    refuse_changed(adapter, None)
    (adapter / "adapter_model.safetensors").write_bytes(b"others")
    with pytest.raises(PassportError, match=r"model\.sig"):
        refuse_changed(adapter, None)


def test_a_signature_that_is_none_does_not_hold(adapter: Path) -> None:
    sign_weights(adapter).write_text("{}")
    with pytest.raises(PassportError):
        refuse_changed(adapter, None)


def test_what_is_no_folder_is_told(adapter: Path) -> None:
    with pytest.raises(PassportError, match="got no folder"):
        sign_weights(adapter / "README.md")


def test_a_private_key_that_others_may_read_is_refused(adapter: Path) -> None:
    sign_weights(adapter)
    weights_key().chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        sign_weights(adapter)


def test_a_file_that_is_no_key_is_refused(adapter: Path) -> None:
    weights_key().parent.mkdir(parents=True)
    weights_key().write_text("no key")
    weights_key().chmod(0o600)
    with pytest.raises(SettingsError, match="elliptic-curve"):
        sign_weights(adapter)


def test_without_the_library_a_signature_is_not_passed_over(
    adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_weights(adapter)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(MissingExtraError, match=r"escalation-ladder\[sign\]"):
        refuse_changed(adapter, None)
