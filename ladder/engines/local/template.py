"""How a model is asked: turns and texts as the tokens that its own tokenizer and template make.

Chat templates differ in more than their marks. Some refuse a system turn or leave it out, some
refuse two turns of one role, some do not begin the answer, some write today's date; tokenizers add
a token before a text, behind it, or none. What a template does is found by rendering a few turns.

`recipes/template.py` is a copy of this file, so that what is learnt is what will be asked: it uses
nothing of ladder, and a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

DATE = date(2024, 7, 26)
"""What a template's "today" is: an answer must not depend on the day on which it was asked for. It
is the date that Llama 3's own template takes where it is told none."""
DIRECTIVES = "aAbBdHIjmMpSyY"
ANSWER, INSTRUCTION, QUESTION, NEXT = "Zwqanswer", "Zwqrule", "Zwqfirst", "Zwqsecond"
"""Contents of the turns that a template is tried with: words that none has of its own."""
THOUGHTS = {
    "<think>": "\n</think>\n\n",
    "<thinking>": "</thinking>",
    "<seed:think>": "</seed:think>",
    "<longcat_think>": "</longcat_think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "◁think▷": "◁/think▷",
}
"""How templates begin a thought that the model is to end -> what ends it at once."""

Turn = Mapping[str, Any]
"""Of a chat: its `role` and its `content`."""


@dataclass(frozen=True)
class Template:
    """A tokenizer with its chat template, and what is known of both."""

    tokenizer: Any
    """Of transformers."""
    jinja: str = ""
    """The text of the chat template, in which today is always the same day."""
    chat: bool = False
    """Takes turns of a chat."""
    system: bool = False
    """Shows a system turn to the model; else the instruction begins the first user turn."""
    alternates: bool = False
    """Refuses two turns of one role in a row; they are joined."""
    header: str = ""
    """Begins the answer, where the template does not do so itself."""
    no_thought: str = ""
    """What stands before an answer without a thought: an empty thought, or the end of one that the
    template begins."""
    before: tuple[int, ...] = ()
    """Tokens that the tokenizer puts before a text: mostly BOS or nothing."""

    def turns(self, messages: Sequence[Turn]) -> list[dict[str, Any]]:
        """Return turns as the template takes them; special tokens in their contents are text."""
        turns = [{**turn, "content": self.inert(turn["content"])} for turn in messages]
        if not self.system:
            turns = without_system(turns)
        return joined(turns) if self.alternates else turns

    def text(self, messages: Sequence[Turn]) -> str:
        """Return the prompt of a chat, up to where the answer begins."""
        return self._rendered(self.turns(messages), asks=True) + self.header

    def prompt(self, prompt: str | Sequence[Turn], *, answers_at_once: bool = False) -> list[int]:
        """Return the tokens of a prompt: a text to be continued, or turns to be answered.

        A text gets what the tokenizer puts before it, and never its end; turns get what the
        template writes and nothing else.

        Args:
            prompt: text or turns.
            answers_at_once: the answer follows without a thought.
        """
        if isinstance(prompt, str):
            return [*self.before, *self._ids(self.inert(prompt))]
        start = self.text(prompt)
        more = self._behind(start, self.no_thought) if answers_at_once else []
        return [*self._ids(start), *more]

    def reply(self, prompt: str | Sequence[Turn], completion: str | Sequence[Turn]) -> list[int]:
        """Return the tokens of an answer to a prompt, its end included, as a model shall learn it.

        Args:
            prompt: text or turns.
            completion: the same; mostly one turn of the assistant.
        """
        if isinstance(prompt, str):
            end = self.tokenizer.eos_token or ""
            text = self.inert(str(completion).removesuffix(end)) + end
            start = self.inert(prompt)
        else:
            start, text = self.text(prompt), self.answer(prompt, completion)
        if self.no_thought and text.startswith(self.no_thought):  # a scored answer stands behind it
            empty, text = self.no_thought, text.removeprefix(self.no_thought)
            return [*self._behind(start, empty), *self._behind(start + empty, text)]
        return self._behind(start, text)

    def following(self, text: str) -> list[int]:
        """Return the tokens of a text as it follows another one.

        Some tokenizers put a space before a text; behind a line break they do not.
        """
        line, ids = self._ids("\n"), self._ids(f"\n{text}")
        return ids[len(line) :] if ids[: len(line)] == line else self._ids(text)

    @property
    def begins_thought(self) -> bool:
        """A generated answer goes on with a thought that the template has begun."""
        return self.begun_thought != ""

    @property
    def begun_thought(self) -> str:
        """What begins the thought that the template begins; empty: it begins none."""
        begun = (begin for begin, end in THOUGHTS.items() if end == self.no_thought)
        return next(begun, "")

    @cached_property
    def end(self) -> int | None:
        """The token that ends a turn of the model: the tokenizer's EOS, or the template's own."""
        end: int | None = self.tokenizer.eos_token_id
        if self.chat:
            turns = [_turn("user", QUESTION), _turn("assistant", ANSWER)]
            after = self._rendered(turns).rpartition(ANSWER)[2].lstrip()
            found = [token for token in self.specials if after.startswith(token)]
            end = self.tokenizer.convert_tokens_to_ids(found[0]) if found else end
        return end

    @cached_property
    def specials(self) -> tuple[str, ...]:
        """The special tokens, longest first."""
        added = self.tokenizer.added_tokens_decoder.values()
        found = {token.content for token in added if token.special}
        return tuple(sorted(found | set(self.tokenizer.all_special_tokens), key=len, reverse=True))

    @property
    def about(self) -> dict[str, Any]:
        """What prompts depend on beside the template's text, where it is out of the ordinary."""
        usual = {"system": True, "header": "", "before": (), "dated": False}
        found = {name: getattr(self, name) for name in usual if name != "dated"}
        found |= {"system": self.system or not self.chat, "dated": self.dated}
        return {name: value for name, value in found.items() if value != usual[name]}

    @property
    def dated(self) -> bool:
        """The template writes today's date."""
        return self.jinja.startswith(CALENDAR)

    def answer(self, prompt: Sequence[Turn], completion: str | Sequence[Turn]) -> str:
        """Return what the template writes of an answer behind the prompt, its end included."""
        turns = self.turns([*prompt, *completion])
        start, whole = self.text(prompt), self._rendered(turns)
        content = turns[-1]["content"]
        if whole.startswith(start):
            text = whole[len(start) :]
        else:  # some render a turn otherwise once it is answered
            text = self.no_thought + content + whole.rpartition(content.strip())[2]
        ends = any(token in text.rpartition(content.strip())[2] for token in self.specials)
        return text if ends else text + (self.tokenizer.eos_token or "")

    def _behind(self, start: str, text: str) -> list[int]:
        """Return the tokens of a text behind its beginning, whose own tokens stay as they are.

        Both are cut together where that leaves the beginning's tokens as they are alone.
        """
        asked, whole = self._ids(start), self._ids(start + text)
        fits = whole[: len(asked)] == asked
        return whole[len(asked) :] if fits else self.following(text)

    def inert(self, text: Any) -> Any:
        """Break up special tokens in a text: data must not be able to end its own turn."""
        if isinstance(text, str):
            for token in self.specials:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def shows(self, turns: Sequence[Turn]) -> bool:
        """Tell whether the template takes turns and writes the content of each."""
        try:
            text = self._rendered(turns, asks=True)
        except Exception:  # a template is a program: what it raises is its own
            return False
        return all(turn["content"] in text for turn in turns)

    def _rendered(self, turns: Sequence[Turn], *, asks: bool = False) -> str:
        text: str = self.tokenizer.apply_chat_template(
            turns, chat_template=self.jinja, add_generation_prompt=asks, tokenize=False
        )
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def template_of(tokenizer: Any) -> Template:
    """Return how a model is asked, by what its template makes of a few turns.

    Args:
        tokenizer: of transformers; it is left as it is.
    """
    try:
        jinja = with_fixed_date(tokenizer.get_chat_template())
    except ValueError:  # none, or several by name and none of them the usual one
        jinja = ""
    bare = Template(tokenizer, jinja, before=_before(tokenizer))
    asks, answers = _turn("user", QUESTION), _turn("assistant", ANSWER)
    rules, again = _turn("system", INSTRUCTION), _turn("user", NEXT)
    # What shows no earlier turns, as some translators' templates do, is no chat.
    if not jinja or not bare.shows([asks]) or not bare.shows([asks, answers, again]):
        return bare
    started = bare._rendered([asks], asks=True)
    begins = started != bare._rendered([asks])
    whole = bare._rendered([asks, answers]) if bare.shows([asks, answers]) else ""
    between = whole[len(started) :].partition(ANSWER)[0] if whole.startswith(started) else ""
    between = between if between.strip() else ""
    begun = (end for begin, end in THOUGHTS.items() if started.rstrip().endswith(begin))
    thought = next(begun, between)
    return replace(
        bare,
        chat=True,
        system=bare.shows([rules, asks]) and bare.shows([rules, asks, answers, again]),
        alternates=not bare.shows([asks, again]),
        header="" if begins else between,
        no_thought=thought if begins else "",
    )


