"""Copies of a model's folder whose chat template or tokenizer has a habit of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ladder.engines.local import LocalEngine

TURN = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
ASKS = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
EACH = "{% for m in messages %}"
CHATML = f"{EACH}{TURN}{{% endfor %}}{ASKS}"
REFUSES_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
)
ALTERNATES = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
)
DROPS_SYSTEM = f"{EACH}{{% if m['role'] != 'system' %}}{TURN}{{% endif %}}{{% endfor %}}{ASKS}"
INST = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
DATED = (
    "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
    "{%- endif %}{{- 'Today is ' + date_string + '.\n' }}" + CHATML
)
THINKS = (
    f"{EACH}{{% if m['role'] == 'assistant' and loop.last %}}"
    "{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' + m['content'] + '<|im_end|>\n' }}"
    f"{{% else %}}{TURN}{{% endif %}}{{% endfor %}}{ASKS}"
)
BEGINS_THOUGHT = (
    CHATML.removesuffix(ASKS)
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)
ALWAYS_TRIMS = CHATML.replace("m['content']", "m['content'] | trim")

Change = Callable[[Path], None]


def template(text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text)

    return change


def no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def template_in_config(folder: Path) -> None:
    text = (folder / "chat_template.jinja").read_text()
    no_template(folder)
    settings(folder, "tokenizer_config.json", chat_template=text)


def several_templates(folder: Path) -> None:
    text = (folder / "chat_template.jinja").read_text()
    no_template(folder)
    named = [{"name": "default", "template": text}, {"name": "tool_use", "template": "tools"}]
    settings(folder, "tokenizer_config.json", chat_template=named)


def no_default_template(folder: Path) -> None:
    several_templates(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"default"', '"rag"'))


def adds(*, first: str = "", last: str = "") -> Change:
    """Let the tokenizer put special tokens around each text."""
    ids = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}

    def special(token: str) -> list[dict[str, Any]]:
        return [{"SpecialToken": {"id": token, "type_id": 0}}] if token else []

    def change(folder: Path) -> None:
        text = {"Sequence": {"id": "A", "type_id": 0}}
        single = [*special(first), text, *special(last)]
        named = {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]}
            for token in (first, last)
            if token
        }
        processor = {
            "type": "TemplateProcessing", "single": single,
            "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": named,
        }  # fmt: skip
        settings(folder, "tokenizer.json", post_processor=processor)

    return change


def both(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def settings(folder: Path, name: str, **changed: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


HABITS: dict[str, Change] = {
    "as it is": lambda folder: None,
    "refuses system": template(REFUSES_SYSTEM + CHATML),
    "drops system": template(DROPS_SYSTEM),
    "alternates": template(f"{REFUSES_SYSTEM}{EACH}{ALTERNATES}{TURN}{{% endfor %}}{ASKS}"),
    "alternates after system": template(
        f"{{{{ bos_token }}}}{{% if messages[0]['role'] == 'system' %}}"
        f"{{% set rest = messages[1:] %}}{{{{ messages[0]['content'] + '\n' }}}}{{% else %}}"
        f"{{% set rest = messages %}}{{% endif %}}{{% for m in rest %}}{ALTERNATES}{TURN}"
        f"{{% endfor %}}{ASKS}"
    ),
    "does not begin the answer": template(f"{EACH}{TURN}{{% endfor %}}"),
    "instruction marks": template(INST),
    "no template": no_template,
    "template in config": template_in_config,
    "several templates": several_templates,
    "no default template": no_default_template,
    "trims": template(ALWAYS_TRIMS),
    "thinks": template(THINKS),
    "begins a thought": template(BEGINS_THOUGHT),
    "date": template(DATED),
    "bos": adds(first="<|im_start|>"),
    "bos in both": both(template("{{ bos_token }}" + CHATML), adds(first="<|im_start|>")),
    "eos": adds(last="<|im_end|>"),
    "bos and eos": adds(first="<|endoftext|>", last="<|im_end|>"),
}
"""What a template or a tokenizer does -> how a folder gets it."""
CHATLESS = ("no template", "no default template")
SYSTEMLESS = {"refuses system", "drops system", "alternates", "instruction marks"}


def with_habit(habit: str, model: Path, folder: Path) -> Path:
    """Make a copy of a model's folder with a habit; the weights are linked."""
    folder.mkdir(parents=True)
    for file in model.iterdir():
        if file.suffix == ".safetensors":
            try:
                os.link(file, folder / file.name)
            except OSError:  # another file system
                shutil.copyfile(file, folder / file.name)
        elif file.is_file():
            shutil.copyfile(file, folder / file.name)
    HABITS[habit](folder)
    return folder


def opener(smollm: Path, root: Path) -> Callable[[str], LocalEngine]:
    """Return what opens an engine on a folder of each habit, once; no weights are loaded."""
    made: dict[str, LocalEngine] = {}

    def engine(habit: str) -> LocalEngine:
        if habit not in made:
            made[habit] = LocalEngine(with_habit(habit, smollm, root / habit.replace(" ", "-")))
        return made[habit]

    return engine
