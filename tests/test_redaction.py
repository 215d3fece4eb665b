"""What is secret stands nowhere: not in what is printed, not in what is kept."""

from __future__ import annotations

import base64
import html
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml
from conftest import ladder
from engines.faulty_server import FaultyServer, Seen, Step, echoing, failing, saying

from ladder import redaction
from ladder.lifecycle.plan import load_plan, with_secrets
from ladder.redaction import HIDDEN, keep_secret, keep_url_secrets, redact, redact_in, stands_for
from ladder.task import load_task

KEY = 'sk-Very/Secret+0123=9&"x'
USER, PASSWORD, QUERY = "clerk-77", "p@ss/w0rd-99", "QUERYKEY-4711"


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if redaction.KEY_NAMES.search(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(redaction, "_SECRETS", set())


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(sign):04X}" for sign in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "small": str.lower,
    "capitals": str.upper,
    "quoted": lambda text: quote(text, safe=""),
    "quoted in small letters": lambda text: quote(text, safe="").lower(),
    "quoted plus": quote_plus,
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON, all escaped": escaped,
    "JSON, in part": lambda text: text[:5] + escaped(text[5:7]) + text[7:].replace('"', '\\"'),
    "JSON, slashes": lambda text: text.replace("/", "\\/").replace('"', '\\"'),
    "HTML": html.escape,
    "HTML, numbers": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": b64,
    "Basic": lambda text: b64(f"user:{text}"),
    "Basic, shifted": lambda text: b64(f"us:{text}"),
    "Basic, shifted again": lambda text: b64(f"u:{text}"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"u:{text}".encode()).decode(),
}


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", [KEY, "plainkey0123456789", "pässwort-ö-1234"])
def test_a_secret_is_found_in_every_spelling(spell: Callable[[str], str], secret: str) -> None:
    spelt = spell(secret)
    text = f"before {spelt} after\n100 % of \\u00e9 stays\n"
    assert redact(text) == text
    keep_secret(secret)
    shown = redact(text)
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after\n100 % of \\u00e9 stays\n")
    assert len(shown) < len("before after") + 60
    assert spelt[4:-4] not in shown
    assert redact(shown) == shown


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_known")
def test_keys_come_from_the_environment_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ("LADDER_API_KEY", "HF_TOKEN", "my_secret", "PGPASSWORD", "OPENAI_API_KEY2")
    for name in (*named, "AZURE_KEY_1", "LADDER_API_KEY_of_a_host"):
        monkeypatch.setenv(name, f" value-of-{name}\n")
        assert redact(f"it is value-of-{name}!") == f"it is {HIDDEN}!"
    monkeypatch.setenv("SSH_KEY", "/home/me/.ssh/id")
    monkeypatch.setenv("SHORT_TOKEN", "yes")
    monkeypatch.setenv("MONKEY", "banana")
    assert redact("yes, a banana in /home/me/.ssh/id") == "yes, a banana in /home/me/.ssh/id"


URLS = {
    "https://clerk-77:p%40ss%2Fw0rd-99@host/v1?api-key=QUERYKEY-4711": (USER, PASSWORD, QUERY),
    "openai:m@https://clerk-77:hush@host/v1": (USER, "hush"),
    "https://clerk-77@host?a=b&code=QUERYKEY-4711#end": (USER, QUERY),
    "https://clerk-77:p/w?rd@host/v1": (USER, "p/w?rd"),
    "HTTP://clerk-77:pw1@[::1]:80/": (USER, "pw1"),
}


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize(("url", "secrets"), URLS.items(), ids=URLS)
def test_what_a_url_holds_is_secret(url: str, secrets: tuple[str, ...]) -> None:
    keep_url_secrets(url)
    for secret in secrets:
        assert redact(f"so ({secret}) it is") == f"so ({HIDDEN}) it is"
        assert secret not in redact(url)
    assert "host" in redact(url) or "::1" in redact(url)


@pytest.mark.usefixtures("nothing_known")
def test_what_is_no_secret_stays() -> None:
    keep_url_secrets("https://me:hush@host/v1?api-version=2024-02-01&x=1")
    text = "2024-02-01: me, hushed in a hushhush way, 1 time"
    assert redact(text) == text
    keep_secret("123456")
    numbers = json.dumps({"a": 123456, "b": [123456, 0.123456]}, indent=1)
    assert redact(numbers) == numbers
    assert redact_in({"a": ["code 123456", 123456]}) == {"a": [f"code {HIDDEN}", 123456]}


def test_a_shown_reference_is_that_of_its_model() -> None:
    shown = f"openai:m@https://{HIDDEN}:{HIDDEN}@host/v1?key={HIDDEN}"
    assert stands_for(shown, "openai:m@https://a:b@host/v1?key=c")
    assert not stands_for(shown, "openai:m@https://a:b@other/v1?key=c")
    assert not stands_for(shown, "openai:m@https://host/v1")


@pytest.mark.usefixtures("nothing_known")
def test_the_http_clients_log_says_no_query() -> None:
    program = (
        "import logging, sys; logging.basicConfig(level=logging.DEBUG)\n"
        "from ladder.engines import open_engine, Request\n"
        "engine = open_engine(sys.argv[1])\n"
        "print(dict(engine.complete([Request(messages=(('user', 'hello'),))]))[0].text)\n"
    )
    with FaultyServer() as server:
        url = server.url.replace("://", f"://{USER}:hush-hush@") + f"?code={QUERY}"
        done = subprocess.run([sys.executable, "-c", program, f"openai:m@{url}"], text=True,
                              capture_output=True, timeout=60, check=True)  # fmt: skip
    assert done.stdout == "hello\n"
    assert "HTTP Request: POST" in done.stderr
    assert no_secret_in(done.stderr)


