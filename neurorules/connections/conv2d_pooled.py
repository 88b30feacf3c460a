"""A convolution whose output current is pooled before the neurons, as in conv-pool-spike networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neurorules.connections._convolution import Convolution
from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged


@ranged("connection 'conv2d_pooled'")
@dataclass(frozen=True)
class Conv2dPooled(Convolution):
    """I = pool(K * s) over maps (C, H, W), with kernels K of shape (O, C, kernel, kernel).

    With max pooling, updates and backward values go to the position of the maximum (the first one if several are
    equal), as in torch's own derivative. If the presynaptic factor is a trace and not a spike, the maximum is that of
    the current that the trace would cause.

    Args:
        channels: number of maps O, >= 1.
        kernel: side of the square kernel, >= 1; odd for "same".
        stride: step between positions of the kernel, >= 1.
        padding: "same" (kernel // 2 zeros around), "valid" (none), or the width of the border of zeros.
        pool: side of the square windows, >= 1; rows and columns that do not fill a window are ignored.
        kind: "max" or "average".
    """

    pool: Count = 2
    kind: Literal["max", "average"] = "max"

    @property
    def linear(self) -> bool:  # type: ignore[override]
        """Whether the current is linear in the presynaptic activity, which it is for average pooling."""
        return self.kind == "average"

    def post_shape(self, pre: Shape) -> Shape:
        maps, *sides = super().post_shape(pre)
        if min(sides) < self.pool:
            raise UserError(f"a pool of side {self.pool} does not fit maps of {sides[0]}x{sides[1]}")
        return (maps, *(side // self.pool for side in sides))

    def fan_in(self, pre: Shape) -> int:
        return pre[0] * (self.kernel + (self.pool - 1) * self.stride) ** 2

    def current(self, w: Float[Tensor, "O C K K"], pre: Float[Tensor, "R C H W"]) -> Float[Tensor, "R O H_post W_post"]:
        whole = super().current(w, pre)
        if self.kind == "average":
            return functional.avg_pool2d(whole, self.pool)
        return functional.max_pool2d(whole, self.pool)

    def correlate(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "O C K K"]:
        return super().correlate(w, self._spread(w, post, pre), pre)

    def transpose(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Shape
    ) -> Float[Tensor, "R C H W"]:
        return self.carry(w, post, post.new_zeros(post.shape[0], *pre))

    def carry(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "R C H W"]:
        return super().transpose(w, self._spread(w, post, pre), tuple(pre.shape[1:]))

    def _spread(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "R O H_conv W_conv"]:
        """Distribute values of pooled positions to the positions of the convolution."""
        maps, high, wide = super().post_shape(tuple(pre.shape[1:]))
        spread = post.new_zeros(post.shape[0], maps, high, wide)
        if self.kind == "average":
            rows, columns = post.shape[2] * self.pool, post.shape[3] * self.pool
            each = post.repeat_interleave(self.pool, 2).repeat_interleave(self.pool, 3)
            spread[:, :, :rows, :columns] = each / self.pool**2
            return spread
        whole = super().current(w, pre)
        held = functional.max_pool2d(whole, self.pool, return_indices=True)[1]
        flat = spread.flatten(2)
        flat.scatter_(2, held.flatten(2), post.flatten(2))
        return flat.reshape(spread.shape)


ENTRY = Conv2dPooled
