"""Saved data sets from elsewhere: read within their folder, and texts alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ladder.json_values import from_json
from ladder.wording import harmless

COMMIT = re.compile(r"hf://datasets/[^@]+@([0-9a-f]{40})/")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def outside(folder: Path) -> str:
    """Return what in a saved data set's folder leads out of it, in words; empty where nothing does.

    Its `state.json` names the files that hold its rows, and any of them may be a link.
    """
    root = folder.resolve()
    if "::" in str(root):
        return "a folder with `::` in its name"
    for path in folder.rglob("*"):
        if not path.resolve().is_relative_to(root) or not (path.is_file() or path.is_dir()):
            return f"a link or a device, {harmless(path.name, 60)}"
    for state in folder.rglob("state.json"):
        try:
            files = from_json(state.read_text(encoding="utf-8"))["_data_files"]
            names = [str(each["filename"]) for each in files]
        except (ValueError, LookupError, TypeError, RecursionError):
            return "a state.json that cannot be read"
        for name in names:
            if Path(name).name != name:
                return f"a state.json that names {harmless(name, 60)}"
    return ""


def is_hub_id(name: str) -> bool:
    """Tell whether a name can only be a hub's: no URL, no path, no folder where one stands."""
    return HUB_ID.fullmatch(name) is not None and not Path(name).exists()


def revision_of(table: Any) -> str:
    """Return the commit of the hub that a data set was made from; empty where nothing says it."""
    made_from = getattr(table.info, "download_checksums", None) or {}
    found = {commit[1] for address in made_from if (commit := COMMIT.match(str(address)))}
    if not found:  # the library names a cache folder after it
        places = {Path(each["filename"]).parent.name for each in table.cache_files}
        found = {place for place in places if re.fullmatch("[0-9a-f]{40}", place)}
    return found.pop() if len(found) == 1 else ""


def texts_alone(table: Any) -> Any:
    """Return a data set without the columns that hold pictures, sound and the like.

    To read one of those means to open the file that it names, wherever that lies.
    """
    media = [name for name, feature in table.features.items() if _is_media(feature)]
    return table.remove_columns(media) if media else table


def _is_media(feature: Any) -> bool:
    if isinstance(feature, dict):
        return any(_is_media(inner) for inner in feature.values())
    if isinstance(feature, list):
        return any(_is_media(inner) for inner in feature)
    if hasattr(feature, "feature"):
        return _is_media(feature.feature)
    return hasattr(feature, "decode") and type(feature).__name__ != "Json"
