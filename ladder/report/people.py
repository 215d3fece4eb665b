"""What people say of the answers: the judge beside them, and what they would score.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import JudgeAgreement, Measurement
from ladder.gate.judged import too_few
from ladder.report.blocks import Block, say
from ladder.wording import span

OWN_ANSWERS = (
    " It is the base model itself, and models favour their own answers: name another one under "
    "score.judge.model."
)


def judge_sentence(judge: JudgeAgreement) -> str:
    """Say how far the judge can be trusted."""
    own = OWN_ANSWERS if judge.is_base else ""
    opinion = f"The score is the opinion of a judge, {judge.model}"
    if judge.agree is None:
        return f"{opinion}; its agreement with people is unknown: {_why_unknown(judge)}.{own}"
    agree, same = judge.agree, judge.kappa
    text = (
        f"{opinion}. It agrees with people on {agree.mean:.2f} ({agree.low:.2f}–{agree.high:.2f}) "
        f"of {agree.n} answers that they graded; "
    )
    if same is None:
        text += "both graded all of them alike, which says nothing of chance (no kappa)."
    else:
        text += f"Cohen's kappa {same.mean:.2f} ({same.low:.2f}–{same.high:.2f})."
    return text + (f" It gave {judge.unjudged} more no grade." if judge.unjudged else "") + own


def _why_unknown(judge: JudgeAgreement) -> str:
    if judge.unjudged:
        return f"it gave none of the {judge.unjudged} answers that people graded a grade"
    return "no answers graded by people are given (data.graded)"


def human_blocks(m: Measurement) -> Iterator[Block]:
    """Say what people would score a candidate, or why their labels do not say it."""
    refusal = None if m.human_labels is None else too_few(m.human_labels)
    if m.human_score:
        yield say(
            f"By people: {span(m.human_score)}, from {m.human_score.n} human labels and the "
            f"judge's scores{', unweighted' if m.unweighted else ''} (PPI++, a normal "
            "approximation; the labelled answers must be a random sample)."
        )
    elif refusal:
        yield say(f"No score by people: {refusal}. The score here is the judge's opinion.")
    if m.unjudged:
        yield say(f"{m.unjudged} answers got no grade from the judge and count as errors.")
