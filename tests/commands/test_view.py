"""ladder view: the runs of a folder, on this machine alone, and nothing else of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from assessments import assessment, full_assessment
from conftest import ROOT

from ladder.cli import STOPS
from ladder.commands.view import open_server
from ladder.errors import StateError


def write(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "assessment.json").write_text(assessment().but(**changes).model_dump_json())
    return folder


@contextmanager
def served(folder: Path) -> Iterator[int]:
    with open_server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def get(
    port: int, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def test_the_list_names_every_run_the_newest_first(tmp_path: Path) -> None:
    write(tmp_path / "runs/mail/1", created="2026-01-01T00:00:00+00:00")
    write(tmp_path / "runs/mail/2", created="2026-03-01T00:00:00+00:00")
    bad = tmp_path / "runs/mail/3"
    bad.mkdir()
    (bad / "assessment.json").write_text("{")
    with served(tmp_path / "runs") as port:
        status, headers, page = get(port, "/")
    assert status == 200
    assert page.index('href="/mail/2/"') < page.index('href="/mail/1/"') < page.index("mail/3")
    assert 'href="/mail/3/"' not in page
    for words in ("lora passes", "0.84 (0.79–0.89)", "0.0421 USD", "2026-03-01 00:00"):
        assert words in page
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.slow
def test_a_run_opens_its_page_made_of_its_record(tmp_path: Path) -> None:
    run = write(tmp_path / "runs/mail/one run")
    (run / "report.html").write_text("<script>alert(1)</script>")
    with served(tmp_path / "runs") as port:
        status, _, page = get(port, "/mail/one%20run/")
        assert (status, "alert(1)" in page, "Sort the mail." in page) == (200, False, True)
        assert get(port, "/mail/one%20run/", "HEAD")[2] == ""
        assert get(port, "/mail/one%20run/report.samples.json")[0] == 404
        newer = full_assessment().but(task=full_assessment().task.but(goal="Another goal."))
        (run / "assessment.json").write_text(newer.model_dump_json())
        os.utime(run / "assessment.json", ns=(1, 1))
        assert "Another goal." in get(port, "/mail/one%20run/")[2]
    assert not (run / "report.samples.json").exists(), "looking at a run writes nothing"


def test_two_runs_are_chosen_in_the_list_and_compared(tmp_path: Path) -> None:
    for name, goal in (("1", "Sort the mail."), ("two & 2", "Sort it <b>twice</b>.")):
        task = assessment().task.but(goal=goal)
        run = write(tmp_path / f"runs/mail/{name}", task=task)
        for rung in ("prompt", "lora"):
            (run / rung).mkdir()
            row = {"id": "q", "answer": "x", "target": "x", "score": 1.0, "error": None}
            (run / rung / "samples.jsonl").write_text(json.dumps(row) + "\n")
    with served(tmp_path / "runs") as port:
        listed = get(port, "/")[2]
        chosen = dict(re.findall(r'name="([ab])" value="([^"]*)"', listed))
        assert '<form action="/compare" method="get">' in listed
        assert "form-action &#39;self&#39;" in listed
        query = urlencode({"a": "/mail/1/", "b": chosen["b"]})
        status, headers, page = get(port, f"/compare?{query}")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        again = urlencode({"a": "/mail/1/", "b": f"/mail/{quote('two & 2')}/"})
        page = get(port, f"/compare?{again}")[2]
        for words in (
            "Two runs beside each other",
            'href="/mail/two%20%26%202/"',
            "Sort it &lt;b&gt;twice&lt;/b&gt;.",
            "1 of 1 answers are the same",
        ):
            assert words in page, words
        assert "form-action &#39;none&#39;" in page
        for odd in ("", "?a=/mail/1/", "?a=/mail/1/&b=/mail/9/", "?a=../../etc&b=/mail/1/"):
            assert get(port, f"/compare{odd}")[0] == 404, odd
        assert get(port, f"/compare?{again}", host="evil.example")[0] == 403
        (tmp_path / "runs/mail/1/lora/samples.jsonl").write_text("{")
        status, headers, said = get(port, f"/compare?{again}")
        assert (status, headers["Content-Type"].split(";")[0]) == (500, "text/plain")
        assert "samples.jsonl:1" in said


@pytest.mark.slow
def test_one_run_is_a_list_of_one(tmp_path: Path) -> None:
    run = write(tmp_path / "runs/mail/1")
    with served(run) as port:
        assert 'href="/1/"' in get(port, "/")[2]
        assert "<form" not in get(port, "/")[2], "there is nothing to compare it with"
        assert get(port, "/1/")[0] == 200
    with served(tmp_path) as port:
        assert 'href="/runs/mail/1/"' not in get(port, "/")[2], "not so deep"


@pytest.mark.slow
def test_many_examples_are_served_beside_the_page(tmp_path: Path) -> None:
    run = write(tmp_path / "runs/mail/1")
    (run / "prompt").mkdir()
    row = {"input": "x" * 200, "answer": "y", "target": "z", "score": 0.0, "error": None}
    lines = (json.dumps({"id": f"q-{at}", **row}) + "\n" for at in range(15_000))
    (run / "prompt" / "samples.jsonl").write_text("".join(lines))
    with served(tmp_path / "runs") as port:
        assert "report.samples.json" in get(port, "/mail/1/")[2]
        status, headers, text = get(port, "/mail/1/report.samples.json")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert len(json.loads(text)["rows"]) == 15_000


def test_nothing_but_the_runs_is_there(tmp_path: Path) -> None:
    secret = write(tmp_path / "elsewhere/secret/1")
    write(tmp_path / "runs/mail/1")
    (tmp_path / "runs/linked").symlink_to(secret.parent)
    (tmp_path / "runs/mail/notes.txt").write_text("mine")
    with served(tmp_path / "runs") as port:
        listed = get(port, "/")[2]
        assert "secret" not in listed
        assert "linked" not in listed
        for path in (
            "/linked/1/", "/../elsewhere/secret/1/", "/%2e%2e/elsewhere/secret/1/",
            "/mail/../../elsewhere/secret/1/", "/mail/notes.txt", "/mail/1/assessment.json",
            "/mail/1", "/mail/", "//etc/passwd", "/mail/1/%00", "/\\..\\", "/mail/1/report.html",
        ):  # fmt: skip
            assert get(port, path)[0] == 404, path
        assert get(port, "/", "POST")[0] == 501


def test_a_page_under_another_name_reads_nothing(tmp_path: Path) -> None:
    write(tmp_path / "runs/mail/1")
    with served(tmp_path / "runs") as port:
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1"):
            status, _, said = get(port, "/", host=host)
            assert (status, "mail" in said) == (403, False), host
        assert get(port, "/", host=f"localhost:{port}")[0] == 200


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    run = write(tmp_path / "runs/mail/1")
    (run / "prompt").mkdir()
    (run / "prompt" / "samples.jsonl").write_text("no json\n")
    with served(tmp_path / "runs") as port:
        status, headers, said = get(port, "/mail/1/")
    assert status == 500
    assert headers["Content-Type"].startswith("text/plain")
    assert "samples.jsonl:1" in said


def test_what_cannot_be_served_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no such folder"):
        open_server(tmp_path / "nowhere", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StateError, match="--port"):
            open_server(tmp_path, taken.getsockname()[1])


def test_it_listens_here_alone_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    write(tmp_path / "runs/mail/1")
    command = [sys.executable, "-m", "ladder", "view", str(tmp_path / "runs"), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        # Also where the tests are a job in the background, which ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(said.split("http://127.0.0.1:")[1].split("/")[0])
        assert "mail" in get(port, "/")[2]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.splitlines() == [STOPS["view"]], "nothing was measured: nothing goes on"
