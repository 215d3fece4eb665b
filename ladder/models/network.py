"""Whether a folder lies on a network file system, where SQLite is safe for one machine at most."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afs|ceph|lustre|gpfs|beegfs|glusterfs|orangefs"
    r"|fuse\.(sshfs|s3fs|rclone|gcsfuse|mount-s3|juicefs|ceph\S*|glusterfs|blobfuse2?)"
)
"""Types of file systems that other machines may write to (`man 5 proc`, `mount -t`)."""


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the network file system that a path lies on; empty: none is known.

    Args:
        path: a file or a folder, which need not be there.
        mounts: what the system has mounted, as Linux lists it; other systems list nothing there.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    whole, longest, kind = Path(os.path.realpath(path)), -1, ""
    for line in lines:
        about, mark, source = line.partition(" - ")
        fields, said = about.split(" "), source.split(" ")
        if not mark or len(fields) < 5:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])
        if whole.is_relative_to(place) and len(place) >= longest:  # a later mount hides an earlier
            longest, kind = len(place), said[0]
    return kind if NETWORK.fullmatch(kind) else ""


def warn_of_network(path: Path, mounts: Path = MOUNTS) -> None:
    """Say that a cache of SQLite lies where it is safe for one machine at most."""
    kind = network_file_system(path, mounts)
    if kind:
        warnings.warn(
            f"{path}: on a network file system ({kind}), where SQLite is safe for the processes of "
            "one machine at most. Where others use it too, give each its own --runs, and name "
            "what they share: LADDER_SHARED_CACHE=FOLDER",
            stacklevel=3,
        )
