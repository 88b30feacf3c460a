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
    others = [name for name, node in graph.nodes.items() if hasattr(node, "r") and name not in spiking]
    return [*spiking, *others, *(name for name in before if name not in (*spiking, *others))]


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
    if kind == "Conv1d":
        return convolved(node, x.reshape(x.shape[-2], 1, -1))[:, 0]
    if kind == "Conv2d":
        return convolved(node, x)
    if kind in ("AvgPool2d", "SumPool2d"):
        return pooled(node, x, kind == "AvgPool2d")
    if kind == "Delay":
        late = np.broadcast_to(np.round(np.asarray(node.delay) / dt).astype(int), x.shape)
        s.setdefault("past", []).append(x)
        past = s["past"]
        return np.array([past[-1 - k][at] if k < len(past) else 0.0 for at, k in np.ndenumerate(late)]).reshape(x.shape)
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


def pair(value: Any, of_height: int, lines: bool) -> tuple[int, int]:
    """Numbers along the height and the width."""
    flat = np.ravel(value)
    return (of_height, int(flat[0])) if lines else (int(flat[0]), int(flat[-1]))


def convolved(node: Any, x: np.ndarray) -> np.ndarray:
    """A convolution, position by position, weight by weight."""
    lines = type(node).__name__ == "Conv1d"
    w = np.asarray(node.weight, np.float64)
    w = w[:, :, None] if lines else w
    (down, right), (dy, dx) = pair(node.stride, 1, lines), pair(node.dilation, 1, lines)
    around, sides = node.padding, w.shape[2:]
    if isinstance(around, str):
        full = tuple(d * (k - 1) // 2 for d, k in zip((dy, dx), sides, strict=True))
        top, left = full if around == "same" else (0, 0)
    else:
        top, left = pair(around, 0, lines)
    x = np.pad(x, ((0, 0), (top, top), (left, left)))
    high = (x.shape[1] - dy * (sides[0] - 1) - 1) // down + 1
    wide = (x.shape[2] - dx * (sides[1] - 1) - 1) // right + 1
    out = np.zeros((len(w), high, wide))
    of_group, per = w.shape[1], len(w) // int(np.ravel(node.groups)[0])
    for o, row, column in np.ndindex(*out.shape):
        first = o // per * of_group
        rows, columns = row * down + dy * np.arange(sides[0]), column * right + dx * np.arange(sides[1])
        cut = x[first : first + of_group][:, rows][:, :, columns]
        out[o, row, column] = (w[o] * cut).sum() + node.bias[o]
    return out


def pooled(node: Any, x: np.ndarray, average: bool) -> np.ndarray:
    """A pool, window by window; zeros around a map count."""
    (kh, kw), (down, right), (top, left) = (
        pair(one, 0, False) for one in (node.kernel_size, node.stride, node.padding)
    )
    x = np.pad(x, ((0, 0), (top, top), (left, left)))
    out = np.zeros((len(x), (x.shape[1] - kh) // down + 1, (x.shape[2] - kw) // right + 1))
    for c, row, column in np.ndindex(*out.shape):
        cut = x[c, row * down : row * down + kh, column * right : column * right + kw]
        out[c, row, column] = cut.mean() if average else cut.sum()
    return out
