"""Checks a model against ONNX's own rules, which hold for every target."""

from __future__ import annotations

import onnx

from ...common.text import one_line
from ...runtime.models.tensors import all_nodes, all_tensors, not_finite
from .facts import facts
from .finding import Finding, label

STANDARD = ("", "ai.onnx")
ONNXRUNTIME_DOMAINS = (*STANDARD, "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")

# What took the place of operators that ONNX withdrew, and since which opset.
_SUCCESSORS = {
    "GroupNormalization": "export at opset 21 or later, where its form is different",
    "Scatter": "export with ScatterElements",
    "Upsample": "export with Resize",
}


def known_operators(model: onnx.ModelProto, targets: tuple[str, ...]) -> list[Finding]:
    """Operators that ONNX does not have at the model's opset, or that are of other domains."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    local = {(function.domain, function.name) for function in model.functions}
    findings = []
    for node in all_nodes(model.graph):
        if (node.domain, node.op_type) in local:
            findings.append(
                Finding(
                    False,
                    targets,
                    label(node),
                    "a function of another opset, not looked into",
                    "export the functions at the model's own opset",
                )
            )
        elif node.domain in STANDARD:
            version = opsets.get("", opsets.get("ai.onnx"))
            if not _exists(node, version):
                findings.append(
                    Finding(
                        True,
                        targets,
                        label(node),
                        f"ONNX has no {node.op_type} at opset {version}",
                        "export again with the opset that has it",
                    )
                )
        else:
            refusing = tuple(
                target
                for target in targets
                if "tensorrt" in target or node.domain not in ONNXRUNTIME_DOMAINS
            )
            if refusing:
                findings.append(
                    Finding(
                        True,
                        refusing,
                        label(node),
                        f"{node.domain}.{node.op_type} is not a standard ONNX operator",
                        "export with standard operators, without the runtime's own optimisation",
                    )
                )
    return findings


def withdrawn_operators(model: onnx.ModelProto, targets: tuple[str, ...]) -> list[Finding]:
    """Operators that ONNX's checker refuses as withdrawn, but that some engines still run."""
    version = _opset(model)
    findings = []
    for node in all_nodes(model.graph):
        if not is_withdrawn(node, version):
            continue
        still = facts().onnxruntime.runs_withdrawn
        for target in targets:
            runs = "tensorrt" in target or node.op_type in still
            findings.append(
                Finding(
                    not runs,
                    (target,),
                    label(node),
                    f"ONNX withdrew the {node.op_type} of opset {version}; "
                    + ("it still runs, but not everywhere" if runs else "it is not run"),
                    _SUCCESSORS.get(node.op_type, "export at another opset"),
                )
            )
    return findings


def is_withdrawn(node: onnx.NodeProto, version: int | None) -> bool:
    """Whether a standard operator is marked as deprecated at an opset."""
    if node.domain not in STANDARD or not _exists(node, version):
        return False
    assert version is not None
    newest = min(version, onnx.defs.onnx_opset_version())
    return bool(onnx.defs.get_schema(node.op_type, newest).deprecated)


def shapes(
    model: onnx.ModelProto, targets: tuple[str, ...], loading: tuple[str, ...] = ()
) -> tuple[onnx.ModelProto, list[Finding]]:
    """The model with types and shapes, as far as they can be inferred, and why not farther.

    For targets that were seen to be `loading` it, what ONNX has against it is a risk only.
    """
    version = _opset(model)
    whole = not any(t.data_location == onnx.TensorProto.EXTERNAL for t in all_tensors(model))
    withdrawn = any(is_withdrawn(node, version) for node in all_nodes(model.graph))
    try:
        inferred = onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
        if whole and not withdrawn:  # those it would refuse, and say no more
            onnx.checker.check_model(inferred, full_check=True)
    except Exception as error:  # ValidationError, InferenceError and bare RuntimeErrors
        strict = tuple(target for target in targets if target not in loading)
        findings = [
            Finding(
                is_error,
                names,
                "model",
                f"is not valid ONNX: {one_line(error, 300)}",
                "export it again; the node named is the first that does not fit",
            )
            for is_error, names in ((True, strict), (False, loading))
            if names
        ]
        try:
            return onnx.shape_inference.infer_shapes(model), findings
        except Exception:
            return model, findings
    return inferred, []


def numbers(model: onnx.ModelProto, targets: tuple[str, ...]) -> list[Finding]:
    """Weights with which every picture would be black or noise."""
    findings = []
    for tensor in all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        where = f"tensor {tensor.name}"
        try:
            found = not_finite(tensor)
        except ValueError as error:
            problem = str(error).removeprefix(f"tensor {tensor.name!r}: ")
            findings.append(Finding(True, targets, where, problem, "export or copy it again"))
            continue
        if found == "NaN":
            findings.append(
                Finding(
                    True,
                    targets,
                    where,
                    "contains NaN, so every result would be NaN",
                    "export it again, from a checkpoint that is sound",
                )
            )
        elif found is not None:  # masks do on purpose
            findings.append(
                Finding(
                    False,
                    targets,
                    where,
                    f"contains {found}",
                    "look whether that is meant, as it is in a mask",
                )
            )
    return findings


def _exists(node: onnx.NodeProto, version: int | None) -> bool:
    newest = onnx.defs.onnx_opset_version()
    return version is not None and onnx.defs.has(
        node.op_type, max_inclusive_version=min(version, newest)
    )


def _opset(model: onnx.ModelProto) -> int | None:
    return next((e.version for e in model.opset_import if e.domain in STANDARD), None)
