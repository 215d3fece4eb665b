"""An answer as fields, each one of the values that rows show or words of the input.

A label is one field; a JSON object has one for each of its values, by path; a text of as many words
in each row has one for each word. What an encoder then decides is, for a field, which value; and
for each word of the input, whose value it belongs to (Chen, Zhuo and Wang, 2019, "BERT for Joint
Intent Classification and Slot Filling"). `recipes/fields.py` and `ladder/engines/fields.py` are one
file, twice: it imports neither.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["label", "json", "text"]
Path = tuple[str, ...]
"""Keys of a JSON object, from the outermost; the number of a word; nothing: the whole answer."""
Span = tuple[int, int]
"""Where words of an input begin and end, in characters."""

ABSENT, COPY = "absent", "copied"
COPIED_BEYOND_CHANCE = 0.05
"""So much more often must values stand in their own row's input than in another's, if they do not
nearly always; a label is never copied, whatever stands there."""
FEW = 0.05
"""Of a copied field, so few values that do not stand in the input need no classifier."""
MOST_WORDS = 8
MOST_VALUES = 400
LEAST_EXPLAINED = 0.9


@dataclass(frozen=True)
class Field:
    """One field of an answer."""

    path: Path
    values: tuple[str, ...] = ()
    """JSON of what a classifier chooses among; it may also say `absent` or `copied`."""
    copied: bool = False
    """Its value may be words of the input."""
    many: bool = False
    """It may be a list of several."""


@dataclass(frozen=True)
class Form:
    """The fields of a task's answers."""

    kind: Kind
    fields: tuple[Field, ...]
    objects: tuple[Path, ...] = ()
    """Objects that each answer has, empty or not."""
    in_text_order: bool = False
    """The copied values of an object come in the order in which they stand in the input."""

    @property
    def chosen(self) -> tuple[Field, ...]:
        """Fields that a classifier decides."""
        return tuple(field for field in self.fields if field.values)

    @property
    def tags(self) -> tuple[str, ...]:
        """What a word of the input can be: nothing, or the first or a later word of a field."""
        copied = [at for at, field in enumerate(self.fields) if field.copied]
        return ("O", *(f"{part}{at}" for at in copied for part in "BI"))

    def as_json(self) -> dict[str, Any]:
        """Return plain values, to be written."""
        return asdict(self)


def form_of(values: Mapping[str, Any]) -> Form:
    """Return a form that was written as plain values.

    Raises:
        LookupError, TypeError: it is none.
    """
    fields = tuple(
        Field(tuple(each["path"]), tuple(each["values"]), bool(each["copied"]), bool(each["many"]))
        for each in values["fields"]
    )
    objects = tuple(map(tuple, values["objects"]))
    return Form(values["kind"], fields, objects, bool(values["in_text_order"]))


def choices_of(field: Field) -> tuple[str, ...]:
    """Return what a field's classifier tells apart, in the order of its outputs."""
    return (ABSENT, COPY, *field.values)


def read_answer(text: str, kind: Kind) -> dict[Path, Any] | None:
    """Return the value of each field of an answer; None where it has another form."""
    if kind == "label":
        return {(): text}
    if kind == "text":
        return {(str(at),): word for at, word in enumerate(text.split())}
    try:
        found = json.loads(text)
        return dict(_leaves(found, ())) if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any, path: Path) -> list[tuple[Path, Any]]:
    if isinstance(value, dict) and (value or not path):
        return [leaf for key, each in value.items() for leaf in _leaves(each, (*path, key))]
    return [(path, value)]


