"""A trained network put on a device model: accuracy before and after, layer by layer what was lost, and its energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.target import OF_VALUES
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, check_range
from neurorules.runner.constraints import costs_of
from neurorules.runner.deployed_case import let_pass, on_another_chip, on_own_chip
from neurorules.runner.quantisation import quantisation_of
from neurorules.torch_path.training.account import energy_of
from neurorules.torch_path.training.evaluate import Evaluation, evaluate
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.on_device import folded, on_device
from neurorules.torch_path.training.restore import restore


def deploy_run(
    run: Path, hardware: str | None = None, data_dir: DataPlace = None, after_s: float = 0.0
) -> dict[str, Any]:
    """Put the network of a finished run on a device model and test it there. Nothing learns, and nothing is written.

    A run that learned under a device is tested on that device, as training left it.

    Args:
        run: folder of the run.
        hardware: device models joined by +; where `headroom` is left out it is 1, since no weight grows any more. None
            for the device that the run learned under.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        after_s: seconds that the chip lies between programming, or the end of training, and the test, >= 0.

    Returns:
        hardware, after_s, test_accuracy on the device, float_accuracy of the run, folded_accuracy without
        normalisation, energy of one sample in pJ by term (None where the device gives none), quantisation and rates by
        layer, and what each constraint costs. Of a run that learned under a device, float_accuracy is that of the
        weights as they are stored, without the device, and folded_accuracy is None.

    Raises:
        UserError: no finished run, a net or device that does not serve, a device whose time does not pass, or a task
            without classes.
    """
    check_range("after_s", after_s, NonNegative)
    restored = restore(run, data_dir)
    learner, part, seed = restored.learner, restored.data.test, restored.config.seed
    if learner.model.task in OF_VALUES:
        raise UserError(
            f"deploy reports accuracies, and the run learned values (task '{learner.model.task}'). Give a run that "
            f"learned classes or labels"
        )

    def measured(learner: Learner) -> Evaluation:
        return evaluate(learner, part, seed)

    own = learner.hardware is not None and hardware in (None, restored.config.hardware)
    case = on_own_chip(restored, measured) if own else on_another_chip(restored, hardware, measured)
    let_pass(case.deployed, after_s)
    there = measured(case.deployed)

    def accuracy_of(learner: Learner) -> float:
        return measured(learner).accuracy

    def programmed(text: str) -> Learner:
        again = on_device(folded(learner, restored.config.learner_settings()), text)
        let_pass(again, after_s)
        return again

    costs = costs_of(case.deployed, case.exact, case.lifts, there.accuracy, accuracy_of, programmed)
    rates = case.plain.mean_rates
    return {
        "run": str(run), "hardware": case.hardware, "after_s": after_s, "test_accuracy": there.accuracy,
        "float_accuracy": case.plain.accuracy, "folded_accuracy": case.folded_accuracy, "samples": len(part),
        "energy": energy_of(case.deployed, there, part.steps),
        "quantisation": quantisation_of(case.deployed, case.exact), "constraints": [row._asdict() for row in costs],
        "rates": {name: {"float": rates[name], "device": rate} for name, rate in there.mean_rates.items()},
    }  # fmt: skip
