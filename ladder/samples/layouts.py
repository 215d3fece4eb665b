"""Rows in the layouts that data sets have: chats, Alpaca, SQuAD, … -> our `input` and `target`.

A layout is recognised by its columns, and only where the task maps no column to `input` and the
rows have no `input` and `target` of their own. What was recognised is said by `ladder check`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ladder.errors import Problem
from ladder.json_values import from_json
from ladder.language.words import comparable
from ladder.samples.values import text_of

Row = Mapping[str, Any]
Numbered = list[tuple[str, Row]]

SPEAKERS = {
    "system": "System",
    "developer": "System",
    "user": "User",
    "human": "User",
    "assistant": "Assistant",
    "gpt": "Assistant",
    "model": "Assistant",
    "chatgpt": "Assistant",
    "bot": "Assistant",
    "bing": "Assistant",
    "bard": "Assistant",
    "tool": "Tool",
    "function": "Tool",
    "observation": "Tool",
    "ipython": "Tool",
    "function_call": "Assistant",
}
"""Who speaks, as the data sets write it, and as a transcript says it."""


class UnreadableError(ValueError):
    """A row of a known layout that cannot be read: what was found, what was wanted."""


@dataclass(frozen=True)
class Layout:
    """A known layout of rows: its columns, and how they become an input and a target."""

    name: str
    needs: tuple[str, ...]
    """Columns of the input; each row has them all."""
    answers: tuple[str, ...] = ()
    """Columns of which the first that is there holds the target; none: the input's column does."""
    more: tuple[str, ...] = ()
    """A further column of the input, where one of these is there and not empty."""

    @property
    def is_chat(self) -> bool:
        """Tell whether a row is a list of turns."""
        return self.needs[0] in CHATS

    def fits(self, row: Row, with_target: bool) -> bool:
        """Tell whether a row has the columns; `with_target`: that of the target too."""
        answered = not (with_target and self.answers) or any(name in row for name in self.answers)
        return answered and all(name in row for name in self.needs)


SPAN = {"text", "answer_start"}
"""What SQuAD writes of an answer."""
CONTEXT = "context"
"""SQuAD's passage that holds the answer: it stands before the question."""
INSTRUCTION = "instruction"
"""Alpaca's and Dolly's column of what is to be done."""
CHATS = ("messages", "conversations", "conversation")
OWN = Layout("input and target", ("input",), ("target", "targets"))
"""The columns that the task file names, or `input` and `target`: nothing to translate."""
LABELS = ("label_text", "label", "labels")
"""The name of a label first, where its number stands beside it."""
LAYOUTS = (
    *(Layout("chat" if name == "messages" else "ShareGPT", (name,)) for name in CHATS),
    Layout("Alpaca", (INSTRUCTION,), ("output",), ("input",)),
    Layout("Dolly", (INSTRUCTION,), ("response",), ("context", "input")),
    Layout("question and answer", ("question",), ("answers", "answer", "response"), (CONTEXT,)),
    Layout("prompt and completion", ("prompt",), ("completion", "response")),
    Layout("text and label", ("text",), LABELS),
    Layout("sentence and label", ("sentence",), LABELS),
)


def layout_of(row: Row, mapped: Collection[str], with_target: bool) -> Layout | None:
    """Return the layout of a row; None where it has neither our own columns nor known ones.

    Args:
        row: with its columns as the file names them.
        mapped: our columns that the task maps (`data.columns`).
        with_target: whether the row must hold a target.
    """
    target_mapped = "target" in mapped or "targets" in mapped
    targeted = target_mapped or "target" in row or "targets" in row
    if "input" in mapped or ("input" in row and targeted and not target_mapped):
        return OWN
    wants = with_target and not targeted
    fitting = (layout for layout in LAYOUTS if layout.fits(row, wants))
    if "input" in row:  # then it is a layout that reads it, or the input itself
        fitting = (layout for layout in fitting if "input" in layout.more)
        return next(fitting, OWN if targeted or not with_target else None)
    return next(fitting, None)


def the_layout(numbered: Numbered, layouts: Sequence[Layout | None]) -> Layout | Problem:
    """Return the one layout of a file's rows; where they have several, the mistake.

    Rows that lack columns are of the layout of the others: what they lack is told of them later.
    """
    kinds = [layout for layout in dict.fromkeys(layouts) if layout]
    if len(kinds) < 2:
        return kinds[0] if kinds else OWN
    where, row = next(
        pair for pair, layout in zip(numbered, layouts, strict=True) if layout is kinds[1]
    )
    return Problem(
        where,
        f"a row in the layout {_named(kinds[1], row)} after rows in the layout "
        f"{_named(kinds[0], numbered[layouts.index(kinds[0])][1])}",
        "one layout in a file",
        "Write all rows alike, or name the columns that all of them have under data.columns.",
    )


