"""What differs between two versions of the model, as JSON and for people. The sentences are invented, no caller's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anruflotse.understanding.comparing import Change, Comparison, Count

_SHOWN = 40
"""So many changed sentences are shown to people; `--json` gives all."""
_WIDTH = 90


def summary(found: Comparison) -> dict[str, object]:
    """The figures. `recall` is kept beside `concerns` for those who only want one number before and now."""
    return {
        "compared": found.tasks,
        "changed": len(found.changes),
        "better": sum(_turn(change) == "better" for change in found.changes),
        "worse": sum(_turn(change) == "worse" for change in found.changes),
        "accuracy": found.all.as_json(),
        "fallen": list(found.fallen),
        "departments": {key: count.as_json() for key, count in found.departments.items()},
        "concerns": {key: count.as_json() for key, count in found.concerns.items()},
        "examples": {key: count.as_json() for key, count in found.examples.items()},
        "recall": {key: _recall(count) for key, count in found.concerns.items()},
    }


def changed_lines(found: Comparison) -> Iterator[dict[str, object]]:
    """An object for each sentence whose decision or department changed."""
    for change in found.changes:
        yield {
            "text": change.task.text,
            "concern": change.task.concern,
            "department": change.task.department,
            "example": change.task.example,
            "from": {"decision": change.before.decision, "department": change.before.department or None},
            "to": {"decision": change.now.decision, "department": change.now.department or None},
            "right_before": change.before.right,
            "right_now": change.now.right,
        }


def for_people(found: Comparison, before: str, now: str) -> str:
    """The figures by concern, then the sentences that changed, the worse ones first."""
    rows = [f"{before} -> {now}: departments right on {found.all.n} sentences neither has learnt"]
    rows.append(f"{'concern':<28}{'n':>6}{'before':>9}{'now':>9}{'change':>9}")
    rows += [_count_row(key, count) for key, count in found.concerns.items()]
    rows.append(_count_row("all", found.all))
    rows += [_count_row(f"examples: {key}", count) for key, count in found.examples.items()]
    turns = {
        turn: [change for change in found.changes if _turn(change) == turn] for turn in ("worse", "better", "even")
    }
    told = ", ".join(f"{len(changes)} {turn}" for turn, changes in turns.items())
    rows.append(f"{len(found.changes)} of {found.tasks} sentences are answered differently: {told}")
    for change in [change for changes in turns.values() for change in changes][:_SHOWN]:
        text = change.task.text if len(change.task.text) <= _WIDTH else change.task.text[: _WIDTH - 1] + "…"
        rows.append(f"  {_turn(change):<7}{change.before} -> {change.now}   [{change.task.concern}] {text}")
    if len(found.changes) > _SHOWN:
        rows.append(f"  … and {len(found.changes) - _SHOWN} more (--json shows all)")
    return "\n".join(rows)


def _count_row(name: str, count: Count) -> str:
    if not count.n:
        return f"{name:<28}{0:>6}"
    before, now = count.before / count.n, count.now / count.n
    fell = "  fell" if count.fell() else ""
    return f"{name:<28}{count.n:>6}{before:>9.1%}{now:>9.1%}{now - before:>+9.1%}{fell}"


def _turn(change: Change) -> str:
    if change.before.right == change.now.right:
        return "even"
    return "better" if change.now.right else "worse"


def _recall(count: Count) -> dict[str, object]:
    share = (lambda hits: round(hits / count.n, 4)) if count.n else (lambda _hits: None)
    return {"n": count.n, "recall": share(count.now), "before": share(count.before)}
