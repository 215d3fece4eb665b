"""Completions in a folder that several machines share. The processes and the server are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, saying

from ladder.climb.opening import SHARED, shared_completions
from ladder.errors import StateError
from ladder.models.cache import CachedEngine
from ladder.models.folder_cache import FolderCache
from ladder.models.network import network_file_system, warn_of_network

KEY, OTHER = "ab" * 32, "cd" * 32
EXPIRY = 1.5

ASKING = """
import json, sys
from pathlib import Path
from engines.endpoint.asking import ask, engine_for
from ladder.models.cache import CachedEngine
from ladder.models.folder_cache import FolderCache
url, folder, count, expiry = sys.argv[1:]
store = FolderCache(Path(folder), float(expiry))
engine = CachedEngine(engine_for(url, timeout_s=30.0), store)
print("ready", flush=True)
sys.stdin.readline()
answers = dict(engine.complete([ask(f"q{at}") for at in range(int(count))]))
print(json.dumps([answers[at].text for at in range(int(count))]))
store.close()
"""


def asking(server: FaultyServer, folder: Path, count: int, expiry: float) -> subprocess.Popen[str]:
    """Start a process that asks so many questions, all of them the same as the others'."""
    words = [sys.executable, "-c", ASKING, server.url, str(folder), str(count), str(expiry)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.Popen(
        words,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )


@pytest.fixture
def four(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def begin(processes: list[subprocess.Popen[str]]) -> None:
    """Have them ask in the same moment, once each has opened the folder."""
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


def told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    return list(json.loads(process.stdout.read()))


def numbered(count: int) -> Step:
    """Answer with a number of its own each time, so that two answers to one question differ."""
    return replace(saying(f"answer {count}"), delay_s=0.02)


@pytest.mark.slow
def test_four_processes_ask_a_server_each_question_once_and_hear_the_same(tmp_path, four):
    def script(request: Seen) -> Step:
        return numbered(len(server.seen))

    with FaultyServer(script) as server:
        four += [asking(server, tmp_path / "shared", 200, 60.0) for _ in range(4)]
        begin(four)
        answers = [told(process) for process in four]
    assert Counter(server.questions) == {f"q{at}": 1 for at in range(200)}
    assert answers == [answers[0]] * 4
    assert len(set(answers[0])) == 200
    assert not list((tmp_path / "shared").rglob("*.claim"))
    assert not list((tmp_path / "shared" / "owners").iterdir())


@pytest.mark.slow
def test_what_a_killed_process_was_asking_is_asked_by_the_others(tmp_path, four):
    def script(request: Seen) -> Step:
        return numbered(len(server.seen))

    with FaultyServer(script) as server:
        four += [asking(server, tmp_path / "shared", 200, EXPIRY) for _ in range(4)]
        begin(four[:1])  # it claims all of them
        while len(server.seen) < 40:
            assert four[0].poll() is None
            time.sleep(0.01)
        os.kill(four[0].pid, signal.SIGKILL)
        four[0].wait()
        before = len(server.seen)
        begin(four[1:])
        answers = [told(process) for process in four[1:]]
    assert answers == [answers[0]] * 3
    assert set(server.questions) == {f"q{at}" for at in range(200)}
    again = Counter(server.questions) - Counter({f"q{at}": 1 for at in range(200)})
    # For each of 8: one that was under way, and one whose answer had come and was not kept yet.
    assert sum(again.values()) <= 2 * 8, "what the killed one had in hand, and nothing else"
    assert before < 150
    store = FolderCache(tmp_path / "shared", EXPIRY)
    kept = [path.name for path in (tmp_path / "shared").glob("??/*") if path.suffix == ""]
    assert len(store.get(kept)) == 200, "nothing is damaged"
    assert not list((tmp_path / "shared").rglob("*.claim"))


def test_what_is_damaged_is_asked_anew(tmp_path):
    with FaultyServer(lambda request: numbered(len(server.seen))) as server:
        engine = CachedEngine(engine_for(server.url), FolderCache(tmp_path))
        first = dict(engine.complete([ask("a"), ask("b"), ask("c")]))
        files = sorted(path for path in tmp_path.glob("??/*"))
        assert len(files) == 3
        whole = [path.read_bytes() for path in files]
        files[0].write_bytes(whole[0][: len(whole[0]) // 2])
        files[1].write_bytes(whole[1].replace(b"answer", b"ansver"))
        again = CachedEngine(engine_for(server.url), FolderCache(tmp_path))
        with pytest.warns(UserWarning, match="damaged: it is asked for anew") as warned:
            second = dict(again.complete([ask("a"), ask("b"), ask("c")]))
        assert len(warned) == 1
        assert len(server.seen) == 5
        assert sum(first[at].text == second[at].text for at in range(3)) == 1
        third = dict(again.complete([ask("a"), ask("b"), ask("c")]))
    assert [third[at].text for at in range(3)] == [second[at].text for at in range(3)]


def test_an_empty_file_and_one_with_more_at_its_end_are_not_kept(tmp_path):
    store = FolderCache(tmp_path)
    store.put(KEY, {"a": 1})
    store.put(OTHER, None)
    assert store.get([KEY, OTHER, "ef" * 32]) == {KEY: {"a": 1}, OTHER: None}
    (tmp_path / "ab" / KEY).write_bytes(b"")
    with (tmp_path / "cd" / OTHER).open("ab") as file:
        file.write(b" ")
    with pytest.warns(UserWarning, match="damaged"):
        assert store.get([KEY, OTHER]) == {}


def test_one_process_never_waits_for_itself(tmp_path):
    first, second = FolderCache(tmp_path), FolderCache(tmp_path)
    with first.claimed([KEY]) as mine:
        assert mine == {KEY}
        with second.claimed([KEY, OTHER]) as more:
            assert more == {KEY, OTHER}
        assert (tmp_path / "ab" / f"{KEY}.claim").exists(), "it was claimed by the first call"
        assert not (tmp_path / "cd" / f"{OTHER}.claim").exists()
    assert not list(tmp_path.rglob("*.claim"))
    first.close()
    second.close()
    assert not list((tmp_path / "owners").iterdir())


def claim_of(folder: Path, key: str, owner: str) -> None:
    """Claim a key as another machine would."""
    place = folder / key[:2]
    place.mkdir(exist_ok=True)
    (place / f"{key}.claim").write_text(owner)


def is_free(store: FolderCache, key: str) -> bool:
    with store.claimed([key]) as mine:
        return key in mine


def test_a_claim_holds_while_its_owner_shows_signs_of_life_and_no_longer(tmp_path):
    store = FolderCache(tmp_path, 0.3)
    claim_of(tmp_path, KEY, "elsewhere-7-abc")
    sign = tmp_path / "owners" / "elsewhere-7-abc"
    for beat in range(6):
        sign.write_text(str(beat))
        assert not is_free(store, KEY)
        time.sleep(0.1)
    assert not is_free(store, KEY)
    time.sleep(0.4)
    assert is_free(store, KEY)
    assert not sign.exists(), "the others need not wait as well"
    claim_of(tmp_path, OTHER, "elsewhere-7-abc")
    assert is_free(store, OTHER)


def test_a_claim_without_a_name_is_taken_over_as_well(tmp_path):
    """Its owner was killed between the two steps of claiming."""
    store = FolderCache(tmp_path, 0.1)
    for key, name in ((KEY, ""), (OTHER, "../../etc/passwd")):
        claim_of(tmp_path, key, name)
        assert not is_free(store, key)
        time.sleep(0.15)
        assert is_free(store, key)


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="not a folder"):
        FolderCache(tmp_path / "file")
    with pytest.raises(StateError, match="cannot be written"):
        FolderCache(Path("/proc/none/shared"))


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:41 / /data rw,relatime shared:9 - nfs4 nas:/export rw,vers=4.2
31 30 8:1 / /data/local rw shared:10 - xfs /dev/sdb rw
32 22 0:50 / /mnt/my\\040disk rw - cifs //nas/share rw
33 22 0:51 / /mnt/ssh rw - fuse.sshfs nas:/ rw
34 22 0:52 / /home rw - nfs old:/home rw
35 34 8:2 / /home rw - ext4 /dev/sdc rw
"""


def test_a_network_file_system_is_known_by_what_is_mounted(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    found = {
        path: network_file_system(Path(path), mounts)
        for path in ("/data/runs/c", "/data/local/c", "/database", "/mnt/my disk/c", "/mnt/ssh/c")
    }
    assert list(found.values()) == ["nfs4", "", "", "cifs", "fuse.sshfs"]
    assert network_file_system(Path("/home/me"), mounts) == "", "another one is mounted over it"
    assert network_file_system(Path("/data"), tmp_path / "none") == ""
    assert network_file_system(tmp_path) == ""
    with pytest.warns(UserWarning, match="network file system .nfs4.*LADDER_SHARED_CACHE"):
        warn_of_network(Path("/data/runs/c"), mounts)


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    """A mount that failed: everything would be asked, and paid for, anew."""
    monkeypatch.setenv(SHARED, str(tmp_path / "unmounted"))
    with pytest.raises(StateError, match="no such folder"):
        shared_completions()
    assert not (tmp_path / "unmounted").exists()
    (tmp_path / "unmounted").mkdir()
    assert shared_completions() is not None