def shared_system(numbered: Iterable[tuple[Layout, Row]]) -> str:
    """Return the system turn that every chat of a task begins with; empty where they differ.

    It says nothing of a single row, and would make the rows alike: the instruction is the goal's.
    """
    found = {_system_of(row.get(layout.needs[0])) for layout, row in numbered if layout.is_chat}
    return found.pop() if len(found) == 1 else ""


def shared_instruction(numbered: Iterable[tuple[Layout, Row]]) -> str:
    """Return the instruction that every row of a task has; empty where they differ."""
    found = {
        text_of(row.get(INSTRUCTION)) if layout.needs == (INSTRUCTION,) else ""
        for layout, row in numbered
    }
    return found.pop() if len(found) == 1 else ""


def read_row(
    layout: Layout, row: Row, with_documents: bool, shared: str, with_target: bool = True
) -> dict[str, Any]:
    """Return a row with `input`, and with `target` where it has none of its own.

    Args:
        layout: the row's.
        row: with its columns as the file names them.
        with_documents: the task has documents: a context is left to be found there.
        shared: the system turn of every row (`shared_system`), which is left out.
        with_target: the row must hold a target; else a chat may end with the user's turn.

    Raises:
        UnreadableError: what was found, and what was wanted.
    """
    if layout is OWN:
        return dict(row)
    has_target = any(_is_there(row.get(name)) for name in ("target", "targets"))
    if layout.is_chat:
        turns = _turns(row.get(layout.needs[0]))
        asks = not with_target and turns[-1][0] != "Assistant"
        cut, answer = (turns, "") if asks else _cut_at_answer(turns)
        # A chat with a target of its own is asked about as a whole, unless its last turn tells it.
        told = not has_target or _tells(turns, row)
        asked = cut if told else turns
        target = {} if has_target else {"target": answer}
        return {**row, "input": _transcript(asked, shared), **target}
    used = _input_columns(layout, row, with_documents)
    parts = [content_of(row.get(name)) for name in used]
    made = {**row, "input": "\n\n".join(part for part in parts if part)}
    answers = next((name for name in layout.answers if name in row), None)
    if answers and not has_target:
        made["target"] = answer_of(row[answers])
    return made


def _is_there(value: Any) -> bool:
    """Tell whether a cell holds anything: an empty one leaves the answer to the layout."""
    return bool(value) if isinstance(value, list | tuple | Mapping) else bool(text_of(value))


def said_of(layout: Layout, row: Row, target: str, with_documents: bool, shared: str) -> list[str]:
    """Say how the rows of a file were read.

    Args:
        layout: the rows'.
        row: with every column of the file.
        target: the column that the task maps to the target, or empty.
        with_documents: the task has documents.
        shared: the system turn that every row has.
    """
    if layout is OWN:
        return []
    own = target or next((name for name in ("target", "targets") if name in row), "")
    if layout.is_chat:
        column = layout.needs[0]
        how = f"the last turn of the assistant in {column} -> target, the turns before it -> input"
        said = [f"read as {layout.name} rows: {how if not own else f'{column} -> input'}"]
        if shared:
            said.append(
                "every row has the same system turn, which is left out of the input: say it in "
                f"`goal` (`{shared[:80]}`)"
            )
        return said
    used = _input_columns(layout, row, with_documents)
    answer = own or next((name for name in layout.answers if name in row), "")
    said = [f"read as {layout.name} rows: {' + '.join(used)} -> input"]
    if answer:
        said[0] += f", {answer} -> target"
    if with_documents and "question" in layout.needs and CONTEXT in row:
        said.append("context is left to be found in the documents")
    return said


def ends_late(layout: Layout, row: Row) -> bool:
    """Tell whether turns follow the assistant's last one; they are read by nobody."""
    try:
        turns = _turns(row.get(layout.needs[0])) if layout.is_chat else []
    except UnreadableError:  # told where the row is read
        return False
    speakers = [who for who, _ in turns]
    return "Assistant" in speakers and speakers[-1] != "Assistant"


