"""The one redactor: what is known to be secret never stands in what is shown or kept."""

from __future__ import annotations

_SECRETS: set[str] = set()
"""Of this process: keys from the environment, passwords and queries of endpoints' URLs."""


def keep_secret(secret: str) -> None:
    """Let `redact` take this text out from now on."""
    if secret.strip():
        _SECRETS.add(secret)


def redact(text: str) -> str:
    """Return a text without any known secret."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text
