"""Asks the tools themselves, where they are installed, whether they take a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.errors import MissingDependencyError
from ...common.text import one_line
from ...runtime.ort.library import load_onnxruntime
from ...runtime.tensorrt.ask import ask_parser
from ...runtime.tensorrt.bindings.rtx import rtx_problem
from ...runtime.tensorrt.parse import ParserProblem
from .finding import Finding
from .node_rules import REMEDIES
from .targets import RTX, has_tensorrt_rules, installed_rtx

ONNXRUNTIME = "onnxruntime"

_REMEDIES = {
    "CRASH": "export it again with standard operators",
    "MODEL_DESERIALIZE_FAILED": "export it again: the file is damaged",
    "UNSUPPORTED_NODE": "export with other operators",
}
_OTHERWISE = "export it as the message asks, or for another target"


@dataclass(frozen=True)
class Answer:
    """A tool that was asked, by name and version, and what it holds against the model."""

    judge: str
    refusals: tuple[Finding, ...]


def table_of(target: str) -> str:
    """What speaks of a target that cannot be asked here."""
    is_tensorrt = has_tensorrt_rules(target)
    return "framelift's table of " + ("TensorRT's operators" if is_tensorrt else "releases")


def ask(path: Path, target: str) -> Answer | None:
    """What the target's own tool says of the file; None where it is not installed.

    A named version is asked only if it is the installed one. Nothing of the model is executed.
    Raises BackendError if the tool is installed and cannot be loaded.
    """
    if target == ONNXRUNTIME:
        return _onnxruntime(path)
    if _is_installed_rtx(target):
        return _parser(path, target)
    return None


def with_remedies(refusals: Sequence[Finding], table: Sequence[Finding]) -> list[Finding]:
    """The tool's refusals, with the remedies that the table knows for the same nodes."""
    known = {found.where: found.remedy for found in table if found.is_error}
    return [replace(found, remedy=known.get(found.where, found.remedy)) for found in refusals]


def _is_installed_rtx(target: str) -> bool:
    name, _, version = target.partition("==")
    if name != RTX or rtx_problem() is not None:
        return False
    return not version or f"{installed_rtx()}.".startswith(f"{version}.")


def _parser(path: Path, target: str) -> Answer:
    answer = ask_parser(path)
    refusals = tuple(
        Finding(True, (target,), _where(problem), problem.reason(), _remedy(problem))
        for problem in answer.problems
    )
    return Answer(f"NVIDIA's parser ({answer.library})", refusals)


def _where(problem: ParserProblem) -> str:
    return f"{problem.operator} {problem.node!r}" if problem.operator else "model"


def _remedy(problem: ParserProblem) -> str:
    return REMEDIES.get(problem.operator) or _REMEDIES.get(problem.code, _OTHERWISE)


def _onnxruntime(path: Path) -> Answer | None:
    """Whether the installed ONNX Runtime builds a session of it."""
    try:
        onnxruntime = load_onnxruntime()
    except MissingDependencyError:
        return None
    judge = f"ONNX Runtime {onnxruntime.__version__}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types share no public base
        refusal = Finding(
            True,
            (ONNXRUNTIME,),
            "model",
            f"{judge} refuses it: {one_line(error, 300)}",
            "replace the operator named, or use another release",
        )
        return Answer(judge, (refusal,))
    return Answer(judge, ())
