"""Lines of values as maps of one row, so that convolutions over lines are convolutions over maps."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.transform import Shape, Transform
from neurorules.language.errors import UserError


@dataclass(frozen=True)
class OneRow(Transform):
    """Rows (R, C, L) become (R, C, 1, L); so do rows (R, 1, C, L), as data sets hold lines: pictures without colour."""

    linear = True
    by_neuron = True

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 2 and (len(pre) != 3 or pre[0] != 1):
            raise UserError(f"a convolution over lines reads (channels, length) and gets shape {pre}. Use it on lines")
        return (pre[-2], 1, pre[-1])

    def forward(self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None) -> Float[Tensor, "R C 1 L"]:
        return rows.reshape(len(rows), *self.post_shape(tuple(rows.shape[1:])))

    def adjoint(
        self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None, gradient: Float[Tensor, "R C 1 L"]
    ) -> Float[Tensor, "R *pre"]:
        return gradient.reshape(rows.shape)
