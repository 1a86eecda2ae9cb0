"""`framelift check`: why an ONNX model does not run on a target, found without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import onnx

from ...common.errors import BackendError, ModelError
from ...runtime.models.contract import damaged, parse, read
from ...runtime.models.digest import PREFIX
from ...runtime.models.tensors import all_nodes, all_tensors
from .finding import Finding
from .judges import Answer, ask, table_of, with_remedies
from .node_rules import tensorrt_problems
from .release_rules import release_problems
from .targets import TARGETS, has_tensorrt_rules, newer_than_known, target_window
from .typed_graph import TypedGraph
from .unfold import unfolded
from .validity import STANDARD, known_operators, numbers, shapes, withdrawn_operators

WEIGHTS = "framelift, which looked at its weights"
"""Who spoke of a target that would take the file, but whose results would be worthless."""


@dataclass(frozen=True)
class CheckReport:
    """What a model is and what was found; `findings` hold the problems of each target."""

    path: Path
    targets: tuple[str, ...]
    ir_version: int
    opsets: dict[str, int]
    nodes: int
    size_bytes: int
    external_bytes: int
    is_framelift: bool
    inputs: dict[str, str]
    outputs: dict[str, str]
    findings: tuple[Finding, ...]
    judges: dict[str, str]
    """Who spoke of each target: the tool itself where it is installed, else a table; or whoever
    looked at the weights, where they alone are the reason."""

    def runs_on(self, target: str) -> bool:
        """Whether nothing was found that keeps the target from running it."""
        return not any(f.is_error and target in f.targets for f in self.findings)

    def verdicts(self) -> dict[str, bool]:
        """`runs_on` of each target."""
        return {target: self.runs_on(target) for target in self.targets}

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {**asdict(self), "path": str(self.path), "runs_on": self.verdicts()}


def check_model(path: Path, targets: Sequence[str] = TARGETS) -> CheckReport:
    """Check the file against each target.

    Raises ModelError if it is no readable ONNX file, ConfigError for a target or version that is
    not known.
    """
    names = tuple(targets)
    for name in names:
        target_window(name)
    data = read(path)
    model = parse(path, data)
    try:
        return _report(path, model, len(data), names)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # Damage that protobuf reads: text that is no UTF-8, types and nodes that cannot be.
        raise damaged(path) from error


def _report(path: Path, model: onnx.ModelProto, size: int, names: tuple[str, ...]) -> CheckReport:
    external_bytes, findings = _external_data(path, model, names)
    sound = not findings
    try:
        flat = unfolded(model)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; export it without them") from error
    asked, judges = _ask(path, names) if sound else ({}, {name: table_of(name) for name in names})
    taking = tuple(name for name, answer in asked.items() if not answer.refusals)
    tables = _versions(flat, names) + known_operators(flat, names)
    findings += _overruled(tables + withdrawn_operators(flat, names), taking)
    weights = numbers(flat, names)
    findings += weights
    inferred, shape_findings = shapes(flat, names, taking)
    findings += shape_findings
    graph = TypedGraph(inferred)
    for target in names:
        findings += _of_target(graph, target, asked.get(target))
    return CheckReport(
        path=path,
        targets=names,
        ir_version=model.ir_version,
        opsets={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        nodes=sum(1 for _ in all_nodes(flat.graph)),
        size_bytes=size,
        external_bytes=external_bytes,
        is_framelift=any(entry.key == PREFIX + "format" for entry in model.metadata_props),
        inputs=_interface(model, model.graph.input),
        outputs=_interface(model, model.graph.output),
        findings=_merged(findings),
        judges=judges | dict.fromkeys(_refused_for(weights, findings), WEIGHTS),
    )


def _ask(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Answer], dict[str, str]]:
    """What the tools that are installed here say, and who speaks of each target."""
    asked: dict[str, Answer] = {}
    judges: dict[str, str] = {}
    for name in names:
        judges[name] = table_of(name)
        try:
            answer = ask(path, name)
        except BackendError as error:
            judges[name] += f" ({error})"
            continue
        if answer is not None:
            asked[name], judges[name] = answer, answer.judge
    return asked, judges


def _of_target(graph: TypedGraph, target: str, answer: Answer | None) -> list[Finding]:
    """What the target's own tool says of the nodes, else the table; its risks in any case."""
    is_tensorrt = has_tensorrt_rules(target)
    table = (tensorrt_problems if is_tensorrt else release_problems)(graph, target)
    if answer is None:
        return table
    risks = [found for found in table if not found.is_error]
    return with_remedies(answer.refusals, table) + risks