def make_form(texts: Sequence[str], answers: Sequence[str], kind: Kind) -> Form:
    """Find the fields of answers.

    Args:
        texts: inputs.
        answers: their answers, in the same order.
        kind: what the answers are.

    Raises:
        ValueError: the answers are no such form; its text says why.
    """
    read = [read_answer(answer, kind) for answer in answers]
    known = [(text, values) for text, values in zip(texts, read, strict=True) if values is not None]
    if len(known) < LEAST_EXPLAINED * len(texts) or not known:
        raise ValueError(f"{len(texts) - len(known)} of {len(texts)} answers are no JSON objects")
    if kind == "text":
        known = _of_one_length(known)
    paths = list(dict.fromkeys(path for _, values in known for path in values))
    objects = _objects([values for _, values in known])
    fields = [_field(path, known) for path in paths if path not in objects]
    copied = {field.path for field in fields if field.copied}
    ordered = [_in_text_order(text, values, copied) for text, values in known]
    in_order = sum(ordered) >= LEAST_EXPLAINED * len(ordered)
    return Form(kind, tuple(fields), tuple(objects), in_order)


def _in_text_order(text: str, values: Mapping[Path, Any], copied: Collection[Path]) -> bool:
    """Tell whether the copied values of each object stand in the text in their own order."""
    starts: dict[Path, list[int]] = {}
    for path, value in values.items():
        spans = spans_of(text, value) if path in copied else None
        if spans:
            starts.setdefault(path[:-1], []).append(min(spans)[0])
    return all(found == sorted(found) for found in starts.values())


def _of_one_length(known: list[tuple[str, dict[Path, Any]]]) -> list[tuple[str, dict[Path, Any]]]:
    (usual, _), *_ = Counter(len(values) for _, values in known).most_common(1)
    kept = [(text, values) for text, values in known if len(values) == usual]
    if usual > MOST_WORDS or len(kept) < LEAST_EXPLAINED * len(known):
        raise ValueError(
            f"the answers are texts of differing lengths, or long: {len(kept)} of {len(known)} "
            f"have {usual} words"
        )
    return kept


def _objects(rows: Sequence[Mapping[Path, Any]]) -> list[Path]:
    """Return paths that are objects in every row, empty ones included."""
    inner = {path[:depth] for row in rows for path in row for depth in range(1, len(path))}
    empty = {path for row in rows for path, value in row.items() if value == {}}
    named = inner | empty
    always = [
        path
        for path in named
        if all(any(each[: len(path)] == path for each in row) for row in rows)
    ]
    return sorted(always)


