"""Signed weights: an OpenSSF model signature over every file of a model's or adapter's folder.

Made with a key, never keyless: nothing is sent, and no public log names who signs. The library
takes keys of NIST's curves alone, so this is a third pair beside the machine's and the person's. A
signature lies beside its folder, `NAME.sig`, since what lies in the folder is part of what a model
is known by; one that came with a model lies in it, `model.sig`. Either is checked before weights
are loaded, where there is a public key to check it with.
"""

from __future__ import annotations

from pathlib import Path

from ladder.audit.keys import public_file, read_private, write_new
from ladder.errors import MissingExtraError, PassportError, Problem, SettingsError
from ladder.files import clear_disk_errors, private_folder, write_whole
from ladder.trust.settings import settings_file, shown

INSIDE = "model.sig"
CHANGES = ("README.md",)
"""The card: each assessment writes what it measured onto it."""
PUBLIC = "weights*.pub.pem"
"""Public keys that are believed: the own one, and those of suppliers (`weights-NAME.pub.pem`)."""


def weights_key() -> Path:
    """Return where the private key for weights lies, or would lie."""
    return settings_file().parent / "keys" / "weights.pem"


def sign_weights(folder: Path) -> Path:
    """Sign every file of a folder but its card; make the key where there is none.

    Args:
        folder: of a model or an adapter.

    Returns:
        the signature, beside the folder.

    Raises:
        MissingExtraError: the library is not installed.
        PassportError: there is no such folder.
        SettingsError: the key is none, or others may read it.
        StateError: it cannot be written.
    """
    hashing, signing, _ = _library()
    if not folder.is_dir():
        raise PassportError(f"{folder}: got no folder, wanted that of a model or an adapter")
    whole, key = folder.resolve(), _made(weights_key())
    signature = beside(whole)
    config = hashing.Config().set_ignored_paths(
        paths=[whole / name for name in (*CHANGES, INSIDE)], ignore_git_paths=True
    )
    with clear_disk_errors(signature):
        signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(config).sign(
            whole, signature
        )
    return signature


def beside(folder: Path) -> Path:
    """Return where the signature of a folder lies."""
    return folder.with_name(f"{folder.name}.sig")


def refuse_badly_signed(folder: Path) -> None:
    """Refuse a folder that is not what its signature says; without a signature it passes.

    Without a public key for weights in the user's configuration nothing is checked: anybody's
    signature would hold.

    Raises:
        MissingExtraError: there are a signature and a key, and the library is not installed.
        PassportError: no key that is believed has signed what lies there.
    """
    whole = folder.resolve()
    signatures = [path for path in (beside(whole), whole / INSIDE) if path.is_file()]
    keys = sorted(weights_key().parent.glob(PUBLIC)) if signatures else []
    for signature in signatures if keys else ():
        refusals = [_refusal(whole, signature, key) for key in keys]
        if all(refusals):
            named = "; ".join(f"{key.name}: {why}" for key, why in zip(keys, refusals, strict=True))
            raise PassportError(
                f"{folder}: not what {signature.name} was made for ({named}). Put the original "
                "files back, or the public key of who signed them into "
                f"{shown(weights_key().parent)} as weights-NAME.pub.pem; if the change is meant, "
                f"sign anew: ladder audit weights {folder}"
            )


def _refusal(folder: Path, signature: Path, key: Path) -> str:
    """Return why a signature does not hold by a key; empty where it does."""
    hashing, _, verifying = _library()
    config = hashing.Config().set_ignored_paths(
        paths=[folder / name for name in (*CHANGES, INSIDE)], ignore_git_paths=True
    )
    check = verifying.Config().use_elliptic_key_verifier(public_key=key)
    try:
        check.set_hashing_config(config).verify(folder, signature)
    except Exception as error:  # the library raises ValueError, and others' errors unchanged
        return (str(error).splitlines() or [type(error).__name__])[0][:200]
    return ""


def _library() -> tuple:  # type: ignore[type-arg]  # three modules
    try:
        from model_signing import hashing, signing, verifying
    except ImportError:
        raise MissingExtraError("model-signing", 'pip install "escalation-ladder[sign]"') from None
    return hashing, signing, verifying


def _made(path: Path) -> Path:
    """Return a private key's file, which is made where there is none; its public half beside it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    wanted = "an elliptic-curve private key (PKCS8, PEM)"
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        with clear_disk_errors(path):
            private_folder(path.parent)
            write_new(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    content = read_private(path, wanted)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        raise SettingsError([Problem(shown(path), "something else", wanted)]) from None
    public = public_file(path)
    if not public.exists():
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_whole(public, pem.decode())
    return path
