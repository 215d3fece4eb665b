"""What a server says is repeated in short, harmless and without a secret."""

from __future__ import annotations

import pytest

from ladder.engines.endpoint.failure import MESSAGE_LIMIT, TryError, excerpt, may_pass, server_words
from ladder.redaction import keep_secret


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "busy"}', "busy"),
        (b'{"error": {"message": "the GPU\\nfell off"}}', "the GPU fell off"),
        (b"<html>down</html>", "an HTML page: down"),
        (b'{"error": {"code": 3}}', '{"error": {"code": 3}}'),
        (b"[" * 100_000, "[" * MESSAGE_LIMIT),
        (b"", "no message"),
        (b"\xff \x1b[2J", "\ufffd \\u001b[2J"),
    ],
)
def test_words_of_a_server(body: bytes, words: str) -> None:
    assert server_words(body).startswith(words[:100])
    assert len(server_words(body)) <= MESSAGE_LIMIT
    assert server_words(body).isprintable()


def test_a_secret_is_hidden_before_the_text_is_cut() -> None:
    keep_secret("sk-very-secret-0123456789")
    text = excerpt("x" * (MESSAGE_LIMIT - 8) + "sk-very-secret-0123456789")
    assert "sk-very" not in text
    assert "[secret" in text


def test_what_may_pass() -> None:
    passing = [status for status in range(300, 600) if may_pass(status)]
    assert passing == [408, 409, 425, 429, 500, *range(502, 600)]
    assert str(TryError("HTTP 500", "busy")) == "HTTP 500: busy"
    assert str(TryError("empty")) == "empty"