def without_system(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns with each instruction at the beginning of the next user turn."""
    found: list[dict[str, Any]] = []
    rules: list[str] = []
    for turn in turns:
        if turn["role"] == "system":
            rules.append(turn["content"])
        elif turn["role"] == "user":
            found.append({**turn, "content": "\n\n".join([*rules, turn["content"]])})
            rules = []
        else:
            found.append(dict(turn))
    return [*found, _turn("user", "\n\n".join(rules))] if rules else found


def joined(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns with those of one role that follow each other made one."""
    found: list[dict[str, Any]] = []
    for turn in turns:
        if found and found[-1]["role"] == turn["role"]:
            found[-1] = {**turn, "content": f"{found[-1]['content']}\n\n{turn['content']}"}
        else:
            found.append(dict(turn))
    return found


def _calendar() -> str:
    """Return the Jinja text that stands for today's date: `strftime_now` of a fixed day."""
    replaced = "".join(f"|replace('%{sign}', '{DATE.strftime(f'%{sign}')}')" for sign in DIRECTIVES)
    return f"{{% macro strftime_now(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}\n"


CALENDAR = _calendar()


def with_fixed_date(jinja: str) -> str:
    """Return a template in which today is always the same day.

    A macro goes before the function that transformers gives to templates.
    """
    return CALENDAR + jinja if "strftime_now" in jinja else jinja


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _before(tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that a tokenizer puts before a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    size = len(bare)
    places = (at for at in range(len(whole)) if whole[at : at + size] == bare)
    return tuple(whole[: next(places, 0)])
