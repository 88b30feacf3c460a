"""The scans as Triton kernels, each in one pass over a GPU's memory; `triton_launch` passes the tensors.

A program runs a block of neurons through all steps, its state in registers. Operations are in the order of `reference`,
and the launches forbid fused multiply-adds, so that sums, products and comparisons are those of plain torch. A
parameter's `PART` says how it is stored: 0 not at all, 1 one number for all neurons, 2 one per neuron.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .contract import PsiShape, Reset, Total

ZERO = tl.constexpr(int(Reset.ZERO))
SUBTRACT = tl.constexpr(int(Reset.SUBTRACT))
FLAT = tl.constexpr(int(PsiShape.FLAT))
BOXCAR = tl.constexpr(int(PsiShape.BOXCAR))
TRIANGLE = tl.constexpr(int(PsiShape.TRIANGLE))
FAST_SIGMOID = tl.constexpr(int(PsiShape.FAST_SIGMOID))
POSITIVE = tl.constexpr(int(PsiShape.POSITIVE))
POSITIVE_V = tl.constexpr(int(Total.POSITIVE_V))


@triton.jit
@no_type_check  # Triton reads the source text
def block_of_neurons(size, neurons_a_row, BLOCK: tl.constexpr):
    """The neurons that this program runs: their positions in the plane of all rows, a mask of those that exist, and
    their positions in a row.

    Args:
        size: number of neurons of all rows, B x N.
        neurons_a_row: N.
        BLOCK: the number of neurons of a program.
    """
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    at = tl.where(inside, at, 0)
    return at, inside, at % neurons_a_row


@triton.jit
@no_type_check  # Triton reads the source text
def spread(values, neurons, PART: tl.constexpr):
    """A parameter of a block of neurons: one number for each neuron, or a number that all share.

    Args:
        values: address of the parameter.
        neurons: the positions of the block's neurons in their row.
        PART: how the parameter is stored, 1 or 2.
    """
    return tl.load(values + neurons) if PART == 2 else tl.load(values)


@triton.jit
@no_type_check  # Triton reads the source text
def surrogate_height(v, threshold, PSI: tl.constexpr, SLOPE: tl.constexpr):
    """The height h of a surrogate derivative: `reference.surrogate` without its scale.

    Args:
        v: membranes of the block.
        threshold: their thresholds.
        PSI: a `PsiShape` other than FLAT.
        SLOPE: the slope of the surrogate.
    """
    z = SLOPE * (v - threshold)
    size = tl.abs(z)
    if PSI == BOXCAR:
        return (size <= 1.0).to(v.dtype)
    elif PSI == TRIANGLE:
        return tl.where(1.0 - size < 0.0, 0.0, 1.0 - size).to(v.dtype)
    elif PSI == FAST_SIGMOID:
        return 1.0 / ((1.0 + size) * (1.0 + size))
    elif PSI == POSITIVE:
        return (v > 0.0).to(v.dtype)
    else:
        return 1.0 / (1.0 + z * z)


@triton.jit
@no_type_check  # Triton reads the source text
def summed_height(v, threshold, TOTAL: tl.constexpr, PSI: tl.constexpr, SLOPE: tl.constexpr):
    """The value that a total sums at each step: max(v, 0), or the primitive of the surrogate's shape.

    Args:
        v: membranes of the block.
        threshold: their thresholds.
        TOTAL: a `Total`.
        PSI: a `PsiShape` that has a primitive.
        SLOPE: the slope of the surrogate.
    """
    z = SLOPE * (v - threshold)
    low = tl.where(z < -1.0, -1.0, z).to(v.dtype)
    y = tl.where(low > 1.0, 1.0, low).to(v.dtype)
    if TOTAL == POSITIVE_V:
        return tl.where(v < 0.0, 0.0, v).to(v.dtype)
    elif PSI == FAST_SIGMOID:
        return z / (1.0 + tl.abs(z))
    elif PSI == BOXCAR:
        return y
    else:
        return y - y * tl.abs(y) / 2.0


@triton.jit
@no_type_check  # Triton reads the source text
def advance(membrane, drive, decay, edge, RESET: tl.constexpr, DELAY: tl.constexpr):
    """One step, `reference._step`: membranes before the reset, spikes, and membranes left behind.

    Args:
        membrane: the membrane after the previous step.
        drive: the current of this step.
        decay, edge: beta and threshold.
        RESET: a `Reset`.
        DELAY: whether the reset comes a step later.
    """
    late = (membrane > edge).to(drive.dtype)
    before = (1.0 - late) * membrane if RESET == ZERO else membrane
    potential = decay * before + drive
    if RESET == SUBTRACT:
        potential = potential - late * edge
    fired = (potential > edge).to(drive.dtype)
    after = potential
    if not DELAY:
        if RESET == SUBTRACT:
            after = potential - (fired - late) * edge
        elif RESET == ZERO:
            after = potential - (fired - late) * potential
    return potential, fired, after


@triton.jit
@no_type_check  # Triton reads the source text
def weighed(gradient, v, edge, PSI: tl.constexpr, SLOPE: tl.constexpr, SCALE: tl.constexpr):
    """A gradient times psi of the membranes, `reference._weighed`.

    Args:
        gradient: the gradients of the block.
        v: address of the membranes; not read for FLAT.
        edge: thresholds.
        PSI: a `PsiShape`.
        SLOPE, SCALE: slope and scale of the surrogate.
    """
    if PSI == FLAT:
        return gradient * SCALE
    else:
        return gradient * (SCALE * surrogate_height(tl.load(v), edge, PSI, SLOPE))


@triton.jit
@no_type_check  # Triton reads the source text
def scan_kernel(
    current, beta, threshold, u0, shift, mean, gain, bias,
    spikes, v, u, spike_total, total, current_sum, square_sum,
    steps, size, neurons_a_row,
    CONSTANT: tl.constexpr, BETA: tl.constexpr, THRESHOLD: tl.constexpr, U0: tl.constexpr,
    SHIFT: tl.constexpr, GAIN: tl.constexpr, MEAN: tl.constexpr, BIAS: tl.constexpr,
    SPIKES: tl.constexpr, V: tl.constexpr, SPIKE_TOTAL: tl.constexpr, TOTAL: tl.constexpr, MOMENTS: tl.constexpr,
    RESET: tl.constexpr, DELAY: tl.constexpr, PSI: tl.constexpr, SLOPE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`reference.scan` of a block of neurons of all rows, laid flat.

    Args:
        current, ..., bias: addresses of the inputs (`ScanInputs`); any address for one that is missing.
        spikes, ..., square_sum: addresses of the outputs (`Scan`), likewise.
        steps, size, neurons_a_row: T, B x N, and N.
        CONSTANT, ..., BLOCK: which inputs there are, how they are stored, and which outputs are computed.
    """
    at, inside, neurons = block_of_neurons(size, neurons_a_row, BLOCK)
    decay, edge = spread(beta, neurons, BETA), spread(threshold, neurons, THRESHOLD)
    here = tl.load(current + at)
    nothing = tl.full((BLOCK,), 0.0, here.dtype)
    membrane = tl.load(u0 + at) if U0 else nothing
    if SHIFT:
        shifted = spread(shift, neurons, SHIFT)
    if GAIN:
        centre, factor = spread(mean, neurons, MEAN), spread(gain, neurons, GAIN)
    if BIAS:
        offset = spread(bias, neurons, BIAS)
    fired_sum, summed, given_sum, given_square = nothing, nothing, nothing, nothing
    for t in range(steps):
        place = at + t * size
        drive = here if CONSTANT else tl.load(current + place)
        if SHIFT:
            drive = drive - shifted
        if MOMENTS:
            given_sum = given_sum + drive
            given_square = given_square + drive * drive
        if GAIN:
            drive = (drive - centre) * factor
        if BIAS:
            drive = drive + offset
        potential, fired, membrane = advance(membrane, drive, decay, edge, RESET, DELAY)
        if SPIKES:
            tl.store(spikes + place, fired.to(tl.float32).to(spikes.dtype.element_ty), mask=inside)
        if V:
            tl.store(v + place, potential, mask=inside)
        if SPIKE_TOTAL:
            fired_sum = fired_sum + fired
        if TOTAL:
            summed = summed + summed_height(potential, edge, TOTAL, PSI, SLOPE)
    tl.store(u + at, membrane, mask=inside)
    if SPIKE_TOTAL:
        tl.store(spike_total + at, fired_sum, mask=inside)
    if TOTAL:
        tl.store(total + at, summed, mask=inside)
    if MOMENTS:
        tl.store(current_sum + at, given_sum, mask=inside)
        tl.store(square_sum + at, given_square, mask=inside)


