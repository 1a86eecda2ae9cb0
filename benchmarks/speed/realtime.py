"""The largest output that a model makes in real time: inference alone, and from file to file.

Outputs of 16:9 from 424×240 to 3840×2160 are tried, those that a search by halves asks for.
Inference alone holds a rate when at most 5 % of the calls take longer than one frame may. From file
to file (decoding, upscaling and encoding at once, start-up cancelled; see `video`) the frames per
second must reach it; what inference alone does not hold is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...common.errors import ConfigError, InputError
from ...common.libraries.opencv import load_cv2
from ...common.notes import Say, silent
from ...runtime import Upscaler
from ...runtime.models.zoo import resolve
from ...runtime.video.reading.file_source import FileSource
from ...runtime.video.writing.encoders import EncoderOptions
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import machine_warnings
from ..report.documents import Realtime
from ..report.model import describe_model, describe_runtime, new_document
from ..report.results import (
    FileToFile,
    Inference,
    RealtimeResults,
    RealtimeRow,
    TriedCalls,
    TriedFile,
)
from ..shared.frames import input_frames
from ..shared.settings import ANYWHERE, LatencySettings, Placement
from ..shared.statistics import summarise
from ..shared.timing import no_garbage_collection, repeat, time_ms, warm_up
from .video import run_pipeline, subtract

RATES = (24, 30, 60)
SIZES = (
    (424, 240),
    (640, 360),
    (848, 480),
    (960, 540),
    (1280, 720),
    (1600, 900),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
)

_MAX_LATE = 0.05
_CALLS = 20
_WARM_UP_SECONDS = 1.0
# What takes so many times the longest period is not called any longer.
_HOPELESS = 2.0
_SHORT, _LONG = 10, 50

Size = tuple[int, int]


def measure_realtime(
    models: Sequence[str | Path],
    video: Path | None = None,
    options: EncoderOptions | None = None,
    placement: Placement = ANYWHERE,
    *,
    seconds: float = 1.0,
    rates: Sequence[int] = RATES,
    sizes: Sequence[Size] = SIZES,
    progress: Say = silent,
) -> Realtime:
    """Find the largest outputs of `sizes` that hold `rates` and return the report.

    Each size is called for `seconds` at least. With `video`, its first frames, resized, are also
    taken from file to file, written as `options` say. Raises InputError, ModelError, BackendError,
    ConfigError, MissingDependencyError.
    """
    machine = describe_machine()
    monitor = Monitor(gpu=bool(machine.gpus))
    options = options or EncoderOptions()
    rows = []
    with TemporaryDirectory() as folder:
        clips = None if video is None else _Clips(video, Path(folder))
        for model in models:
            path = resolve(model)
            progress(f"real time of {path.stem}")
            with placement.load(path) as upscaler:
                rows.append(_measure(upscaler, clips, options, seconds, rates, sizes))
            monitor.sample()
    conditions = monitor.report()
    settings = {
        "rates": list(rates),
        "backend": placement.backend,
        "threads": placement.threads,
        "seconds": seconds,
        "file": video and video.name,
        "codec": video and options.codec_name,
    }
    warnings = machine_warnings(machine, conditions)
    results = RealtimeResults(models=rows, conditions=conditions)
    return new_document(Realtime, machine, settings, results, warnings)


def largest(sizes: Sequence[Size], holds: Callable[[Size], bool]) -> Size | None:
    """The last of the sizes (ascending) that holds, found by halves; None if the first does not."""
    low, high = 0, len(sizes)  # sizes[:low] hold, sizes[high:] do not
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(sizes[middle]) else (low, middle)
    return sizes[low - 1] if low else None


class _Trials:
    """What one model makes of each size, measured when it is first asked for."""

    def __init__(self, upscaler: Upscaler, seconds: float, rates: Sequence[int]) -> None:
        self._upscaler, self._seconds, self._rates = upscaler, seconds, rates
        self.calls: dict[Size, TriedCalls] = {}
        self.files: dict[Size, TriedFile] = {}

    def holds(self, size: Size, rate: int) -> bool:
        """Whether inference alone keeps up with `rate` frames per second."""
        if size not in self.calls:
            samples = np.array(self._call(size))
            late = {str(rate): float(np.mean(samples > 1000 / rate)) for rate in self._rates}
            self.calls[size] = TriedCalls(*size, late, summarise(list(samples)))
        return self.calls[size].late[str(rate)] <= _MAX_LATE

    def holds_files(self, size: Size, rate: int, clips: _Clips, options: EncoderOptions) -> bool:
        """The same from file to file."""
        if size not in self.files:
            clip = clips.of_size(self._input(size))
            short, long = (
                run_pipeline(self._upscaler, clip, n, options, reuse=False) for n in (_SHORT, _LONG)
            )
            self.files[size] = TriedFile(*size, subtract(short, long).fps)
        return (self.files[size].fps or 0.0) >= rate

    def _input(self, size: Size) -> Size:
        return size[0] // self._upscaler.scale, size[1] // self._upscaler.scale

    def _call(self, size: Size) -> list[float]:
        """ms of calls in turn on two frames; few of them where it is hopeless."""
        frames = input_frames(LatencySettings(*self._input(size)))
        out, turn = np.empty((size[1], size[0], 3), np.uint8), cycle(frames)

        def call() -> float:
            frame = next(turn)
            return time_ms(lambda: self._upscaler(frame, out=out))

        with no_garbage_collection():
            samples, _ = warm_up(call, _WARM_UP_SECONDS)
            if samples[-1] > 1000 * _HOPELESS / min(self._rates):
                return samples[1:]
            return [call() for _ in repeat(self._seconds, _CALLS)]


class _Clips:
    """The first frames of a video at other sizes, as files in a folder."""

    def __init__(self, video: Path, folder: Path) -> None:
        """Raises InputError."""
        self._folder = folder
        with FileSource(video, say=silent) as source:
            self._images = [frame.bgr.copy() for frame in islice(source, _LONG)]
        if not self._images:
            raise InputError(f"{video}: has no frames")

    def of_size(self, size: Size) -> Path:
        """A file of `_LONG` frames of that size; a shorter video is repeated."""
        path = self._folder / f"{size[0]}x{size[1]}.mp4"
        if not path.exists():
            self._write(path, size)
        return path

    def _write(self, path: Path, size: Size) -> None:
        import av

        cv2 = load_cv2()
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", 30, {"crf": "18", "preset": "veryfast"})
            stream.width, stream.height = size
            # An odd side cannot be halved.
            stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
            for image in islice(cycle(self._images), _LONG):
                resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(resized, format="bgr24")))
            container.mux(stream.encode())


def _measure(
    upscaler: Upscaler,
    clips: _Clips | None,
    options: EncoderOptions,
    seconds: float,
    rates: Sequence[int],
    sizes: Sequence[Size],
) -> RealtimeRow:
    fitting = [s for s in sizes if not s[0] % upscaler.scale and not s[1] % upscaler.scale]
    if not fitting:
        raise ConfigError(f"{upscaler.spec.name}: none of the sizes is a multiple of its scale")
    trials = _Trials(upscaler, seconds, rates)
    alone = {rate: largest(fitting, partial(trials.holds, rate=rate)) for rate in rates}
    whole: dict[int, Size | None] = {}
    if clips is not None:
        for rate, top in alone.items():
            held = partial(trials.holds_files, rate=rate, clips=clips, options=options)
            smaller = [] if top is None else fitting[fitting.index(top) :: -1]
            whole[rate] = next(filter(held, smaller), None)
    calls = [trials.calls[size] for size in sorted(trials.calls)]
    files = [trials.files[size] for size in sorted(trials.files)]
    return RealtimeRow(
        model=describe_model(upscaler.spec),
        runtime=describe_runtime(upscaler),
        inference=Inference(_by_rate(alone), calls),
        file_to_file=None if clips is None else FileToFile(_by_rate(whole), files),
    )


def _by_rate(largest_of: dict[int, Size | None]) -> dict[str, Size | None]:
    return {str(rate): size for rate, size in largest_of.items()}
