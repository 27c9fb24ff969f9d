"""No line of code may put a caller's words into a log: messages are literals, their keys known to be harmless."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import anruflotse
from anruflotse.logs import SAFE_KEYS

SOURCES = sorted(Path(anruflotse.__file__).parent.rglob("*.py"))
METHODS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "msg", "log"} | {
    f"a{level}" for level in ("debug", "info", "warning", "error", "exception", "critical")
}
DERIVE = {"bind", "new", "unbind", "try_unbind"}
KEYS = SAFE_KEYS | {"exc_info"}


class Checker(ast.NodeVisitor):
    """Collects faults as `LINE: what is wrong`."""

    def __init__(self, tree: ast.Module) -> None:
        self.faults: list[str] = []
        self.loggers: set[str] = set()
        # Twice, so that a logger bound from another one is known wherever it was assigned.
        for _ in range(2):
            for node in ast.walk(tree):
                if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and self.is_logger(node.value):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    self.loggers.update(name for target in targets if (name := last_name(target)))
        self.visit(tree)

    def is_logger(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            if name in {"get_logger", "getLogger"}:
                return True
            return isinstance(node.func, ast.Attribute) and name in DERIVE and self.is_logger(node.func.value)
        name = last_name(node)
        return name is not None and (name in self.loggers or name.lower().endswith(("log", "logger")))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and self.is_logger(node.func.value):
            if node.func.attr in METHODS:
                self.check_sentence(node)
            if node.func.attr in METHODS | DERIVE:
                self.check_keys(node)
        elif last_name(node.func) in {"bind_contextvars", "bound_contextvars"}:
            self.check_keys(node)
        self.generic_visit(node)

    def check_sentence(self, node: ast.Call) -> None:
        args = node.args[1:] if isinstance(node.func, ast.Attribute) and node.func.attr == "log" else node.args
        if len(args) != 1 or not (isinstance(args[0], ast.Constant) and isinstance(args[0].value, str)):
            self.faults.append(f"{node.lineno}: a log message is one string literal; values go into safe keys")

    def check_keys(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self.faults.append(f"{node.lineno}: log keys are written out, ** may hold anything")
            elif keyword.arg not in KEYS:
                self.faults.append(f"{node.lineno}: '{keyword.arg}' is not in anruflotse.logs.SAFE_KEYS")
            elif makes_text(keyword.value):
                self.faults.append(
                    f"{node.lineno}: '{keyword.arg}' is text put together; log a name, or exc_info=error"
                )


def makes_text(node: ast.expr) -> bool:
    """An f-string, `str(error)` and the like: the message of an exception may quote what a caller said."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Call) and last_name(node.func) in {"str", "repr", "format", "format_exc"}
    )


def last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def faults(source: str) -> list[str]:
    return Checker(ast.parse(source)).faults


def all_faults() -> Iterator[str]:
    for path in SOURCES:
        # logs.py is the gate itself: it hands on what libraries said, without the arguments.
        if path.name != "logs.py":
            yield from (f"{path}:{fault}" for fault in faults(path.read_text(encoding="utf-8")))


def test_every_log_call_is_static_text_and_safe_keys() -> None:
    assert len(SOURCES) > 10
    assert list(all_faults()) == []


@pytest.mark.parametrize(
    "planted",
    [
        'log.info(f"heard {text}")',
        'log.info("heard " + text)',
        'log.info("heard %s", text)',
        'log.info("heard %s" % text)',
        "log.info(text)",
        "log.info()",
        'log.info("heard", text=text)',
        'log.info("heard", **values)',
        'log.warning("failed", reason=str(error))',
        'log.warning("failed", reason=f"{error}")',
        'log.warning("failed", reason="no: {}".format(error))',
        'self._log.warning("heard", caller=number)',
        'log.bind(caller=number).info("heard")',
        'log.bind(call=call).error(f"heard {text}")',
        'structlog.get_logger().info("heard", words=text)',
        "x = structlog.get_logger(__name__)\nx.info(text)",
        "x = structlog.get_logger()\ny = x.bind(call=call)\ny.exception(text)",
        'self.events: object = get_logger()\nself.events.info("heard", utterance=text)',
        'logger.log(20, f"heard {text}")',
        "structlog.contextvars.bind_contextvars(number=number)",
    ],
)
def test_the_checker_catches_what_is_planted(planted: str) -> None:
    assert len(faults(planted)) == 1


@pytest.mark.parametrize(
    "harmless",
    [
        'log.info("heard", call=leg.id, seconds=1.5)',
        'log.exception("recogniser failed", call=leg.id, exc_info=error)',
        'logger.log(20, "heard", count=3)',
        "math.log(x)",
        "console.info(text)",
        'catalog = load("x")',
    ],
)
def test_the_checker_leaves_alone_what_is_harmless(harmless: str) -> None:
    assert faults(harmless) == []
