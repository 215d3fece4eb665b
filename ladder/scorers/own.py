"""A scorer of one's own: `module:name`, from a file beside the task or from a trusted package.

Nothing is imported before there is consent (`ladder.trust.code`), and nothing is called that is not
declared in the very module that is named: an imported `subprocess.run` is no scorer.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ladder.errors import EgressError, LadderError, Problem, TaskError
from ladder.scorers.base import ModelScorer, Score, Scorer
from ladder.trust.code import Code, Consent, load_module, read_code
from ladder.trust.settings import read_settings, settings_file, shown
from ladder.wording import harmless

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*", re.ASCII)


def code_of(name: str, consent: Consent, where: str) -> Code | None:
    """Return the code that `module:name` would run; None where a trusted package is named.

    Nothing is imported.

    Raises:
        TaskError: it names neither.
    """
    if not NAME.fullmatch(name):
        got, wanted = f"`{harmless(name, 80)}`", "module:function, e.g. my_scorers:close_enough"
        raise TaskError([Problem(where, got, wanted)])
    module = name.partition(":")[0]
    top = module.split(".")[0]
    if top in sys.stdlib_module_names or top == "ladder":
        fix = "A task file from elsewhere could otherwise run any program."
        raise TaskError([Problem(where, f"`{name}`", "a scorer of your own", fix)])
    if top in read_settings().trusted_packages:
        _refuse_nearby(top, name, consent, where)
        return None
    beside = [consent.folder / top, consent.folder / f"{top}.py"]
    place = next((each for each in beside if each.is_dir() or each.is_file()), None)
    inner = module.replace(".", "/")
    code = read_code(place, where, within=consent.folder) if place else None
    if code and {f"{inner}.py", f"{inner}/__init__.py"} & code.files.keys():
        return code
    looked = f"{inner}.py in {shown(consent.folder)}"
    fix = f"Put the file there. An installed package of yours is named in {shown(settings_file())}"
    fix += f": trusted_packages: [{top}]"
    raise TaskError([Problem(where, f"`{name}`, and no {looked}", "a scorer beside the task", fix)])


def own_scorer(
    name: str, parameters: Mapping[str, Any], consent: Consent, where: str
) -> Scorer | ModelScorer:
    """Run the code that `module:name` names and return the scorer that it makes.

    Raises:
        TaskError: there is no consent, no such scorer, or a parameter does not fit.
    """
    code = code_of(name, consent, where)
    allowed = consent.holds_for(code) if code else consent.granted != "nothing"
    if not allowed:
        raise TaskError([consent.missing(where, name, code)])
    module, _, attribute = name.partition(":")
    try:
        loaded = load_module(code, module) if code else importlib.import_module(module)
    except LadderError:
        raise
    except Exception as error:  # code of one's own may raise anything
        fix = ""
        if isinstance(error, ModuleNotFoundError) and code:
            fix = "A file beside it is imported so: from .its_name import …"
        raise TaskError([_problem(where, name, error, "code that can be imported", fix)]) from error
    factory = _declared(loaded, attribute, name, where)
    if not parameters and isinstance(factory, FunctionType) and _takes_two(factory):
        return _checked(factory, name, where)  # it scores by itself, and makes nothing
    try:
        inspect.signature(factory).bind(**parameters)
        made = factory(**parameters)
    except Exception as error:
        wanted = f"parameters of {attribute}{_signature(factory)}"
        got = f"parameters {harmless(str(dict(parameters)), 120)} ({harmless(str(error), 120)})"
        raise TaskError([Problem(f"{where}.{name}", got, wanted)]) from error
    return _scorer(made, name, where)


def _refuse_nearby(top: str, name: str, consent: Consent, where: str) -> None:
    """Refuse a trusted package's name where it would be found in the task's own folder."""
    spec = importlib.util.find_spec(top)
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    if not places:
        wanted = "a package that is installed"
        raise TaskError([Problem(where, f"`{name}`, and no package {top}", wanted)])
    folder = consent.folder.resolve()
    if any(Path(each).resolve().is_relative_to(folder) for each in places if each):
        fix = "Trust it by its digest instead: take it out of trusted_packages."
        got = f"`{name}`, found in the task's own folder"
        raise TaskError([Problem(where, got, "an installed package", fix)])


def _declared(module: ModuleType, attribute: str, name: str, where: str) -> Callable[..., object]:
    """Return the function or class of that name which the module itself defines."""
    found = vars(module).get(attribute)
    if isinstance(found, FunctionType | type):
        if found.__module__ == module.__name__:
            return found
        got = f"`{name}`, which {module.__name__.partition('.')[2] or module.__name__} only imports"
    else:
        got = f"`{name}`, which is no function or class there"
    raise TaskError([Problem(where, got, f"one that is defined in {name.partition(':')[0]}")])


def _scorer(made: object, name: str, where: str) -> Scorer | ModelScorer:
    if isinstance(made, ModelScorer):
        return made
    if callable(made) and _takes_two(made):
        return _checked(made, name, where)
    got = f"`{name}`, which returns {type(made).__name__}"
    wanted = "a function that returns (answer, target) -> Score, or a ModelScorer"
    raise TaskError([Problem(where, got, wanted)])


def _takes_two(scorer: Callable[..., object]) -> bool:
    try:
        inspect.signature(scorer).bind("an answer", "a target")
    except (TypeError, ValueError):
        return False
    return True


def _checked(scorer: Callable[..., object], name: str, where: str) -> Scorer:
    """Return a scorer whose mistakes are told as such, and whose numbers and truths are scores."""

    def score(answer: str, target: str) -> Score:
        try:
            found = scorer(answer, target)
        except EgressError:  # says by itself what it wanted, and how to allow it
            raise
        except Exception as error:  # code of one's own may raise anything
            wanted = "a score for every answer and target"
            raise TaskError([_problem(where, name, error, wanted, "")]) from error
        value = found.value if isinstance(found, Score) else found
        if isinstance(value, bool | int | float) and 0 <= value <= 1:
            return found if isinstance(found, Score) else Score(float(value))
        got = f"`{name}`, which gave {harmless(repr(value), 60)} for an answer"
        raise TaskError([Problem(where, got, "a number from 0 to 1, or a Score of one")])

    return score


def _signature(factory: Callable[..., object]) -> str:
    try:
        return str(inspect.signature(factory))
    except (TypeError, ValueError):
        return "(…)"


def _problem(where: str, name: str, error: Exception, wanted: str, fix: str) -> Problem:
    got = f"`{name}` ({type(error).__name__}: {harmless(str(error), 120)})"
    return Problem(where, got, wanted, fix)
