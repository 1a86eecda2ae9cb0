"""Terms against what feature losses leave behind: meshes, the grid of the input's pixels, specks.

They compare the output with the target, and ask for nothing where photographs have as much.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .terms import luma


class SpectrumLoss(nn.Module):
    """Energy of the output above a limit, at frequencies that the input cannot hold.

    Feature losses are content with any fine pattern, which people see as a mesh. It shows as more
    energy at a few frequencies than photographs have there. R, the output's energy over the
    target's, is taken at each frequency beyond the input's Nyquist limit, of windows that overlap
    by half (Hann), each relative to the detail that the target has there, and averaged over the
    batch. The loss is the mean of max(0, log(R / limit))²: it asks for nothing below the limit.
    At the frequencies of the pixel grid of the input, where a pattern is seen soonest, the limit is
    `grid` times that.
    """

    _WINDOW = 32  # pixels a side
    _LEAST_DETAIL = 2.5 / 255  # windows smoother than noise of this deviation count as having it
    _FAINT = 1e-3  # of the detail: less energy is none, so that 0 / 0 is 1
    _SOFT = 0.02  # added to ratio and limit, for the logarithm

    def __init__(self, scale: int, limit: float, grid: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.limit = limit
        self.grid = grid

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        ratio = self.energy_ratio(output, target)
        on_grid = self._on_grid(self._side(output)).to(ratio.device)
        limits = self.limit * torch.where(on_grid, self.grid, 1.0)
        above = torch.log((ratio + self._SOFT) / (limits + self._SOFT))
        loss: Tensor = torch.relu(above).square().mean()
        return loss

    def energy_ratio(self, output: Tensor, target: Tensor) -> Tensor:
        """R, a value for each frequency beyond the input's limit, in the order of `rfft2`.

        `models/artefacts.py` measures the same of luma.
        """
        side = self._side(output)
        got, wanted = self._energy(output, side), self._energy(target, side)
        hann = torch.hann_window(side, device=output.device).square().sum() ** 2
        detail = wanted.mean((1, 4), keepdim=True) + hann * self._LEAST_DETAIL**2
        ours, theirs = ((one / detail).mean((0, 1, 2, 3)) + self._FAINT for one in (got, wanted))
        return ours / theirs

    def _side(self, images: Tensor) -> int:
        height, width = images.shape[-2:]
        return min(self._WINDOW, height, width)

    def _energy(self, images: Tensor, side: int) -> Tensor:
        """Of N×3×H×W: N×3×rows×columns×frequencies, those above the limit of the input."""
        hann = torch.hann_window(side, device=images.device)
        step = max(1, side // 2)
        windows = images.float().unfold(2, side, step).unfold(3, side, step)
        windows = windows - windows.mean((-2, -1), keepdim=True)
        energy: Tensor = torch.fft.rfft2(windows * hann * hann[:, None]).abs().square()
        return energy[..., self._beyond(side).to(images.device)].contiguous()

    def _beyond(self, side: int) -> Tensor:
        """Rows×columns of a spectrum: whether the input cannot hold that frequency."""
        down, across = torch.fft.fftfreq(side).abs(), torch.fft.rfftfreq(side)
        # 1.5 bins more: the window widens what lies at the limit itself.
        beyond: Tensor = torch.maximum(down[:, None], across) > 0.5 / self.scale + 1.5 / side
        return beyond

    def _on_grid(self, side: int) -> Tensor:
        """Of the frequencies above the limit, whether they repeat with the input's pixels."""
        down, across = (
            (frequency - (frequency * self.scale).round() / self.scale).abs() < 1.5 / side
            for frequency in (torch.fft.fftfreq(side).abs(), torch.fft.rfftfreq(side))
        )
        both: Tensor = down[:, None] & across
        return both[self._beyond(side)]


class PhaseLoss(nn.Module):
    """How much the texture of the output depends on where within a pixel of the input it lies.

    A network that makes scale×scale pixels of each pixel of the input tends to draw more detail at
    some of these places (phases) than at others. People see a grid, although its sign changes with
    the picture, so that no frequency shows it. Photographs do not have it. log(d² + 1 code²) is
    averaged for each phase over windows of 15×15 pixels of the input, where d are the first and
    second differences of luma along rows and along columns; the spread is the variance of these
    means over the phases of a window, averaged over windows and differences. The loss is what the
    spread has above `limit` times that of the target.
    """

    _CELLS = 15  # a side of a window, in pixels of the input; the 16th is lost to the differences
    _CODE = 1 / 255

    def __init__(self, scale: int, limit: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.limit = limit

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return torch.relu(self.spread(output) - self.limit * self.spread(target))

    def spread(self, images: Tensor) -> Tensor:
        """One value for N×3×H×W, at least two pixels of the input a side.

        `models/grid.py` measures the same.
        """
        plane = luma(images.float())[:, None]
        spreads = [self._of(torch.diff(plane, n, dim)) for dim in (2, 3) for n in (1, 2)]
        return torch.stack(spreads).mean()

    def _of(self, differences: Tensor) -> Tensor:
        detail = torch.log(differences.square() + self._CODE**2)
        rows, columns = (side // self.scale for side in detail.shape[2:])
        whole = detail[:, :, : rows * self.scale, : columns * self.scale]
        phases = F.pixel_unshuffle(whole, self.scale)  # as channels
        means = F.avg_pool2d(phases, [min(self._CELLS, rows), min(self._CELLS, columns)])
        return means.var(1, correction=0).mean()


class ExcessLoss(nn.Module):
    """Detail of the output where the target has none nearby: specks beside edges, ringing, noise.

    The mean of max(0, |Δŷ| − a), where Δ is the Laplacian of four neighbours of each channel and a
    is the largest |Δy| of the target at most `reach` pixels away along each axis. So texture may
    lie elsewhere than in the target, but not where the target is smooth.
    """

    def __init__(self, reach: int = 2) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            window = 2 * self.reach + 1
            allowed = F.max_pool2d(laplacian(target).abs(), window, 1, self.reach)
        return torch.relu(laplacian(output).abs() - allowed).mean()


def laplacian(images: Tensor) -> Tensor:
    """Sum of the four neighbours less four times the pixel, of N×C×H×W; borders are repeated."""
    x = F.pad(images.float(), (1, 1, 1, 1), mode="replicate")
    across = x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    down = x[..., :-2, 1:-1] + x[..., 2:, 1:-1]
    return across + down - 4 * x[..., 1:-1, 1:-1]