def _field(path: Path, known: Sequence[tuple[str, Mapping[Path, Any]]]) -> Field:
    rows = [(text, values[path]) for text, values in known if path in values]
    own = [spans_of(text, value) is not None for text, value in rows]
    others = [spans_of(rows[at - 1][0], value) is not None for at, (_, value) in enumerate(rows)]
    beyond_chance = (sum(own) - sum(others)) / len(rows) >= COPIED_BEYOND_CHANCE
    copied = bool(path) and (beyond_chance or sum(own) >= LEAST_EXPLAINED * len(rows))
    left = [value for (_, value), there in zip(rows, own, strict=True) if not (copied and there)]
    if copied and len(left) <= FEW * len(rows):
        left = []
    values = list(dict.fromkeys(json.dumps(value, ensure_ascii=False) for value in left))
    if len(values) > min(MOST_VALUES, max(2, len(known) // 4)):
        name = ".".join(path) or "the answer"
        raise ValueError(f"{name} has {len(values)} values that do not stand in the inputs")
    many = any(isinstance(value, list) for _, value in rows)
    return Field(path, tuple(values), copied, many)


def spans_of(text: str, value: Any) -> list[Span] | None:
    """Return where a value stands in a text, as whole words; None where it does not, whole."""
    wanted = value if isinstance(value, list) else [value]
    if not wanted or not all(isinstance(each, str) and each.strip() for each in wanted):
        return None
    found: list[Span] = []
    for each in wanted:
        for match in re.finditer(re.escape(each), text):
            start, end = match.span()
            taken = any(start < b and a < end for a, b in found)
            if not taken and _whole(text, start, end):
                found.append((start, end))
                break
        else:
            return None
    return found


def _whole(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (
        after.isalnum() and text[end - 1].isalnum()
    )


def targets(
    form: Form, text: str, answer: str, words: Sequence[Span]
) -> tuple[list[int], list[int]] | None:
    """Return what a row teaches: the choice of each chosen field, and the tag of each word.

    Args:
        form: of the answers.
        text: the input.
        answer: of the row.
        words: where the words of the input stand.

    Returns:
        None where the answer has another form.
    """
    values = read_answer(answer, form.kind)
    if values is None:
        return None
    tags = {name: at for at, name in enumerate(form.tags)}
    marked, chosen = [0] * len(words), []
    for at, field in enumerate(form.fields):
        value = values.get(field.path)
        spans = spans_of(text, value) if field.copied and value is not None else None
        for start, end in spans or ():
            inside = [n for n, (a, b) in enumerate(words) if a >= start and b <= end]
            for place, n in enumerate(inside):
                marked[n] = tags[f"{'I' if place else 'B'}{at}"]
        if field.values:
            known = choices_of(field)
            said = json.dumps(value, ensure_ascii=False)
            word = COPY if spans else ABSENT if field.path not in values else said
            chosen.append(known.index(word) if word in known else 0)
    return chosen, marked


def write_answer(form: Form, found: Mapping[Path, Any]) -> str:
    """Return the answer whose fields have these values; those that are absent are left out."""
    if form.kind == "label":
        return str(found.get((), ""))
    if form.kind == "text":
        return " ".join(str(found[field.path]) for field in form.fields if field.path in found)
    answer: dict[str, Any] = {}
    left = [path for path in found if path]
    for field in form.fields:  # the objects in their usual order, what is in one as it was found
        parent = field.path[:-1]
        if parent in form.objects:
            _place(answer, parent)
        for path in [path for path in left if path[:-1] == parent and field.path in found]:
            _place(answer, parent)[path[-1]] = found[path]
            left.remove(path)
    for path in form.objects:
        _place(answer, path)
    return json.dumps(answer, ensure_ascii=False)


def _place(answer: dict[str, Any], path: Path) -> dict[str, Any]:
    for key in path:
        answer = answer.setdefault(key, {})
    return answer


def decide(
    form: Form,
    text: str,
    words: Sequence[Span],
    choices: Sequence[Sequence[float]],
    tags: Sequence[Sequence[float]],
) -> dict[Path, Any]:
    """Return the value of each field that an answer has.

    Args:
        form: of the answers.
        text: the input.
        words: where its words stand.
        choices: log-probabilities of each chosen field's choices.
        tags: log-probabilities of the tags of each word.
    """
    spans = _spans(form, words, tags)
    found: dict[Path, Any] = {}
    starts: dict[Path, int] = {}
    number = 0
    for at, field in enumerate(form.fields):
        there = [text[start:end] for start, end, _ in spans.get(at, ())]
        best = max(spans.get(at, ()), key=lambda span: span[2], default=None)
        if field.values:
            known, scores = choices_of(field), choices[number]
            number += 1
            chosen = max(range(len(known)), key=scores.__getitem__)
            if known[chosen] == COPY and best is None:  # no words were found: the next best
                chosen = max((n for n in range(len(known)) if n != 1), key=scores.__getitem__)
            if chosen == 0:
                continue
            if chosen > 1:
                found[field.path] = json.loads(known[chosen])
                continue
        if best is not None:
            several = field.many and len(there) > 1
            found[field.path] = there if several else text[best[0] : best[1]]
            starts[field.path] = spans[at][0][0] if several else best[0]
    return _ordered(found, starts) if form.in_text_order else found


def _ordered(found: Mapping[Path, Any], starts: Mapping[Path, int]) -> dict[Path, Any]:
    """Return values with those copied in the order of the text, in the places that they had."""
    copied = iter(sorted(starts, key=starts.__getitem__))
    return {path: found[path] for path in (next(copied) if p in starts else p for p in found)}


def _spans(
    form: Form, words: Sequence[Span], tags: Sequence[Sequence[float]]
) -> dict[int, list[tuple[int, int, float]]]:
    """Return the words of each field: where they begin and end, and their mean log-probability."""
    names = form.tags
    best = likeliest_tags(names, tags)
    found: dict[int, list[tuple[int, int, float]]] = {}
    at = 0
    while at < len(best):
        name = names[best[at]]
        last = at
        if name != "O":
            while last + 1 < len(best) and names[best[last + 1]] == f"I{name[1:]}":
                last += 1
            mean = sum(tags[n][best[n]] for n in range(at, last + 1)) / (last + 1 - at)
            found.setdefault(int(name[1:]), []).append((words[at][0], words[last][1], mean))
        at = last + 1
    return found


def likeliest_tags(names: Sequence[str], tags: Sequence[Sequence[float]]) -> list[int]:
    """Return the likeliest tags in which a later word of a field follows one of the same (Viterbi).

    Only a tag and its own beginning can stand before a later word, so that the best way to each
    needs no table of all pairs.
    """
    if not tags or len(names) == 1:
        return [0] * len(tags)
    begins = {at: names.index(f"B{name[1:]}") for at, name in enumerate(names) if name[0] == "I"}
    scores = [-1e9 if at in begins else value for at, value in enumerate(tags[0])]
    back: list[list[int]] = []
    for row in tags[1:]:
        top = max(range(len(names)), key=scores.__getitem__)
        before = [top] * len(names)
        for at, begin in begins.items():
            before[at] = at if scores[at] > scores[begin] else begin
        scores = [scores[before[at]] + value for at, value in enumerate(row)]
        back.append(before)
    path = [max(range(len(names)), key=scores.__getitem__)]
    for before in reversed(back):
        path.append(before[path[-1]])
    return path[::-1]


def make_network(encoder: Any, form: Form) -> Any:
    """Return an encoder with a head for each chosen field, and one for the tags of words.

    A chosen field reads the mean of the encoder's vectors, weighted by a query of its own, which
    weighs all alike before anything is learnt.

    Args:
        encoder: a transformer whose output has `last_hidden_state` (rows, tokens, width).
        form: of the answers.
    """
    import torch
    from torch import nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            width = encoder.config.hidden_size
            self.encoder = encoder
            self.queries = nn.Parameter(torch.zeros(len(form.chosen), width))
            sizes = [len(choices_of(field)) for field in form.chosen]
            self.heads = nn.ModuleList(nn.Linear(width, size) for size in sizes)
            self.tagger = nn.Linear(width, len(form.tags))
            self.dropout = nn.Dropout(0.1)

        def forward(self, input_ids: Any, attention_mask: Any) -> tuple[list[Any], Any]:
            read = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
            hidden = self.dropout(read.last_hidden_state)
            weights = torch.einsum("fh,bth->bft", self.queries, hidden)
            hidden_away = attention_mask[:, None, :] == 0
            weights = weights.masked_fill(hidden_away, float("-inf")).softmax(-1)
            fields = torch.einsum("bft,bth->bfh", weights, hidden)
            return [head(fields[:, at]) for at, head in enumerate(self.heads)], self.tagger(hidden)

    return Network()


def words_of(encoded: Any, row: int) -> tuple[list[Span], list[int]]:
    """Return where the words of a tokenised text stand, and the first token of each.

    Args:
        encoded: what a fast tokenizer returns, with `offset_mapping`.
        row: of the text.
    """
    spans: list[Span] = []
    firsts: list[int] = []
    last = None
    for at, word in enumerate(encoded.word_ids(row)):
        start, end = map(int, encoded["offset_mapping"][row][at])
        if word is None:
            continue
        if word == last:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
            firsts.append(at)
        last = word
    return spans, firsts
