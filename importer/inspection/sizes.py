"""Which input sizes a file takes, and its scale, found by running it."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.errors import ModelError
from ...export.parity.sizes import Sizes
from .foreign import COLOUR_CHANNELS, Foreign
from .prober import Prober
from .session import no_pictures, picture_shape

# Sides to begin with: small, and multiples of what networks divide sides by.
_SCALES = (1, 2, 3, 4, 8)
_BASES = (64, 48, 96, 120, 128, 168, 224, 256, 32, 512)


@dataclass(frozen=True)
class Taken:
    """`height` and `width` are fixed ones, None for any multiple of `multiple` from `minimum` up.

    `pictures` come out at once, `base` is a height and width that work. A file that gives less than
    a whole multiple, since it does not fill up borders, gets frames with `border` pixels more on
    each side, their edges repeated; sizes are those without.
    """

    scale: int
    multiple: int
    minimum: int
    height: int | None
    width: int | None
    pictures: int
    base: tuple[int, int]
    border: int = 0

    def sizes(self, batch: int | None = 1) -> Sizes:
        """As exports state them."""
        return Sizes(batch, self.height, self.width, self.multiple, self.minimum)

    @property
    def given(self) -> tuple[int, int]:
        """The height and width that the file gets for the base."""
        return self.base[0] + 2 * self.border, self.base[1] + 2 * self.border

    @property
    def is_fixed(self) -> bool:
        """Whether either side is fixed."""
        return self.height is not None or self.width is not None


def probe_sizes(foreign: Foreign, window: int) -> Taken:
    """Run the file on noise of many sizes.

    Raises ModelError if it runs at none of them, or gives no pictures of a whole multiple of their
    size with as many channels.
    """
    with Prober(foreign, window) as prober:
        trial = _Trial(foreign, prober, window)
        base = trial.first_base()
        scale, pictures = trial.require(*base)
        height, width, border = foreign.height, foreign.width, trial.border
        if height is not None and width is not None:
            return Taken(scale, 1, 1, *base, pictures, base, border)
        free = base[0] if height is None else base[1]
        multiple = trial.multiple(free)
        if multiple is None:  # sizes that the interface leaves open, but the graph has fixed
            return Taken(scale, 1, 1, *base, pictures, base, border)
        minimum = trial.minimum(free, multiple)
        return Taken(scale, multiple, minimum, height, width, pictures, base, border)


class _Trial:
    def __init__(self, foreign: Foreign, prober: Prober, window: int) -> None:
        self._foreign = foreign
        self._prober = prober
        self._window = window
        self.border = 0
        self._known: dict[tuple[int, int], tuple[int, int] | str] = {}

    def first_base(self) -> tuple[int, int]:
        """A size at which it runs."""
        height, width = self._foreign.height, self._foreign.width
        if height is not None and width is not None:
            self._find_border(height, width, [(height, width)])
            return height - 2 * self.border, width - 2 * self.border
        for side in _BASES:
            size = height or side, width or side
            if self.works(*size):
                return size
        for side in _BASES if height is None and width is None else ():
            if self._find_border(side, side, [(side, side), (2 * side, 2 * side)]):
                return side, side
        size = height or _BASES[0], width or _BASES[0]
        raise ModelError(
            f"{self._foreign.path}: runs at none of the sizes tried ({', '.join(map(str, _BASES))})"
            f"; at {size[1]}×{size[0]}: {self._result(*size)}"
        )

    def _find_border(self, height: int, width: int, sizes: list[tuple[int, int]]) -> bool:
        """Whether outputs of these sizes lack the same border of whole pixels; sets it."""
        for scale in _SCALES:
            lacks = set()
            for high, wide in sizes:
                shape = self._prober.output_shape(high, wide)
                if isinstance(shape, str):
                    return False
                lacks |= {scale * high - shape[-2], scale * wide - shape[-1]}
            lack = lacks.pop()
            border, rest = divmod(lack, 2 * scale)
            if not lacks and not rest and 0 < border < min(height, width) // 4:
                self.border = border
                self._known.clear()
                return True
        return False

    def works(self, height: int, width: int) -> bool:
        """Whether it runs at that size and gives whole multiples of it."""
        return not isinstance(self._result(height, width), str)

    def require(self, height: int, width: int) -> tuple[int, int]:
        """Scale and number of pictures at a size, or ModelError."""
        result = self._result(height, width)
        if isinstance(result, str):
            raise ModelError(f"{self._foreign.path}: at {width}×{height}: {result}")
        return result

    def multiple(self, base: int) -> int | None:
        """What free sides must be multiples of; None if it runs at the base alone."""
        divisors = [m for m in range(1, base) if base % m == 0]
        for m in divisors:
            if self._free(base + m, base + 2 * m) and self._free(base + 3 * m, base + m):
                return m
        return None

    def minimum(self, base: int, multiple: int) -> int:
        """The least free side from which on it runs, a multiple of `multiple`."""
        works, fails = base // multiple, 0
        while works - fails > 1:
            middle = (works + fails) // 2
            if self._free(middle * multiple, middle * multiple):
                works = middle
            else:
                fails = middle
        return works * multiple

    def _free(self, height: int, width: int) -> bool:
        return self.works(self._foreign.height or height, self._foreign.width or width)

    def _result(self, height: int, width: int) -> tuple[int, int] | str:
        """Scale and number of pictures, or what is wrong."""
        size = (height, width)
        if size not in self._known:
            self._known[size] = self._run(height, width)
        return self._known[size]

    def _run(self, height: int, width: int) -> tuple[int, int] | str:
        more = 2 * self.border
        shape = self._prober.output_shape(height + more, width + more)
        if isinstance(shape, str):
            return shape
        picture = picture_shape(shape, self._window)
        if picture is None:
            return no_pictures(shape)
        pictures, channels, high, wide = picture
        scale = high // height
        if scale < 1 or (high, wide) != (scale * height, scale * width):
            return f"returns {wide}×{high}, which is not a whole multiple of its input"
        if channels != self._foreign.channels:
            raise ModelError(
                f"{self._foreign.path}: takes {_named(self._foreign.channels)} and gives "
                f"{_named(channels)}; only models that return what they take can be imported"
            )
        if pictures not in (1, self._window):
            return f"returns {pictures} pictures for {self._window} frames"
        return scale, pictures


def _named(channels: int) -> str:
    kind = COLOUR_CHANNELS.get(channels)
    return f"{channels} channels" + (f" ({kind})" if kind else "")
