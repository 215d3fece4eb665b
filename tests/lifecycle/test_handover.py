"""What is handed over to a cluster: the fields that KubeRay and SkyPilot know, and no others."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from ladder.commands.hand_over import Wish, make_work
from ladder.errors import TaskError
from ladder.lifecycle.handover import TARGETS
from ladder.lifecycle.handover.work import Work
from ladder.lifecycle.needs import Needs
from ladder.task import load_task

IMAGE = f"registry.example:5000/team/ladder@sha256:{'0f' * 32}"
PLAIN = Work("shop", PurePosixPath("task.yaml"), Path("/home/me/shop"), IMAGE, ray="2.60.0")
ODD = replace(
    PLAIN,
    task="Mÿ täsk: 'it' ${HOME} $(id)\n- not: a key",
    file=PurePosixPath("shop/task.yaml"),
    root=Path("/home/me/a folder\n# no comment"),
    data=PurePosixPath("rows"),
    claim="runs-of-team",
    workers=4,
    cpus=8,
    gpus=0.5,
    gpu="L4",
    queue="team",
    namespace="evals",
    hours=1.5,
    needs=Needs(variables=("OPENAI_API_KEY",), untrusted=("mine:score",), nearby=("/models/x",)),
)
WORKS = (PLAIN, ODD)


def _closed(**fields: object) -> dict[str, object]:
    required = [name for name, kind in fields.items() if isinstance(kind, dict)]
    kinds = {name: kind if isinstance(kind, dict) else kind[0] for name, kind in fields.items()}  # type: ignore[index]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": kinds,
    }


TEXT, WHOLE = {"type": "string"}, {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}
MANY = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
# The fields that are used of ray.io/v1, after KubeRay 1.5.1 (apis/ray/v1: rayjob_types.go,
# raycluster_types.go; controllers/ray/utils/validation.go for the length of the name). Optional
# ones stand in brackets; the templates of pods are read by Kubernetes' own schemas.
RAY_JOB = _closed(
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=_closed(
        name={"type": "string", "maxLength": 47, "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$"},
        namespace=[TEXT],
        labels=[TEXTS],
    ),
    spec=_closed(
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        activeDeadlineSeconds=MANY,
        backoffLimit=WHOLE,
        suspend=[{"type": "boolean"}],
        rayClusterSpec=_closed(
            rayVersion=TEXT,
            authOptions=_closed(mode={"enum": ["token", "disabled"]}),
            headGroupSpec=_closed(rayStartParams=TEXTS, template={"type": "object"}),
            workerGroupSpecs={
                "type": "array",
                "items": _closed(
                    groupName=TEXT,
                    replicas=WHOLE,
                    minReplicas=WHOLE,
                    maxReplicas=WHOLE,
                    rayStartParams=TEXTS,
                    template={"type": "object"},
                ),
            },
        ),
    ),
)
# The fields that are used of a task of SkyPilot 0.14 (sky/utils/schemas.py).
SKY_TASK = _closed(
    name=TEXT,
    num_nodes=MANY,
    resources=_closed(
        image_id={"type": "string", "pattern": "^docker:.+@sha256:[0-9a-f]{64}$"},
        cpus=TEXT,
        memory=TEXT,
        accelerators=[{"type": "object", "maxProperties": 1, "additionalProperties": MANY}],
    ),
    volumes=TEXTS,
    envs=TEXTS,
    secrets={"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    run=TEXT,
)
SCHEMAS = {"rayjob": RAY_JOB, "skypilot": SKY_TASK}


def written(to: str, work: Work) -> dict[str, Any]:
    [text] = TARGETS[to](work).values()
    return yaml.safe_load(text)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("work", WORKS, ids=["plain", "odd"])
def test_every_field_is_one_that_the_cluster_knows(to: str, work: Work) -> None:
    jsonschema.validate(written(to, work), SCHEMAS[to])


@pytest.mark.parametrize("to", TARGETS)
def test_a_field_that_it_does_not_know_would_be_seen(to: str) -> None:
    found = written(to, PLAIN)
    place = found["spec"] if to == "rayjob" else found["resources"]
    place["deadline"] = 1
    with pytest.raises(jsonschema.ValidationError, match="deadline"):
        jsonschema.validate(found, SCHEMAS[to])


@pytest.mark.parametrize("work", WORKS, ids=["plain", "odd"])
def test_the_pods_are_what_kubernetes_knows(work: Work) -> None:
    cluster = written("rayjob", work)["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]}
        kubernetes_validate.validate(pod, "1.37", strict=True)


def test_a_ray_job_ends_has_a_token_says_nothing_and_installs_nothing() -> None:
    found = written("rayjob", ODD)
    spec, cluster = found["spec"], found["spec"]["rayClusterSpec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["activeDeadlineSeconds"] == 5400
    assert spec["backoffLimit"] == 0
    assert cluster["authOptions"] == {"mode": "token"}
    assert found["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team"}
    assert spec["suspend"] is True, "Kueue lets it begin"
    assert "suspend" not in written("rayjob", PLAIN)["spec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        [container] = group["template"]["spec"]["containers"]
        assert container["image"] == IMAGE
        told = {each["name"]: each.get("value") for each in container["env"]}
        assert told["RAY_USAGE_STATS_ENABLED"] == "0"
        assert told["HF_HUB_OFFLINE"] == "1"
        assert told["OMP_NUM_THREADS"] == "8"
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert group["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {
            "claimName": "runs-of-team"
        }
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", "the head decides alone"
    assert cluster["workerGroupSpecs"][0]["replicas"] == 4
    for to in TARGETS:
        assert "pip" not in str(written(to, ODD))


@pytest.mark.parametrize("to", TARGETS)
def test_a_name_from_outside_stays_in_its_comment(to: str) -> None:
    [text] = TARGETS[to](ODD).values()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert not any(line.startswith("- not") for line in text.splitlines())
    assert any("a folder # no comment" in line for line in comments)
    assert any("add --allow-code" in line for line in comments)
    assert any("OPENAI_API_KEY" in line for line in comments)
    assert "$(id)" not in str(yaml.safe_load(text))


def test_a_key_is_named_and_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")
    job, task = written("rayjob", ODD), written("skypilot", ODD)
    [container] = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    assert container["env"][-1]["valueFrom"]["secretKeyRef"]["key"] == "OPENAI_API_KEY"
    assert task["secrets"] == {"RAY_AUTH_TOKEN": None, "OPENAI_API_KEY": None}
    assert "sk-secret" not in str((job, task))


def test_a_sky_task_leaves_skypilots_own_ray_alone() -> None:
    script = written("skypilot", ODD)["run"]
    assert "6380" not in script
    assert "ray stop" not in script
    assert written("skypilot", ODD)["num_nodes"] == 5
    assert written("skypilot", ODD)["envs"]["RAY_AUTH_MODE"] == "token"
    assert written("skypilot", ODD)["resources"]["accelerators"] == {"L4": 1}


def _task(folder: Path, more: str, name: str = "task.yaml") -> Path:
    for rows in ("train", "test"):
        (folder / f"{rows}.jsonl").write_text('{"input": "a", "target": "b"}\n')
    path = folder / name
    path.write_text(
        "name: shop\ngoal: Sort.\ndata: {train: train.jsonl, test: test.jsonl}\n"
        f"score: exact_match\ngate: {{min_score: 0.5}}\n{more}"
    )
    return path


LEAVES = "rules: {data_may_leave: true}\n"


def test_the_work_is_as_large_as_the_task_says(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "rows").mkdir()
    more = f"{LEAVES}execution: {{workers: 3, cpus: 2, gpus: 1}}\n"
    file = _task(tmp_path / "tasks", more)
    work = make_work(load_task(file, tmp_path / "rows"), Wish(IMAGE), "rayjob")
    assert (work.workers, work.cpus, work.whole_gpus, work.root) == (3, 2, 1, tmp_path.resolve())
    assert shlex.split(work.command("auto")) == [
        *("ladder", "assess", "/ladder/tasks/task.yaml", "--runs", "/ladder/runs"),
        *("--data", "/ladder/rows", "--ray", "auto"),
    ]


@pytest.mark.parametrize(
    ("more", "wish", "to", "said"),
    [
        ("", Wish(IMAGE), "rayjob", "data_may_leave: true"),
        (LEAVES, Wish(), "rayjob", "--image: got nothing, wanted an image by its digest"),
        (LEAVES, Wish("team/ladder:latest"), "rayjob", "NAME@sha256"),
        (LEAVES, Wish(IMAGE, queue="No Queue"), "rayjob", "--queue: got No Queue"),
        (LEAVES, Wish(IMAGE, hours=0), "skypilot", "--deadline: got 0, wanted hours"),
        (LEAVES, Wish(IMAGE, hours=600_000), "rayjob", "--deadline: got 600000, wanted hours"),
        (LEAVES, Wish(IMAGE, hours=math.nan), "rayjob", "--deadline: got nan, wanted hours"),
        (LEAVES, Wish(IMAGE, namespace="a.b"), "rayjob", "--namespace: got a.b, wanted a namesp"),
        (LEAVES, Wish(IMAGE, queue="a..b"), "rayjob", "--queue: got a..b, wanted a name of"),
        (LEAVES, Wish(IMAGE, queue="team"), "skypilot", "--queue: got team, wanted nothing"),
        (f"{LEAVES}execution: {{gpus: 1}}\n", Wish(IMAGE), "skypilot", "the GPU's name"),
        (LEAVES, Wish(IMAGE, gpu="L4"), "rayjob", "a task whose workers have GPUs"),
    ],
)
def test_what_cannot_be_handed_over_is_told_before_machines_are_paid(
    tmp_path: Path, more: str, wish: Wish, to: str, said: str
) -> None:
    with pytest.raises(TaskError) as error:
        make_work(load_task(_task(tmp_path, more)), wish, to)
    assert said in str(error.value)


def test_a_path_that_a_shell_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    file = _task(tmp_path, LEAVES, "my $(task).yaml")
    with pytest.raises(TaskError, match="letters, digits"):
        make_work(load_task(file), Wish(IMAGE), "rayjob")


def test_the_verb_prints_or_writes_and_says_which_options_are_whose(
    tmp_path: Path, ladder: Callable[..., Any]
) -> None:
    file = _task(tmp_path, LEAVES)
    printed = ladder("export", file, "--to", "rayjob", "--image", IMAGE)
    assert printed.code == 0, printed.errors
    assert yaml.safe_load(printed.out)["kind"] == "RayJob"
    words = ("--to", "skypilot", "--image", IMAGE, "--into", tmp_path / "out")
    assert "wrote" in ladder("export", file, *words).out
    assert (tmp_path / "out/ladder-shop.sky.yaml").is_file()
    ladder("export", file, "--to", "rayjob").refused("--image: got nothing")
    ladder("export", tmp_path, "--image", IMAGE).refused("--image", "it is for a task")
    ladder("export", file, "--to", "exe").refused("merged, gguf; of a task rayjob, skypilot")
