"""The equations of NIR's nodes by Euler's method, in a few lines of NumPy that share nothing with the package."""

from __future__ import annotations

from typing import Any

import numpy as np


def run(graph: Any, drive: np.ndarray, dt: float = 1e-4) -> dict[str, np.ndarray]:
    """Every node's output over time, (T, *shape) each, for one sample.

    A node reads what the nodes before it send in the same step; one that closes a circle sends what it sent in the step
    before. Membranes begin where they leak to.

    Args:
        graph: a flat `nir.NIRGraph`.
        drive: what the Input sends, (T, *shape).
        dt: of a step, in the unit of the time constants.
    """
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for start, end in graph.edges:
        before[end].append(start)
    state: dict[str, dict[str, Any]] = {name: {} for name in graph.nodes}
    out: dict[str, list[np.ndarray]] = {name: [] for name in graph.nodes}
    for t in range(len(drive)):
        now: dict[str, np.ndarray] = {}

        def value(name: str, trail: tuple[str, ...] = (), t: int = t, now: dict[str, np.ndarray] = now) -> Any:
            if name in now:
                return now[name]
            if name in trail:
                return out[name][t - 1] if t else np.zeros(np.shape(theta(graph.nodes[name])))
            node = graph.nodes[name]
            if type(node).__name__ == "Input":
                x = drive[t]
            else:
                x = sum(value(one, (*trail, name)) for one in before[name])
                x = step(node, x, state[name], dt)
            now[name] = np.asarray(x, dtype=np.float64)
            return now[name]

        for name in order(graph, before):
            value(name)
        for name, x in now.items():
            out[name].append(x)
    return {name: np.stack(values) for name, values in out.items()}


def order(graph: Any, before: dict[str, list[str]]) -> list[str]:
    """Neurons first in a circle, so that what they feed back is that of the step before."""
    spiking = [name for name, node in graph.nodes.items() if theta(node) is not None]
    return [*spiking, *(name for name in before if name not in spiking)]


def theta(node: Any) -> Any:
    """The threshold of a node that spikes."""
    return getattr(node, "v_threshold", getattr(node, "threshold", None))


def step(node: Any, x: Any, s: dict[str, Any], dt: float) -> Any:
    """One step of a node."""
    kind = type(node).__name__
    if kind in ("Affine", "Linear"):
        return np.asarray(node.weight, np.float64) @ x + (np.asarray(node.bias, np.float64) if kind == "Affine" else 0)
    if kind == "Scale":
        return node.scale * x
    if kind == "Flatten":
        return np.reshape(x, -1)
    if kind == "Conv2d":
        return convolved(node, x)
    if kind in ("AvgPool2d", "SumPool2d"):
        k = int(np.ravel(node.kernel_size)[0])
        c, h, w = x.shape
        cut = x[:, : h // k * k, : w // k * k].reshape(c, h // k, k, w // k, k)
        return cut.mean((2, 4)) if kind == "AvgPool2d" else cut.sum((2, 4))
    if kind == "Threshold":
        return (x > node.threshold).astype(float)
    if kind == "Output":
        return x
    v = s.get("v", np.asarray(getattr(node, "v_leak", np.zeros_like(node.r)), np.float64))
    if kind in ("IF", "I"):
        v = v + dt * node.r * x
    elif kind in ("LIF", "LI"):
        v = v + dt / node.tau * (node.v_leak - v + node.r * x)
    else:
        i = s.get("i", 0.0)
        s["i"] = i = i + dt / node.tau_syn * (-i + node.w_in * x)
        v = v + dt / node.tau_mem * (node.v_leak - v + node.r * i)
    if kind in ("I", "LI", "CubaLI"):
        s["v"] = v
        return v
    z = v > node.v_threshold
    s["v"] = np.where(z, node.v_reset, v)
    return z.astype(float)


def convolved(node: Any, x: np.ndarray) -> np.ndarray:
    """A convolution, position by position."""
    k, stride, around = node.weight.shape[2], int(np.ravel(node.stride)[0]), node.padding
    p = {"same": k // 2, "valid": 0}[around] if isinstance(around, str) else int(np.ravel(around)[0])
    x = np.pad(x, ((0, 0), (p, p), (p, p)))
    high, wide = (x.shape[1] - k) // stride + 1, (x.shape[2] - k) // stride + 1
    out = np.zeros((len(node.weight), high, wide))
    for row in range(high):
        for column in range(wide):
            cut = x[:, row * stride : row * stride + k, column * stride : column * stride + k]
            out[:, row, column] = np.tensordot(node.weight, cut, 3) + node.bias
    return out
