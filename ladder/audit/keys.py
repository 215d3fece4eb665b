"""Ed25519 keys: the machine's, which signs the ledger, and that of the person who answers for it.

They lie in `keys/` beside the user's own configuration: MACHINE.pem is private (PKCS8, 0600) and
MACHINE.pub.pem is for everybody. A private key that others may read is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ladder.errors import Problem, SettingsError
from ladder.files import clear_disk_errors, open_file, private_folder, problem_of
from ladder.trust.settings import settings_file, shown

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

Role = Literal["machine", "person"]
ROLES: tuple[Role, ...] = ("machine", "person")
PRIVATE = 0o600
MOST_BYTES = 10_000


def private_file(role: Role) -> Path:
    """Return where the private key of a role lies, or would lie."""
    return settings_file().parent / "keys" / f"{role}.pem"


def public_file(private: Path) -> Path:
    """Return where the public key beside a private one lies."""
    return private.with_suffix(".pub.pem")


def make_keys(role: Role) -> Path:
    """Make a pair of keys, or leave the one that is there; return the file of the private one.

    Raises:
        SettingsError: the one that is there is no key, or others may read it.
        StateError: it cannot be written.
    """
    from securesystemslib.signer import CryptoSigner

    path = private_file(role)
    if path.exists():
        signer = load_signer(path)
    else:
        signer = CryptoSigner.generate_ed25519()
        with clear_disk_errors(path):
            private_folder(path.parent)
            write_new(path, signer.private_bytes)
    if not public_file(path).exists():
        with clear_disk_errors(path):
            public_file(path).write_bytes(public_pem(signer.public_key))
    return path


def write_new(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, and never over another one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def load_signer(path: Path) -> CryptoSigner:
    """Return what signs with a private key.

    Raises:
        SettingsError: there is none, it is no Ed25519 key, or others may read it.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    wanted = "an Ed25519 private key (PKCS8, PEM)"
    content = read_private(path, wanted)
    try:
        signer = CryptoSigner(load_pem_private_key(content, None))
    except (ValueError, TypeError) as error:
        got = "a key with a passphrase" if isinstance(error, TypeError) else "something else"
        raise SettingsError([Problem(shown(path), got, wanted)]) from None
    _refuse_other_kinds(path, signer.public_key, wanted)
    return signer


def load_public(path: Path) -> SSlibKey:
    """Return the key that signatures are checked with.

    Raises:
        SettingsError: there is none, or it is no Ed25519 public key.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    wanted = "an Ed25519 public key (PEM)"
    try:
        with open_file(path) as file:
            content = file.read(MOST_BYTES)
    except OSError as error:
        raise SettingsError([problem_of(path, error, wanted)]) from None
    fix = ""
    if b"PRIVATE KEY" in content:
        fix = "Give the public key: it ends in .pub.pem. Nobody else needs the private one."
    try:
        key = SSlibKey.from_crypto(load_pem_public_key(content))
    except ValueError:
        raise SettingsError([Problem(shown(path), "something else", wanted, fix)]) from None
    _refuse_other_kinds(path, key, wanted)
    return key


def public_pem(key: SSlibKey) -> bytes:
    """Return a public key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _refuse_other_kinds(path: Path, key: SSlibKey, wanted: str) -> None:
    if key.keytype != "ed25519":
        raise SettingsError([Problem(shown(path), f"a key of {key.keytype}", wanted)])


def read_private(path: Path, wanted: str) -> bytes:
    """Return the bytes of a private key's file; refuse one that others may read."""
    try:
        with open_file(path) as file:
            status = os.fstat(file.fileno())
            content = file.read(MOST_BYTES)
    except FileNotFoundError as error:
        told = problem_of(path, error, wanted)
        fix = "Make one: ladder audit keys"
        raise SettingsError([Problem(shown(path), told.got, wanted, fix)]) from None
    except OSError as error:
        raise SettingsError([problem_of(path, error, wanted)]) from None
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        got, fix = f"mode {mode:04o}: others may use it", f"Type: chmod 600 {shown(path)}"
        raise SettingsError([Problem(shown(path), got, "0600", fix)])
    return content


def public_keys(files: Iterable[Path], role: Role = "machine") -> list[SSlibKey]:
    """Return the keys to check with: those of the files, else one's own of a role.

    Raises:
        SettingsError: a file is no public key, or no key of a machine is known.
    """
    given = [load_public(path) for path in files]
    own = public_file(private_file(role))
    if given or (role == "person" and not own.exists()):
        return given
    if not own.exists():
        fix = "Name the public key of the machine that wrote the ledger: --public-key FILE"
        raise SettingsError([Problem("--public-key", "nothing", "a public key", fix)])
    return [load_public(own)]