@triton.jit
@no_type_check  # Triton reads the source text
def reverse_kernel(
    gradient, beta, threshold, spikes, v, current, shift, mean, gain, bias, mean_d, mean_product, every, every_total,
    total, product, steps, size, neurons_a_row, CONSTANT: tl.constexpr, CURRENT_CONSTANT: tl.constexpr,
    BETA: tl.constexpr, THRESHOLD: tl.constexpr, SPIKES: tl.constexpr, THROUGH: tl.constexpr, SHIFT: tl.constexpr,
    GAIN: tl.constexpr, MEAN: tl.constexpr, BIAS: tl.constexpr, EVERY: tl.constexpr, TOTALS: tl.constexpr,
    PRODUCT: tl.constexpr, ZEROED: tl.constexpr, WEIGHED: tl.constexpr, PSI: tl.constexpr, SLOPE: tl.constexpr,
    SCALE: tl.constexpr, OUTER: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`reference.reverse` of a block of neurons of all rows, laid flat.

    Args:
        gradient, ..., mean_product: addresses of the inputs (`ReverseInputs`); any address for one that is missing.
        every, ..., product: addresses of the outputs (`Reverse`), likewise.
        steps, size, neurons_a_row: T, B x N, and N.
        CONSTANT, ..., BLOCK: which inputs there are, how they are stored, and which outputs are computed.
    """
    at, inside, neurons = block_of_neurons(size, neurons_a_row, BLOCK)
    decay, edge = spread(beta, neurons, BETA), spread(threshold, neurons, THRESHOLD)
    here = tl.load(gradient + at)
    nothing = tl.full((BLOCK,), 0.0, here.dtype)
    if SHIFT:
        shifted = spread(shift, neurons, SHIFT)
    if THROUGH:
        centre, factor = spread(mean, neurons, MEAN), spread(gain, neurons, GAIN)
        mean_of_d, mean_of_product = tl.load(mean_d + neurons), tl.load(mean_product + neurons)
        if BIAS:
            offset = spread(bias, neurons, BIAS)
    adjoint, every_sum, adjoint_sum, product_sum = nothing, nothing, nothing, nothing
    for back in range(steps):
        place = at + (steps - 1 - back) * size
        post = here if CONSTANT else tl.load(gradient + place)
        if WEIGHED:
            post = weighed(post, v + place, edge, PSI, SLOPE, SCALE)
        gate = decay
        if ZEROED:
            cut = tl.load(spikes + place) != 0 if SPIKES else tl.load(v + place) > edge
            gate = tl.where(cut, nothing, decay)
        adjoint = post + gate * adjoint
        out = adjoint
        if THROUGH:
            brought = tl.load(current + at) if CURRENT_CONSTANT else tl.load(current + place)
            if SHIFT:
                brought = brought - shifted
            normalised = (brought - centre) * factor
            if BIAS:
                normalised = normalised + offset
            out = (adjoint - mean_of_d - normalised * mean_of_product) * factor
            if PRODUCT:
                product_sum = product_sum + adjoint * normalised
        out = OUTER * out
        if EVERY:
            tl.store(every + place, out, mask=inside)
        if TOTALS:
            every_sum = every_sum + out
            adjoint_sum = adjoint_sum + adjoint
    if TOTALS:
        tl.store(every_total + at, every_sum, mask=inside)
        tl.store(total + at, adjoint_sum, mask=inside)
    if PRODUCT:
        tl.store(product + at, product_sum, mask=inside)
