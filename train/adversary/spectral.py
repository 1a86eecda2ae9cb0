"""Convolutions whose kernels have spectral norm 1 (Miyato et al. 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FIRST_ITERATIONS = 10


class SpectralConv2d(nn.Conv2d):
    """A convolution whose kernel, as a matrix of outputs × the rest, is divided by its largest
    singular value, found by power iteration.

    PyTorch's own parametrisation iterates in every forward pass in training mode, and multiplies in
    half precision under autocast. Here `iterate` is called once before each update of the
    discriminator, so that no other pass changes anything, and the norm is float32.
    """

    u: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, side, stride, padding=1)
        self.register_buffer("u", F.normalize(torch.randn(outputs), dim=0))
        for _ in range(_FIRST_ITERATIONS):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """One step of the power iteration."""
        matrix = self.weight.flatten(1)
        self.u.copy_(F.normalize(matrix @ F.normalize(self.u @ matrix, dim=0), dim=0))

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            matrix = self.weight.flatten(1)
            with torch.no_grad():
                v = F.normalize(self.u @ matrix, dim=0)
            kernel = self.weight / torch.dot(self.u, matrix @ v)
        features: Tensor = self._conv_forward(images, kernel, self.bias)
        return features
