"""Serve the pages of a folder of runs on this machine: a list, each one's report, two compared.

No address names a file: the runs are looked for first, and what is not one of them is not there.
Pages are made from the records anew, never read from the folder, so that all scripts are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from ladder.commands.compare import compare_runs
from ladder.commands.page import happened_since, next_check, records_read
from ladder.errors import LadderError, StateError
from ladder.evidence import ASSESSMENT, Assessment
from ladder.redaction import redact
from ladder.report.compared import compared_page
from ladder.report.page import Page, as_page, policy
from ladder.report.reading import read_assessment, whole_record
from ladder.report.runs import RunLine, broken_line, run_line, runs_page
from ladder.report.samples import SIBLING, read_samples

HOST = "127.0.0.1"
COMPARED = "/compare"
"""No run has this address: those end with a slash."""
LEVELS = 3
"""Folders below the one that is named in which a run may lie: runs/<task>/<time>."""
KEPT_PAGES = 4
IDLE_S = 30
"""A browser opens connections before it needs them."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Shelf:
    """A folder of runs, and the pages that were made of them."""

    folder: Path
    pages: dict[tuple[str | int, ...], Page] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    """One page is made at a time: the library that draws is not made for more."""

    def runs(self) -> dict[str, Path]:
        """Return the runs in the folder by the name they have in an address."""
        found: dict[str, Path] = {}
        for level in range(LEVELS):
            for path in self.folder.glob("/".join([*["*"] * level, ASSESSMENT])):
                run = path.resolve().parent
                if run.is_relative_to(self.folder):  # no link leads out of it
                    found[run.relative_to(self.folder).as_posix()] = run
        if "." in found:
            found[self.folder.name or "run"] = found.pop(".")
        return found

    def lines(self) -> list[RunLine]:
        """Return what the list says of each run, the newest first."""
        return sorted((self._line(*item) for item in self.runs().items()), key=_age, reverse=True)

    def _line(self, name: str, run: Path) -> RunLine:
        address = f"/{quote(name)}/"
        try:
            return run_line(_read(run), address)
        except LadderError as error:
            return broken_line(name, address, str(error).replace(f"{run}/", ""))

    def page(self, run: Path) -> Page:
        """Return the page of a run.

        Raises:
            LadderError: its record or its examples are damaged.
        """
        key: tuple[str | int, ...] = (
            str(run),
            (run / ASSESSMENT).stat().st_mtime_ns,
            *records_read(run),
        )
        with self.lock:
            if key not in self.pages:
                found = _read(run)
                with whole_record(run):
                    samples, since = read_samples(run, found), happened_since(run)
                    made = as_page(found, samples, next_check(run, found), since)
                self.pages[key] = Page(redact(made.html), made.beside and redact(made.beside))
            while len(self.pages) > KEPT_PAGES:
                del self.pages[next(iter(self.pages))]
            return self.pages[key]

    def compared(self, first: Path, second: Path) -> str:
        """Return two runs beside each other, as a page.

        Raises:
            LadderError: a record or its examples are damaged.
        """
        with self.lock:
            addresses = (self._address(first), self._address(second))
            return redact(compared_page(compare_runs(first, second), addresses))

    def _address(self, run: Path) -> str:
        return next(f"/{quote(name)}/" for name, at in self.runs().items() if at == run)


def _read(run: Path) -> Assessment:
    return read_assessment(run / ASSESSMENT)[0]


def _age(line: RunLine) -> str:
    return line.created


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder of runs that listens on this machine alone.

    Args:
        folder: of runs, or of one run.
        port: to listen on; 0: any that is free.

    Raises:
        StateError: there is no such folder, or the port is taken.
    """
    if not folder.is_dir():
        raise StateError(
            f"{folder}: no such folder. Name the folder of your runs: ladder view runs"
        )
    shelf = Shelf(folder.resolve())
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(shelf))
    except OSError as error:
        said = error.strerror or str(error)
        raise StateError(f"port {port}: {said}. Name another one, or 0 for any: --port") from None
    server.daemon_threads = True
    return server


def serve(folder: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C."""
    with open_server(folder, port) as server:
        tell(f"http://{HOST}:{server.server_port}/ shows the runs in {folder}. Ctrl-C ends it.")
        server.serve_forever()


def _handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_S
        server_version = "ladder"
        sys_version = ""

        def do_GET(self) -> None:
            status, kind, body = self._answer()
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header(
                "Content-Security-Policy", f"{policy(forms=True)}; frame-ancestors 'none'"
            )
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815

        def _answer(self) -> tuple[HTTPStatus, str, str]:
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
                # Another name that leads here is a page elsewhere that wants to read this one.
                return HTTPStatus.FORBIDDEN, "text/plain", f"Open http://{HOST}:{port}/\n"
            try:
                return _found(shelf, urlsplit(self.path))
            except LadderError as error:
                return HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{error}\n"

        def log_message(self, *_: object) -> None:
            """Say nothing: what is looked at is nobody's business."""

    return Handler


def _found(shelf: Shelf, asked: SplitResult) -> tuple[HTTPStatus, str, str]:
    """Return what lies at an address: the list, a run's page or its examples, two runs compared."""
    path = unquote(asked.path)
    if path == "/":
        return HTTPStatus.OK, "text/html", redact(runs_page(str(shelf.folder), shelf.lines()))
    runs = shelf.runs()
    if path == COMPARED:
        chosen = parse_qs(asked.query)
        pair = [runs.get(unquote("".join(chosen.get(side, ()))).strip("/")) for side in "ab"]
        if pair[0] is not None and pair[1] is not None:
            return HTTPStatus.OK, "text/html", shelf.compared(pair[0], pair[1])
    name, _, last = path.removeprefix("/").rpartition("/")
    run = runs.get(name)
    if run is not None and last == "":
        return HTTPStatus.OK, "text/html", shelf.page(run).html
    if run is not None and last == SIBLING:
        beside = shelf.page(run).beside
        if beside is not None:
            return HTTPStatus.OK, "application/json", beside
    return HTTPStatus.NOT_FOUND, "text/plain", "There is no such run here.\n"
