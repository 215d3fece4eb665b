"""What a server refuses of how requests are put, and how they are put to it instead.

Each server takes its own part of OpenAI's format. What one names as wrong is renamed or left out,
and the request is sent again; what was answered then is the form of all further requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ladder.engines.endpoint.failure import IN_REPLY, THOUGHTS_ONLY, TryError

Payload = dict[str, Any]

STATUSES = frozenset({400, 422, 500, 501})
"""Of a refusal that may be for the form's sake. llama.cpp answers 500 where a template raises."""
NOT_CODED = frozenset({f"error{IN_REPLY}", "no choices"})
"""Kinds of errors in a response of 200 that name no status."""
ANY = re.compile("")


@dataclass(frozen=True)
class Way:
    """Another way to put what a server refuses."""

    words: str
    put: Callable[[Payload], Payload]
    wanted: re.Pattern[str] = ANY
    """What the server's words hold where this way may help."""
    other: str = ""
    """The name that a parameter gets."""


def _without(name: str, effect: str = "") -> Way:
    """Leave a parameter out."""
    words = f"{name} left out" + (f" ({effect})" if effect else "")
    return Way(words, lambda sent: {key: value for key, value in sent.items() if key != name})


def _as(name: str, other: str, wanted: re.Pattern[str] = ANY) -> Way:
    """Send a parameter under another name."""

    def put(sent: Payload) -> Payload:
        return {other if key == name else key: value for key, value in sent.items()}

    return Way(f"{other} instead of {name}", put, wanted, other)


def _nearly_greedy(sent: Payload) -> Payload:
    return sent if sent.get("temperature") else {**sent, "temperature": LOWEST_TEMPERATURE}


def _by_developer(sent: Payload) -> Payload:
    if "messages" not in sent:
        return sent
    turns = [
        {**turn, "role": "developer"} if turn["role"] == "system" else turn
        for turn in sent["messages"]
    ]
    return {**sent, "messages": turns}


def _by_user(sent: Payload) -> Payload:
    """Put what the system says at the head of the first user turn."""
    if "messages" not in sent:
        return sent
    said = [turn["content"] for turn in sent["messages"] if turn["role"] == "system"]
    turns = [turn for turn in sent["messages"] if turn["role"] != "system"]
    if said and turns and turns[0]["role"] == "user":
        said.append(turns.pop(0)["content"])
    if said:
        turns.insert(0, {"role": "user", "content": "\n\n".join(said)})
    return {**sent, "messages": turns}


LOWEST_TEMPERATURE = 0.01
"""For servers that take none of 0: as good as greedy."""
_POSITIVE = re.compile(
    r"positive|greater than|larger than|> ?0|\(0|0\.01|range|between|\bmin|大于|区间|范围", re.I
)

_DEVELOPER = re.compile(r"\bdeveloper\b(?! instruction)", re.I)

WAYS: Mapping[str, tuple[Way, ...]] = {
    "max_tokens": (
        _as("max_tokens", "max_output_tokens", re.compile("max_output_tokens")),
        _as("max_tokens", "max_new_tokens", re.compile("max_new_tokens")),
        _as("max_tokens", "max_completion_tokens"),
    ),
    "temperature": (
        Way(f"temperature {LOWEST_TEMPERATURE} instead of 0", _nearly_greedy, _POSITIVE),
        _without("temperature", "the server draws its answers: they differ from time to time"),
    ),
    "seed": (
        _as("seed", "random_seed", re.compile(r"extra|random_seed", re.I)),  # Mistral
        _without("seed", "draws are not repeatable"),
    ),
    "stop": (_without("stop", "answers are ended here"),),
    "response_format": (_without("response_format", "nothing holds answers to their JSON Schema"),),
    "stream_options": (_without("stream_options", "tokens of streamed answers are estimates"),),
    "system": (
        Way("role developer instead of system", _by_developer, _DEVELOPER),
        Way("the instruction in the first user turn instead of a system turn", _by_user),
    ),
}
"""What servers refuse -> the ways to put it instead, in the order in which they are tried.

A limit is never left out: an answer could cost anything then.
"""

