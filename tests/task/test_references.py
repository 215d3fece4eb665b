"""Model references, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.task import ModelRef


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("bundled:smollm2-135m", ("bundled", "smollm2-135m", None)),
        ("hf:org/model@main", ("hf", "org/model", "main")),
        ("openai:gpt@http://user@host:80/v1", ("openai", "gpt", "http://user@host:80/v1")),
        (
            "openai:@cf/meta/llama-3.1-8b-instruct@http://127.0.0.1:1/v1",
            ("openai", "@cf/meta/llama-3.1-8b-instruct", "http://127.0.0.1:1/v1"),
        ),
        (
            "openai:claude@20250101@https://user:p@ss@host/v1?a=@https://b",
            ("openai", "claude@20250101", "https://user:p@ss@host/v1?a=@https://b"),
        ),
        ("openai:llama3:8b@http://h:1/v1", ("openai", "llama3:8b", "http://h:1/v1")),
        ("openai:ft:gpt-4o:org::x@https://h/v1", ("openai", "ft:gpt-4o:org::x", "https://h/v1")),
        ("openai:@cf/meta/llama", ("openai", "@cf/meta/llama", None)),
        ("openai:m@ftp://u:p@h/v1", ("openai", "m", "ftp://u:p@h/v1")),
        ("openai:m@HTTPS://h/v1", ("openai", "m", "HTTPS://h/v1")),
        ("hf:org/model@refs/pr/1", ("hf", "org/model", "refs/pr/1")),
        ("hf:org/model@v1@0123abc", ("hf", "org/model@v1", "0123abc")),
        ("hf:./me@home/model", ("hf", "./me@home/model", None)),
        ("hf:/data/me@home/model", ("hf", "/data/me@home/model", None)),
    ],
)
def test_a_model_reference_falls_into_parts(
    reference: str, parts: tuple[str, str, str | None]
) -> None:
    found = ModelRef(reference)
    assert (found.kind, found.name, found.place) == parts
    assert found == reference


@pytest.mark.parametrize(
    "text",
    [
        "smollm2",
        "hf:",
        "hf:@",
        "openai:@https://u:p@h/v1",
        "hf:org/model@",
        "HF:x",
        ":x",
        "hf:a\nb",
    ],
)
def test_what_has_no_kind_or_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="kind:name, e"):
        ModelRef(text)


NAMES = st.from_regex(r"@?[A-Za-z0-9_.:/-]+(@[A-Za-z0-9_.:-]+)*", fullmatch=True).filter(
    lambda name: name[0] not in "./~" and "://" not in name
)
REVISIONS = st.from_regex(r"[A-Za-z0-9_./-]+", fullmatch=True)
URLS = st.builds(
    "{}://{}{}/v1{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "user@", "user:pass@", "user:p@ss@"]),
    st.sampled_from(["host", "127.0.0.1:80", "[::1]:80"]),
    st.sampled_from(["", "?a=b", "?to=me@there", "?to=@https://x"]),
)


@pytest.mark.slow
@given(NAMES, st.one_of(REVISIONS, URLS))
def test_name_and_place_are_found_again(name: str, place: str) -> None:
    ref = ModelRef(f"openai:{name}@{place}")
    assert (ref.kind, ref.name, ref.place) == ("openai", name, place)
    assert ref.label == f"openai:{name}"
