"""The order in which models are measured, when there may be no time for all."""

from __future__ import annotations

import json

from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.models.int8_form import form_problem
from framelift.runtime.models.zoo import shipped_models

# What the others are compared with comes first; then one of each network, then their variants.
_FIRST = ("realtime-small-x4", "realtime-medium-x4", "realtime-nano-x4", "realtime-small-x2")


def in_order() -> list[ModelSpec]:
    """The shipped models that a GPU runs."""
    specs = [read_spec(path) for path in shipped_models().values()]
    specs = [spec for spec in specs if form_problem(spec) is None]
    specs.sort(
        key=lambda spec: (len(spec.name), spec.name)
    )  # plain names are shorter than variants
    first = [spec for name in _FIRST for spec in specs if spec.name == name]
    networks = {_network(spec) for spec in first}
    others, variants = list[ModelSpec](), list[ModelSpec]()
    for spec in specs:
        if spec in first:
            continue
        (variants if _network(spec) in networks else others).append(spec)
        networks.add(_network(spec))
    return [*first, *others, *variants]


def _network(spec: ModelSpec) -> str:
    return json.dumps(spec.network, sort_keys=True)