_SPELT: Mapping[str, str] = {
    "max_tokens": r"max[_ -]?tokens",
    "stop": r"stop|stop[ _](sequence|word)s?",
    "response_format": r"response[ _]?formats?|json[ _]schema|structured[ _]outputs?|guided[ _]\w+"
    r"|\w*grammar|constrained decoding",
    "stream_options": r"stream[ _]options(\.include_usage)?",
}
"""How servers name a parameter, where not by its name alone."""
_STOP_BEFORE = (
    r"(?:(?:parameter|param|argument|field|property|key|value)s?(?:\(s\))?|supplied)[:=]? "
)
_STOP_AFTER = r" ?(?:(?:is|are|was|has|must|should|cannot|parameter|param|argument|field)\b|:)"
_LIMIT_ITSELF = re.compile(
    r"too (large|long|big|many|high|small)|exceed|context|less than|at (most|least)|greater than"
    r"|maximum|[<>]=|[<>] ?\d+(?!\d*>)|range|between",
    re.I,
)
"""A server that says so takes the parameter, but not its value."""
_SYSTEM = re.compile(
    r"\bsystem['\"`]?[ -](role|message|prompt|instruction|turn)|role:? ?['\"`]?system"
    r"|['\"`](system|developer)['\"`]|developer instruction|roles must alternate"
    r"|(unexpected|invalid|unknown|unsupported) (message )?role|only user\b"
    r"|(supported|allowed|valid) roles|\broles?\b[^.]{0,20}\buser\b[^.]{0,8}\bassistant\b"
    r"|(first (message|turn)|(start|begin)s? with)[^.]{0,24}\buser\b|\bsystem ?(角色|消息|提示)",
    re.I | re.A,
)
_ROLE = re.compile(r"messages\W*\d+\W*role", re.I)


def _pattern(name: str) -> re.Pattern[str]:
    spelt = rf"(?<!\w)(?:{_SPELT.get(name, name)})(?!\w)"
    if name == "stop":  # a word that any sentence may hold
        spelt = rf"['\"`‘“]{spelt}|{_STOP_BEFORE}{spelt}|{spelt}{_STOP_AFTER}"
    # ASCII: a name may stand in a sentence whose script has no spaces.
    return re.compile(spelt, re.I | re.A)


_PATTERNS = {name: _pattern(name) for name in WAYS if name != "system"}


def refused_in(sent: Payload, failure: TryError) -> str | None:
    """Return what of a request a server refuses for the form's sake, by its name in `WAYS`.

    Args:
        sent: the request.
        failure: the server's answer to it.
    """
    if failure.kind == THOUGHTS_ONLY:  # they may hold the string that ends an answer
        return "stop" if "stop" in sent else None
    if not _is_refusal(failure):
        return None
    words, there = failure.said, [name for name in _PATTERNS if name in sent]
    named = re.split(r"[.\[]", failure.parameter)[0]
    if named in there:
        return _unless_value(named, words)
    with_system = any(turn["role"] in ("system", "developer") for turn in sent.get("messages", ()))
    if with_system and (_ROLE.search(f"{failure.parameter} {words}") or _SYSTEM.search(words)):
        return "system"
    if named in WAYS:
        return None  # it is not in this request: the words are about something else
    places = {name: found.start() for name in there if (found := _PATTERNS[name].search(words))}
    return _unless_value(min(places, key=places.__getitem__), words) if places else None


def _is_refusal(failure: TryError) -> bool:
    status = re.match(r"HTTP (\d+)", failure.kind)
    return int(status.group(1)) in STATUSES if status else failure.kind in NOT_CODED


def _unless_value(name: str, words: str) -> str | None:
    """Return the name, unless it is a limit and only its value that is refused."""
    return None if name == "max_tokens" and _LIMIT_ITSELF.search(words) else name


@dataclass(frozen=True)
class Form:
    """How requests are put to one server for one model."""

    taken: Mapping[str, int] = field(default_factory=dict)
    """What it refuses -> which of the ways is taken."""

    def of(self, plain: Payload) -> Payload:
        """Return a request as the server takes it."""
        sent = plain
        for name, at in self.taken.items():
            sent = WAYS[name][at].put(sent)
        return sent

    def without(self, plain: Payload, failure: TryError) -> Form | None:
        """Return the form that does without what a server refuses; None: it is not the form.

        Args:
            plain: the request, before this form was given to it.
            failure: what the server answered to it in this form.
        """
        name = refused_in(self.of(plain), failure) or self._renamed(failure)
        if name is None:
            return None
        first = self.taken.get(name, -1) + 1
        for at, way in enumerate(WAYS[name][first:], first):
            other = Form({**self.taken, name: at})
            if way.wanted.search(failure.said) and other.of(plain) != self.of(plain):
                return other
        return None

    def _renamed(self, failure: TryError) -> str | None:
        """Return what this form sends under another name that the server refuses as well."""
        words = f"{failure.parameter} {failure.said}" if _is_refusal(failure) else ""
        for name, at in self.taken.items():
            other = WAYS[name][at].other
            if other and re.search(rf"(?<!\w){other}(?!\w)", words, re.A):
                return _unless_value(name, words)
        return None

    def is_in_vain(self, plain: Payload, failure: TryError) -> bool:
        """Tell whether the server still names what is not sent to it any more."""
        return refused_in(plain, failure) in self.taken

    def with_all(self, other: Form) -> Form:
        """Return a form that holds what both have found out."""
        return Form({**self.taken, **other.taken})

    @property
    def words(self) -> dict[str, str]:
        """What is refused -> how it is put instead, in words."""
        return {name: WAYS[name][at].words for name, at in self.taken.items()}
