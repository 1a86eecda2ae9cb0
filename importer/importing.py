"""Anyone's ONNX file to a framelift model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from ..common.errors import ConfigError, ModelError
from ..common.files import atomic_output, check_model_target
from ..common.notes import Say, say_on_stderr
from ..common.text import counted
from ..export.graph.contract import apply_frame_contract
from ..export.reach.activation import measured_activation_bytes
from ..export.reach.halo import graph_halo
from ..export.reach.measured import Measured, Reach, measure_reach, tiles_agree
from ..export.reach.whole_frame import why_whole
from ..runtime.models.digest import seal
from ..runtime.models.file import WHOLE_FRAME, read_spec
from .checks import judge_half_precision, note_refusing_targets, require_parity
from .inspection.convention import RANGES
from .inspection.foreign import Foreign, opset_of, read_foreign
from .inspection.session import FileSession, Reading
from .inspection.sizes import probe_sizes
from .inspection.trying import find_aligned_frame, find_convention
from .metadata import metadata
from .outcome import Imported, ImportOptions
from .rewriting.adapt import as_core
from .rewriting.opset import settled

_USUAL_WINDOW = 5
_EXACT_HALO = 64
"""Up to here the reach by the graph, which is exact, is taken instead of the one measured."""


def import_model(
    source: Path, target: Path, options: ImportOptions | None = None, say: Say = say_on_stderr
) -> Imported:
    """Make of the ONNX file `source` a framelift model at `target`, proven to compute the same.

    `say` is given one line about each thing worth knowing.

    Raises:
        ModelError: `source` cannot be read, run or understood.
        ConfigError: an option makes no sense for it.
        ExportError: the result is not the file.
        OutputError: `target` cannot be written.
        MissingDependencyError: no inference engine is installed.
    """
    options = options or ImportOptions()
    check_model_target(target, overwrite=options.overwrite, source=source)
    foreign = read_foreign(source)
    return _Import(foreign, options, say).write(target)


class _Import:
    def __init__(self, foreign: Foreign, options: ImportOptions, say: Say) -> None:
        self._foreign = foreign
        self._options = options
        self._say = say
        self._window = self._choose_window()
        taken = self._taken = probe_sizes(foreign, self._window)
        session = self._session = FileSession(foreign, self._window, taken.border)
        found = find_convention(
            foreign,
            session,
            taken,
            span=RANGES[options.span] if options.span else None,
            order=options.order,
        )
        self._convention, self._order_assumed = found.convention, found.order_assumed
        notes = found.notes
        self._picture, self._aligned = self._window // 2 if taken.pictures > 1 else 0, 0
        if self._window > 1:
            self._aligned, more = find_aligned_frame(session, taken, found.convention)
            notes += more
        self._reading = Reading(session, found.convention, self._picture)
        for note in notes:
            say(f"{foreign.path.name}: {note}")

    def write(self, target: Path) -> Imported:
        """Wrap, prove and write it."""
        foreign, taken = self._foreign, self._taken
        measured = Measured(self._reading.values, taken.scale, taken.sizes(), self._window)
        reach = measure_reach(measured)
        model = self._wrapped()
        opset = opset_of(model)
        parity = require_parity(model, self._reading, taken, self._window, foreign.precision)
        peak = None
        if foreign.precision == "fp16":
            peak, problem = judge_half_precision(model, self._reading, taken, self._window)
            if problem:
                self._say(f"{foreign.path.name}: {problem}; CPUs compute it in float32")
        halo = self._halo(model, reach)
        if halo < WHOLE_FRAME and not tiles_agree(measured, Reach(halo, reach.multiple)):
            halo = WHOLE_FRAME
        imported = Imported(
            path=target,
            scale=taken.scale,
            convention=self._convention,
            order_assumed=self._order_assumed,
            halo=halo,
            size_multiple=reach.multiple,
            minimum_side=taken.minimum,
            window=self._window,
            lookahead=self._window - 1 - self._aligned if self._window > 1 else 0,
            parity=parity,
            peak=peak,
            activation_bytes=measured_activation_bytes(model, taken.sizes(), self._window),
        )
        with atomic_output(
            target, overwrite=self._options.overwrite, source=foreign.path
        ) as temporary:
            self._store(model, imported, temporary)
            read_spec(temporary)  # what cannot be read back is not written
        if imported.halo >= WHOLE_FRAME:
            self._say(f"{foreign.path.name}: {self._why_whole(model)}")
        note_refusing_targets(model, opset, lambda line: self._say(f"{target.name}: {line}"))
        return imported

    def _choose_window(self) -> int:
        stated, asked = self._foreign.window, self._options.window
        if stated is not None:
            if asked not in (None, stated):
                frames = counted(stated, "frame")
                raise ConfigError(
                    f"{self._foreign.path} takes {frames} at once, not {asked}: leave the window "
                    "out"
                )
            return stated
        if asked is None:
            self._say(
                f"{self._foreign.path.name}: takes sequences of any length: {_USUAL_WINDOW} frames "
                "at once; --window N for another number"
            )
        return asked or _USUAL_WINDOW

    def _wrapped(self) -> onnx.ModelProto:
        taken, window = self._taken, self._window
        core = as_core(
            replace(self._foreign, model=settled(self._foreign)),
            self._convention,
            taken.scale,
            window=window,
            picture=self._picture,
            output_shape=self._session.output_shape,
            border=taken.border,
        )
        batch = None if window == 1 and self._session.runs_batches(*taken.given) else 1
        return apply_frame_contract(
            core, taken.scale, (batch, taken.height, taken.width), window=window, strict=False
        )

    def _halo(self, model: onnx.ModelProto, reach: Reach) -> int:
        """By the graph where that shows it, is near and agrees with what was measured."""
        exact = None
        if self._window == 1 and reach.halo is not None:
            exact = graph_halo(model, self._taken.scale, reach.multiple)
        if reach.halo is None:
            return WHOLE_FRAME
        if exact is not None and reach.halo <= exact <= _EXACT_HALO:
            return exact
        return reach.halo

    def _why_whole(self, model: onnx.ModelProto) -> str:
        tiles = (
            "tiles of its fixed size may show seams"
            if self._taken.is_fixed
            else "it is never run in tiles"
        )
        return f"{why_whole(model)}: {tiles}"

    def _store(self, model: onnx.ModelProto, imported: Imported, path: Path) -> None:
        onnx.helper.set_model_props(model, metadata(self._foreign, self._options, imported, model))
        seal(model)
        try:
            path.write_bytes(model.SerializeToString(deterministic=True))
        except ValueError as error:  # protobuf's limit
            raise ModelError(
                f"{self._foreign.path}: is larger than the 2 GB that one ONNX file can hold"
            ) from error
