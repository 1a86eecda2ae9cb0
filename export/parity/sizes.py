"""What frames a model takes."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.errors import ExportError


@dataclass(frozen=True)
class Sizes:
    """What frames the model takes: None is any batch, or any height and width that are multiples
    of `multiple` and at least `minimum`.
    """

    batch: int | None = None
    height: int | None = None
    width: int | None = None
    multiple: int = 1
    minimum: int = 1

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and (side % self.multiple or side < self.minimum):
                near = max(side, self.minimum)
                near += -near % self.multiple
                raise ExportError(
                    f"{name} {side}: this network takes multiples of {self.multiple} from "
                    f"{self.minimum} up; the nearest above is {near}"
                )

    @property
    def shape(self) -> tuple[int | None, int | None, int | None]:
        """(N, H, W), None where dynamic."""
        return self.batch, self.height, self.width
