"""Time of Loihi's neuron in whole numbers, beside the float neurons of the library on tensors of the same shape.

    python benchmarks/integer_neuron.py [--repetitions 15] [--device cpu] [--json]

The float `lif` is one fused scan, `cuba_lif` runs step by step. The systems take turns, processor time is counted on a
CPU, and ratios of medians are printed, since milliseconds mean little on a shared machine. The limit is a ratio of 3 to
`lif`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from hardware_models.loihi.cuba_lif import CubaLif
from neurorules.native import scans
from neurorules.neurons import NEURONS

STEPS, BATCH, NEURONS_OF_A_LAYER = 25, 128, 800
LIMIT = 3.0


def systems(device: str) -> dict[str, Callable[[], object]]:
    """The three neurons, each with T steps of the same currents as it takes them."""
    generator = torch.Generator().manual_seed(0)
    whole = torch.randint(-120, 160, (STEPS, BATCH, NEURONS_OF_A_LAYER), generator=generator, dtype=torch.int32)
    whole = whole.to(device)
    current = whole / 100
    loihi, cuba = CubaLif(du=800, dv=400, threshold=100), NEURONS.make("cuba_lif:reset=zero")
    return {
        "lif": lambda: scans.scan(current, STEPS, 0.9, 1.0, scans.Reset.ZERO),
        "cuba_lif": lambda: step_by_step(cuba, current),
        "loihi": lambda: loihi.run(whole),
    }


def step_by_step(neuron: object, current: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of a neuron that has no fused scan."""
    state = neuron.initial(current[0])  # type: ignore[attr-defined]
    spikes, membranes = [], []
    for now in current:
        fired, observed, state = neuron.step(state, now)  # type: ignore[attr-defined]
        spikes.append(fired)
        membranes.append(observed.v)
    return torch.stack(spikes), torch.stack(membranes)


def times(repetitions: int, device: str) -> dict[str, float]:
    """Median seconds of each system, of processor time on a CPU; they take turns."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    made = systems(device)
    for run in made.values():
        run(), run()
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(repetitions):
        for name, run in made.items():
            started = clock()
            run()
            if device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(clock() - started)
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure, print, and say whether the limit holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    middle = times(options.repetitions, options.device)
    ratio = middle["loihi"] / middle["lif"]
    if options.json:
        print(json.dumps({"seconds": middle, "loihi_to_lif": ratio, "limit": LIMIT}))
        return
    for name, seconds in middle.items():
        print(f"{name:10} {1000 * seconds:8.2f} ms {seconds / middle['lif']:6.2f} x lif")
    print(f"the limit of {LIMIT:g} {'holds' if ratio <= LIMIT else 'does not hold'}")


if __name__ == "__main__":
    main()