def columns_of(layout: Layout, row: Row, with_documents: bool) -> tuple[tuple[str, ...], str]:
    """Return the columns that the input is made of, and the target's (empty: the input's)."""
    if layout.is_chat:
        return layout.needs, ""
    answer = next((name for name in layout.answers if name in row), "")
    return _input_columns(layout, row, with_documents), answer


def _named(layout: Layout, row: Row) -> str:
    return f"`{layout.name}` ({', '.join(map(str, list(row)[:5]))})"


def _input_columns(layout: Layout, row: Row, with_documents: bool) -> tuple[str, ...]:
    more = tuple(name for name in layout.more if name in row)[:1]
    if "question" not in layout.needs:
        return (*layout.needs, *more)
    return layout.needs if with_documents else (*more, *layout.needs)


def answer_of(value: Any) -> Any:
    """Return a target: of an answer written as turns its text, of SQuAD's answers their texts.

    Anything else is returned as it is.

    Raises:
        UnreadableError: turns that are none.
    """
    if _is_turns(value):
        return _turns(value)[-1][1]
    if isinstance(value, Mapping) and value.keys() >= SPAN and isinstance(value["text"], list):
        return list(dict.fromkeys(map(text_of, value["text"])))
    if isinstance(value, list) and value and all(_is_span(one) for one in value):
        return list(dict.fromkeys(text_of(one["text"]) for one in value))
    return value


def _is_span(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() >= SPAN


def content_of(value: Any) -> str:
    """Return an input as text; turns become a transcript.

    Raises:
        UnreadableError: turns that are none.
    """
    return _transcript(_turns(value), "") if _is_turns(value) else text_of(value)


def _is_turns(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value)
    )


def _turns(value: Any) -> list[tuple[str, str]]:
    """Return (speaker, text) of each turn of a chat."""
    wanted = 'turns like {"role": "user", "content": "…"}'
    if isinstance(value, str) and value.startswith("["):  # a list as CSV can hold it
        with contextlib.suppress(ValueError, RecursionError):
            value = from_json(value)
    if not isinstance(value, list) or not value:
        raise UnreadableError("an empty value" if not value else f"`{text_of(value)[:40]}`", wanted)
    turns = []
    for turn in value:
        if not isinstance(turn, Mapping):
            raise UnreadableError(f"a turn that is no object, `{text_of(turn)[:40]}`", wanted)
        role = text_of(turn.get("role", turn.get("from"))).lower()
        if role not in SPEAKERS:
            known = "system, user, assistant, tool (human, gpt)"
            raise UnreadableError(f"a turn of `{role[:40]}`", f"a turn of {known}")
        turns.append((SPEAKERS[role], _turn_text(turn.get("content", turn.get("value")))))
    return turns


def _turn_text(content: Any) -> str:
    """Return the text of a turn; of several parts those are joined, all of which must be text."""
    if not isinstance(content, list):
        return text_of(content)
    parts = []
    for part in content:
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            kind = part.get("type", "object") if isinstance(part, Mapping) else type(part).__name__
            raise UnreadableError(f"a turn with a part of the type `{kind}`", "text alone")
        parts.append(text)
    return "\n".join(parts).strip()


def _cut_at_answer(turns: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], str]:
    """Return the turns before the assistant's last one, and its text; empty where it has none."""
    last = next((at for at in reversed(range(len(turns))) if turns[at][0] == "Assistant"), None)
    return (turns, "") if last is None else (turns[:last], turns[last][1])


def _tells(turns: Sequence[tuple[str, str]], row: Row) -> bool:
    """Tell whether the assistant's turn at the end is one of the row's own targets."""
    who, said = turns[-1]
    given = [row.get("target"), *(v if isinstance(v := row.get("targets"), list | tuple) else [v])]
    return who == "Assistant" and any(
        isinstance(target, str) and comparable(target).strip() == comparable(said).strip()
        for target in given
    )


def _system_of(value: Any) -> str:
    try:
        return "\n".join(text for who, text in _turns(value) if who == "System")
    except UnreadableError:  # told where the row is read
        return ""


def _transcript(turns: Sequence[tuple[str, str]], shared: str) -> str:
    """Return turns as one text: a system turn first, one other turn as it is, several named."""
    system = "\n".join(text for who, text in turns if who == "System")
    others = [(who, text) for who, text in turns if who != "System" and text]
    lines = [text for _, text in others]
    if len(others) > 1:
        lines = [f"{who}: {text}" for who, text in others]
    shown = system if system != shared else ""
    return "\n\n".join(part for part in (shown, "\n".join(lines)) if part)