def _refused_for(weights: list[Finding], findings: list[Finding]) -> set[str]:
    """The targets that nothing but these findings stands against."""
    errors = [found for found in findings if found.is_error]
    others = {name for found in errors if found not in weights for name in found.targets}
    return {name for found in weights if found.is_error for name in found.targets} - others


def _overruled(tables: list[Finding], taking: tuple[str, ...]) -> Iterator[Finding]:
    """What tables hold against targets is a risk only where the tool itself takes the model."""
    for found in tables:
        risky = tuple(target for target in found.targets if target in taking)
        others = tuple(target for target in found.targets if target not in taking)
        if risky:
            yield replace(found, is_error=False, targets=risky)
        if others:
            yield replace(found, targets=others)


def _external_data(
    path: Path, model: onnx.ModelProto, targets: tuple[str, ...]
) -> tuple[int, list[Finding]]:
    """Size of the tensors kept in other files, and those that are missing or lie elsewhere."""
    total, findings = 0, []
    for tensor in all_tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        problem = _external_problem(path, entries)
        total += int(entries.get("length", 0) or 0)
        if problem is not None:
            findings.append(
                Finding(
                    True,
                    targets,
                    f"tensor {tensor.name}",
                    problem,
                    "keep the data beside the model, or save the model as one file",
                )
            )
    return total, findings


def _external_problem(path: Path, entries: dict[str, str]) -> str | None:
    location = entries.get("location", "")
    folder = path.resolve().parent
    inside = PurePosixPath(location.replace("\\", "/"))
    if not location or inside.is_absolute() or ".." in inside.parts or ":" in location:
        return f"its data lies at {location!r}, outside the model's folder"
    data = folder / inside
    if not data.resolve().is_relative_to(folder):
        return f"its data lies at {location!r}, a link that leaves the model's folder"
    if not data.is_file():
        return f"its data file {location!r} is missing"
    needed = int(entries.get("offset", 0) or 0) + int(entries.get("length", 0) or 0)
    if data.stat().st_size < needed:
        return f"its data file {location!r} is shorter than the model says"
    return None


def _versions(model: onnx.ModelProto, targets: tuple[str, ...]) -> list[Finding]:
    findings = []
    opset = next((e.version for e in model.opset_import if e.domain in STANDARD), None)
    for target in targets:
        window = target_window(target)
        if (newest := newer_than_known(target)) is not None:
            findings.append(
                Finding(
                    False,
                    (target,),
                    "model",
                    f"{window.tool} is newer than Framelift knows, up to {newest}",
                    "update framelift, or check with that release installed",
                )
            )
        if opset is not None and not window.admits(opset):
            near = min(max(opset, window.lowest), window.highest)
            findings.append(
                Finding(
                    True,
                    (target,),
                    "model",
                    f"opset {opset}: {window.tool} takes {window.lowest} to {window.highest}",
                    f"export at opset {near}",
                )
            )
        if window.highest_ir is not None and model.ir_version > window.highest_ir:
            findings.append(
                Finding(
                    True,
                    (target,),
                    "model",
                    f"IR version {model.ir_version}: {window.tool} reads up to {window.highest_ir}",
                    f"save with ir_version = {min(10, window.highest_ir)}",
                )
            )
    return findings


def _interface(model: onnx.ModelProto, values: Sequence[onnx.ValueInfoProto]) -> dict[str, str]:
    weights = {tensor.name for tensor in model.graph.initializer}
    shown = {}
    for value in values:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        dims = [dim.dim_param or str(dim.dim_value or "?") for dim in tensor.shape.dim]
        shown[value.name] = f"{kind} {'×'.join(dims)}"
    return shown


def _merged(findings: list[Finding]) -> tuple[Finding, ...]:
    """Equal findings of several targets as one, errors first."""
    targets: dict[tuple[Any, ...], list[str]] = {}
    for found in findings:
        key = (found.is_error, found.where, found.problem, found.remedy)
        kept = targets.setdefault(key, [])
        kept += [target for target in found.targets if target not in kept]
    merged = [
        Finding(key[0], tuple(names), key[1], key[2], key[3]) for key, names in targets.items()
    ]
    return tuple(sorted(merged, key=lambda found: not found.is_error))
