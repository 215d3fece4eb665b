"""The user's own configuration: what a person has allowed, outside of any task file.

The file is `$LADDER_CONFIG`, else `$XDG_CONFIG_HOME/ladder/config.yaml`, else
`~/.config/ladder/config.yaml`. Nobody else may be able to write it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ladder.errors import Problem, SettingsError
from ladder.files import write_whole
from ladder.wording import harmless

LIMIT_BYTES = 1_000_000
WANTED_PLACE = "a host, or host:port, in ASCII and without a scheme, e.g. my.host:8443"
SAYS = "trusted_code: {SHA256: comment}, trusted_packages: [NAME], endpoints: {HOST: VARIABLE}"


def place_of(text: str) -> tuple[str, int | None]:
    """Return host (lower case, no dot at its end) and port of `host`, `host:port`, `[v6]:port`.

    Raises:
        ValueError: it is anything else.
    """
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(WANTED_PLACE) from None
    plain = re.fullmatch(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?", text)
    if not plain or not host.strip("."):
        raise ValueError(WANTED_PLACE)
    return host.lower().removesuffix("."), port


def _place(text: str) -> str:
    place_of(text)
    return text


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _or_none(value: Any) -> Any:
    return () if value is None else value


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Place = Annotated[str, AfterValidator(_place)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Package = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Settings(BaseModel):
    """What the file says; an absent file says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trusted_code: Annotated[dict[Sha256, str], BeforeValidator(_or_empty)] = {}
    """sha256 of code that a task may have run -> what it is, in words."""
    trusted_packages: Annotated[tuple[Package, ...], BeforeValidator(_or_none)] = ()
    """Installed packages whose scorers a task may name."""
    endpoints: Annotated[dict[Place, Variable], BeforeValidator(_or_empty)] = {}
    """host[:port] -> the environment variable that holds the key for it."""


def settings_file() -> Path:
    """Return where the user's configuration lies, or would lie.

    Raises:
        SettingsError: LADDER_CONFIG is relative: the folder one happens to be in could hold it.
    """
    chosen = os.environ.get("LADDER_CONFIG", "").strip()
    if chosen:
        path = Path(chosen).expanduser()
        if not path.is_absolute():
            fix = "A relative one would be looked for in the folder of somebody else's task."
            raise SettingsError([Problem("LADDER_CONFIG", chosen, "an absolute path", fix)])
        return path
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".config"
    return base / "ladder" / "config.yaml"


def shown(path: Path) -> str:
    """Return a path as a person would type it, harmless."""
    try:
        return harmless(f"~/{path.relative_to(Path.home())}")
    except ValueError:
        return harmless(str(path))


def read_settings() -> Settings:
    """Read the user's configuration.

    Raises:
        SettingsError: others may write the file, or it holds a mistake.
    """
    path = settings_file()
    text = _read(path)
    if text is None:
        return Settings()
    where = shown(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        twice = list(_twice(root))
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{where}:{mark.line + 1}" if mark else where
        got = str(getattr(error, "problem", None) or type(error).__name__)
        raise SettingsError([Problem(where, harmless(got, 80), "valid YAML")]) from None
    if twice:
        raise SettingsError([Problem(f"{where}: {twice[0]}", "it twice", "it once")])
    try:
        return Settings.model_validate({} if values is None else values)
    except ValidationError as error:
        raise SettingsError([_explain(where, dict(each)) for each in error.errors()]) from None


def trust_code(digest: str, comment: str) -> Path:
    """Write down that code with a digest may be run; return the file.

    Everything else in the file, comments too, stays as it is.

    Raises:
        SettingsError: the file holds a mistake, or has a form that a line cannot be added to.
        StateError: it cannot be written.
    """
    path = settings_file()
    before = read_settings()
    if digest in before.trusted_code:
        return path
    line = f'  "{digest}": {json.dumps(harmless(comment, 120))}\n'
    text = _read(path) or ""
    head = re.search(r"^trusted_code:[ \t]*(#.*)?$", text, re.MULTILINE)
    if head:
        text = f"{text[: head.end()]}\n{line[:-1]}{text[head.end() :]}"
    else:
        text += ("" if not text or text.endswith("\n") else "\n") + f"trusted_code:\n{line}"
    wanted = before.model_copy(
        update={"trusted_code": {**before.trusted_code, digest: harmless(comment, 120)}}
    )
    try:
        added = Settings.model_validate(yaml.safe_load(text)) == wanted
    except (yaml.YAMLError, ValidationError):
        added = False
    if not added or any(_twice(yaml.compose(text, Loader=yaml.SafeLoader))):
        fix = f"Add it by hand: {line.strip()}"
        got = "a form that no line can be added to"
        raise SettingsError([Problem(f"{shown(path)}: trusted_code", got, "a line each", fix)])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path.resolve(), text)
    return path


def _read(path: Path) -> str | None:
    """Return the file's text, or None where there is none; refuse one that others may write."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError([Problem(shown(path), str(error.strerror), "a file")]) from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT_BYTES:
            raise SettingsError([Problem(shown(path), "something else", "a small text file")])
        if status.st_uid not in (os.geteuid(), 0):
            got, wanted = "a file of another user", "your own"
            raise SettingsError([Problem(shown(path), got, wanted, "It says what you trust.")])
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            fix = f"Type: chmod go-w {shown(path)}"
            got, wanted = "a file that others may write", "one that only you may write"
            raise SettingsError([Problem(shown(path), got, wanted, fix)])
        _refuse_open_folder(path.parent)
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise SettingsError([Problem(shown(path), "other bytes", "UTF-8 text")]) from None


def _refuse_open_folder(folder: Path) -> None:
    """Refuse a folder in which anybody may put another file in the place of this one."""
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        fix, wanted = f"Type: chmod o-w {shown(folder)}", "one that only you may write"
        raise SettingsError([Problem(shown(folder), "a folder that all may write", wanted, fix)])


def _twice(node: yaml.Node | None) -> Iterator[str]:
    """Yield the keys that stand twice in a mapping."""
    if isinstance(node, yaml.MappingNode):
        names = [str(key.value) for key, _ in node.value]
        yield from (harmless(name, 60) for name in names if names.count(name) > 1)
        for _, value in node.value:
            yield from _twice(value)


def _explain(where: str, detail: dict[str, Any]) -> Problem:
    at = ".".join(harmless(str(part), 80) for part in detail["loc"] if part != "[key]")
    where = f"{where}: {at}" if at else where
    if detail["type"] == "extra_forbidden":
        return Problem(where, "an unknown key", f"one of {', '.join(Settings.model_fields)}")
    if not at:
        return Problem(where, "something else", SAYS)
    wanted = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch":
        wanted = {
            "trusted_code": "a sha256: 64 digits and letters a to f",
            "trusted_packages": "the name of a package, without dots",
            "endpoints": "the name of an environment variable, never a key itself",
        }[str(detail["loc"][0])]
    # What stands there is not repeated: it may be a key that was written in the wrong place.
    return Problem(where, "something else", wanted)