# A whole run against a server that repeats all it is told


def no_secret_in(text: str) -> bool:
    """Fail with the spelling that was found."""
    for secret in (KEY, USER, PASSWORD, QUERY, "hush-hush", f"{USER}:{PASSWORD}"):
        for name, spell in SPELLINGS.items():
            for case in (str, str.lower):
                assert case(spell(secret)) not in case(text), f"{secret}: {name}"
    return True


def telltale(request: Seen) -> Step:
    """Repeat the secrets: in an error, a redirect, a header, an answer, in many spellings."""
    number = (
        int(request.question.split("number ")[1].split()[0]) if "number" in request.question else 0
    )
    sent = request.headers.get("Authorization", "")
    told = f"{request.path} {sent} {KEY} {USER} {PASSWORD} {QUERY}"
    steps = [
        failing(400, told),
        Step(302, b"", {"Location": f"http://x/?code={QUERY}"}),
        echoing(422, lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text)),
        echoing(400, lambda text: quote(text, safe="")),
        failing(400, f"Authorization: {sent} Basic {b64(f'{USER}:{PASSWORD}')} {b64(KEY)}"),
        Step(400, told.encode(), {"X-Echo": sent, "Content-Type": f"text/{QUERY}"}),
        Step(200, f"<html>{html.escape(told)}</html>".encode()),
        saying(f"bread {told} {b64(KEY)}"),
        saying(f"bread {quote(KEY, safe='')} {KEY.encode().hex()}"),
    ]
    return steps[number] if number < len(steps) else saying("bread")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    rows = [{"input": f"number {at} loaf", "target": "bread"} for at in range(60)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def write_task(job: Path, url: str) -> Path:
    task = {
        "name": "shop",
        "goal": "Sort the orders.",
        "data": {"test": "test.jsonl"},
        "score": "contains",
        "gate": {"min_score": 0.3, "max_error_rate": 0.5},
        "models": {"base": f"openai:tiny@{url}"},
        "search": {"prompt_calls": 0},
        "rungs": ["prompt"],
    }
    (job / "task.yaml").write_text(yaml.safe_dump(task))
    return job / "task.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("login", [True, False], ids=["password", "key"])
def test_a_whole_run_shows_and_keeps_no_secret(job: Path, login: bool) -> None:
    with FaultyServer(telltale) as server:
        before = f"{USER}:{quote(PASSWORD, safe='')}@" if login else ""
        url = server.url.replace("://", f"://{before}") + f"?code={QUERY}"
        task = write_task(job, url)
        more = {"LADDER_API_KEY": KEY, "SOME_PASSWORD": PASSWORD, "SOME_TOKEN": USER,
                "LADDER_CACHE": str(job / "cache")}  # fmt: skip
        done = ladder("assess", task, "--runs", job / "runs", **more)
        assert done.returncode == 0, done.stderr
        plan = next(job.glob("runs/shop/*/revalidation.yaml"))
        again = ladder("revalidate", plan, **more)
        assert again.returncode == 0, again.stdout + again.stderr
        server.script = [failing(401, f"no such key: {KEY} {QUERY}")]
        refused = ladder("assess", task, "--runs", job / "runs2", **more)
        assert refused.returncode == 2
        assert HIDDEN in refused.stderr
    assert len(server.seen) > 60
    for ended in (done, again, refused):
        assert no_secret_in(ended.stdout + ended.stderr)
    kept = [path for path in job.rglob("*") if path.is_file() and path.parent != job]
    assert len(kept) > 6
    for path in kept:
        assert no_secret_in(path.read_bytes().decode("utf-8", "replace"))
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert "[secret]" in plan.read_text()
    with sqlite3.connect(job / "runs" / "completions.sqlite") as base:
        values = "".join(value for (value,) in base.execute("SELECT value FROM kept"))
    assert HIDDEN in values
    assert no_secret_in(values)


@pytest.mark.usefixtures("nothing_known")
def test_a_plan_finds_its_model_again_in_the_task(job: Path) -> None:
    url = f"https://{USER}:{quote(PASSWORD, safe='')}@host/v1?code={QUERY}"
    task = load_task(write_task(job, url))
    assert redact(task.models.base) == f"openai:tiny@https://{HIDDEN}@host/v1?code={HIDDEN}"
    shown = {
        "task": "task.yaml",
        "data_root": None,
        "created": "2026-01-01T00:00:00+00:00",
        "candidate": {"rung": "prompt", "description": "t", "model": redact(task.models.base)},
        "baseline": {"gate_rows": {"mean": 1, "low": 1, "high": 1, "n": 1}, "sealed_rows": None,
                     "cost_usd_per_1k": None, "latency_ms": None, "hardware": {}},
        "gate": {}, "pinned": {}, "every_days": 91, "due": [], "triggers": [], "command": "",
    }  # fmt: skip
    (job / "revalidation.yaml").write_text(yaml.safe_dump(shown))
    plan = load_plan(job / "revalidation.yaml")
    assert with_secrets(plan, job, task).candidate.model == task.models.base
    other = load_task(write_task(job, "https://elsewhere/v1"))
    with pytest.raises(Exception, match=r"candidate\.model") as caught:
        with_secrets(plan, job, other)
    assert QUERY not in str(caught.value)
