"""Signed statements: DSSE envelopes with one Ed25519 signature, in one canonical text.

The envelope is securesystemslib's. What it leaves open is closed here: one signature, no further
field, and the one text that stands for the envelope, so that no byte of a file can be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ladder.audit.canonical import decoded, encoded

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

HEAD = "application/vnd.escalation-ladder.tree-head+json"
FREEZE = "application/vnd.escalation-ladder.freeze+json"
STATEMENT = "application/vnd.in-toto+json"


def signed(payload: object, kind: str, signer: CryptoSigner) -> bytes:
    """Return a signed envelope around the canonical JSON of a payload.

    Args:
        payload: JSON-able.
        kind: the type of the payload.
        signer: holds the private key.
    """
    from securesystemslib.dsse import Envelope

    envelope = Envelope(encoded(payload), kind, {})
    envelope.sign(signer)
    return encoded(envelope.to_dict())


def payload_of(content: bytes, kind: str, keys: Sequence[SSlibKey]) -> Any:
    """Return the payload of an envelope that one of the keys has signed.

    Raises:
        ValueError: it is no such envelope, or the signature is not one of these keys'.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    key = signer_of(content, kind)
    if key not in {each.keyid for each in keys}:
        known = ", ".join(each.keyid[:12] for each in keys)
        raise ValueError(f"signed with key {key[:12]}, not with {known}")
    envelope = Envelope.from_dict(decoded(content))
    try:
        envelope.verify(list(keys), 1)
    except VerificationError:
        raise ValueError(f"the signature of key {key[:12]} does not hold") from None
    return decoded(envelope.payload)


def signer_of(content: bytes, kind: str) -> str:
    """Return the id of the key that an envelope names; nothing is checked yet but its form.

    Raises:
        ValueError: it is no envelope of this kind, or more stands in it than there should.
    """
    value = decoded(content)
    try:
        if set(value) != {"payload", "payloadType", "signatures"} or value["payloadType"] != kind:
            raise ValueError("no envelope of this kind")
        [signature] = value["signatures"]
        if set(signature) != {"keyid", "sig"} or _again(value) != content:
            raise ValueError("an envelope in another form")
        return str(signature["keyid"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no signed envelope ({type(error).__name__})") from None


def _again(value: dict[str, Any]) -> bytes:
    """Return an envelope's text anew: base64 has several texts for the same bytes."""
    from copy import deepcopy

    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError

    try:
        return encoded(Envelope.from_dict(deepcopy(value)).to_dict())
    except (FormatError, ValueError) as error:
        raise ValueError(f"no signed envelope ({str(error)[:80]})") from None
