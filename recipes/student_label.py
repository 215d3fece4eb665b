"""A student that does not generate: a linear classifier on an embedding, or on character n-grams.

    python recipes/student_label.py --config recipes/student_label.yaml \
        [--model_name_or_path EMBEDDING_FOLDER] --train_file rows.jsonl --output_dir OUT

Each row is {"text": text, "label": label}; the labels may be a teacher's. With a model, that of
sentence-transformers in its folder turns a text into features, and stays as it is; without one, the
features are hashed n-grams of 2 to 5 characters, and nothing but the head is needed to answer.
Leaves head.json (labels, features), head.npz (weights) and training.json in OUT.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rows import read_rows
from running import Progress, write_record
from settings import Files, parse, stop

N_GRAMS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": [2, 5], "n_features": 2**16}
"""scikit-learn's HashingVectorizer: the same features each time, with nothing to store."""
EMBEDDED_AT_ONCE = 512


@dataclass
class Head:
    """scikit-learn's LogisticRegression in its own names, and where things are."""

    output_dir: str = field(metadata={"help": "Where the student is written."})
    model_name_or_path: str | None = field(
        default=None, metadata={"help": "Folder of an embedding model; none: character n-grams."}
    )
    dtype: str = field(
        default="float32", metadata={"help": "Precision of the embedding; auto: this machine's."}
    )
    C: float = field(default=30.0, metadata={"help": "Inverse of the regularisation."})
    max_iter: int = field(default=300, metadata={"help": "Steps of the solver, at most."})
    seed: int = field(default=0, metadata={"help": "Of the solver."})


def main() -> int:
    """Train once and write the student."""
    files, settings = parse((Files, Head))
    rows = read_rows(files.train_file, ("text", "label"))
    output = Path(settings.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    progress = Progress(output / "progress.jsonl")
    texts, labels = [row["text"] for row in rows], [str(row["label"]) for row in rows]
    progress.write(0, 2, None)
    started = time.perf_counter()
    steps, loss = train_head(output, texts, labels, settings)
    seconds = time.perf_counter() - started
    progress.write(2, 2, loss)
    embeds = ["sentence-transformers"] if settings.model_name_or_path else []
    about = {
        "tokens": 0,
        "steps": steps,
        "rows": len(rows),
        "loss_curve": progress.curve(),
        "labels": len(set(labels)),
        "seed": settings.seed,
        "precision": settings.dtype if settings.model_name_or_path else "float64",
    }
    write_record(output, seconds, ["scikit-learn", *embeds], about)
    return 0


def train_head(
    folder: Path, texts: Sequence[str], labels: Sequence[str], settings: Head
) -> tuple[int, float]:
    """Fit a linear classifier on labelled texts and write it to a folder.

    Returns:
        the solver's steps, and the mean cross-entropy that is left on these texts.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    counts = Counter(labels)
    if len(counts) < 2:
        only = f"`{next(iter(counts))}` in all {len(labels)} rows" if counts else "none at all"
        stop(f"a classifier needs two labels or more to tell apart; found {only}")
    features, config = make_features(texts, settings.model_name_or_path, settings.dtype)
    model = LogisticRegression(C=settings.C, max_iter=settings.max_iter, random_state=settings.seed)
    model.fit(features, labels)
    weights, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one row of weights stands for two classes
        weights, intercepts = np.vstack([-weights, weights]), np.hstack([-intercepts, intercepts])
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"weights": weights.astype(np.float32), "intercepts": intercepts.astype(np.float32)}
    np.savez_compressed(folder / "head.npz", **arrays)
    about = {"labels": list(map(str, model.classes_)), "features": config}
    (folder / "head.json").write_text(json.dumps(about))
    loss = log_loss(labels, model.predict_proba(features), labels=model.classes_)
    return int(max(model.n_iter_)), float(loss)


def make_features(
    texts: Sequence[str], embedding: str | None, dtype: str
) -> tuple[Any, dict[str, Any]]:
    """Return the features of texts (texts, width), and what makes them again."""
    if embedding is None:
        from sklearn.feature_extraction.text import HashingVectorizer

        made = HashingVectorizer(**N_GRAMS | {"ngram_range": tuple(N_GRAMS["ngram_range"])})
        return made.transform(texts), {"n_grams": N_GRAMS}
    folder = Path(embedding).resolve()
    if not (folder / "config.json").is_file():
        stop(f"{embedding}: no config.json there; name the folder of an embedding model")
    import numpy as np

    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        stop('an embedding needs sentence-transformers: pip install "escalation-ladder[dense]"')
    model = SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": dtype}
    )
    parts = []
    for start in range(0, len(texts), EMBEDDED_AT_ONCE):
        some = list(texts[start : start + EMBEDDED_AT_ONCE])
        parts.append(model.encode(some, normalize_embeddings=True, show_progress_bar=False))
        print(f"embedded {start + len(some):,} of {len(texts):,} texts", flush=True)
    about = {"embedding": str(folder), "weights": _weights(folder), "dtype": dtype}
    return np.concatenate(parts), about


def _weights(folder: Path) -> str:
    """Return the sha256 of an embedding's weights: the head is of no use with others."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
