"""The settings to try next: proposed by Optuna's tree-structured Parzen estimator, by random draws, or by a grid.

Proposals depend only on the seed and on the earlier trials, so a resumed search gives the same result as one without
interruption.
"""

from __future__ import annotations

import importlib.util
import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from neurorules.compare.tuning.space import Choice, Dimension, Space, Value

Method = Literal["grid", "random", "optuna"]


class Proposals(ABC):
    """A source of proposals, which proposes the settings of each trial and receives their results in the same order."""

    @abstractmethod
    def propose(self) -> dict[str, Value]:
        """The settings to try next, by name."""

    @abstractmethod
    def tell(self, settings: Mapping[str, Any], accuracy: float | None, curve: Sequence[float] = ()) -> None:
        """Record the result of some settings.

        Args:
            settings: the earliest proposed settings whose result has not been recorded yet, or others before the first
                proposal.
            accuracy: their validation accuracy, in 0..1, or another figure, turned so that higher is better; None if
                the trial ended early.
            curve: of a trial that ended early, the figure after each epoch; empty if the trial was refused.
        """


def best_method() -> Method:
    """The name of the method that can propose here: optuna if it is installed, otherwise random."""
    return "random" if importlib.util.find_spec("optuna") is None else "optuna"


def proposals_of(method: Method, space: Space, seed: int, at_once: int = 1) -> Proposals:
    """Build a new source of proposals.

    Args:
        method: name of the method.
        space: the searched settings.
        seed: the seed of the method's draws.
        at_once: the number of proposals before the first of them has a result.

    Returns:
        The source, which has proposed nothing yet.
    """
    if method == "grid":
        return Grid(space)
    return Parzen(space, seed, at_once) if method == "optuna" else Draws(space, seed)


class Grid(Proposals):
    """A source that proposes each combination of values once; the last setting changes fastest."""

    def __init__(self, space: Space) -> None:
        self.names = tuple(space)
        self.points = itertools.product(*(dimension.words for dimension in space.values()))

    def propose(self) -> dict[str, Value]:
        return dict(zip(self.names, next(self.points), strict=True))

    def tell(self, settings: Mapping[str, Any], accuracy: float | None, curve: Sequence[float] = ()) -> None:
        """Do nothing: a grid does not depend on earlier trials.

        Args:
            settings, accuracy, curve: are not read.
        """


class Draws(Proposals):
    """A source that proposes points of a Kronecker sequence with a random start, which covers the space evenly.

    Source: Roberts 2018, the generalised golden ratio: coordinate i advances by phi^-i, where phi^(d+1) = phi + 1.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        roots = np.roots([1, *[0] * (len(space) - 1), -1, -1])
        ratio = float(max(root.real for root in roots if abs(root.imag) < 1e-9))
        self.advance = ratio ** -np.arange(1.0, len(space) + 1)
        self.place = np.random.default_rng(seed).random(len(space))

    def propose(self) -> dict[str, Value]:
        self.place = (self.place + self.advance) % 1
        return {name: self.space[name].at(float(share)) for name, share in zip(self.space, self.place, strict=True)}

    def tell(self, settings: Mapping[str, Any], accuracy: float | None, curve: Sequence[float] = ()) -> None:
        """Do nothing: draws do not depend on earlier trials.

        Args:
            settings, accuracy, curve: are not read.
        """


class Parzen(Proposals):
    """Proposes by Optuna's default sampler (Bergstra et al. 2011). If several trials run at once, each is treated as a
    bad one for the proposals after it, so that they differ.
    """

    def __init__(self, space: Space, seed: int, at_once: int = 1) -> None:
        import optuna

        self.optuna, self.space = optuna, space
        self.distributions = {name: self._distribution(dimension) for name, dimension in space.items()}
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # otherwise every study prints a line on stderr
        try:
            sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=at_once > 1)
            self.study = optuna.create_study(direction="maximize", sampler=sampler)
        finally:
            optuna.logging.set_verbosity(before)
        self.pending: deque[Any] = deque()

    def propose(self) -> dict[str, Value]:
        self.pending.append(self.study.ask(fixed_distributions=self.distributions))
        return {name: self.space[name].rounded(self.pending[-1].params[name]) for name in self.space}

    def tell(self, settings: Mapping[str, Any], accuracy: float | None, curve: Sequence[float] = ()) -> None:
        if self.pending:
            trial = self.pending.popleft()
            for epoch, figure in enumerate(curve):
                trial.report(figure, epoch)
            pruned = self.optuna.trial.TrialState.PRUNED  # a trial without figures counts as the worst one
            self.study.tell(trial, accuracy, state=pruned if accuracy is None else None)
        elif accuracy is not None and all(self.space[name].holds(settings.get(name)) for name in self.space):
            parameters = {name: settings[name] for name in self.space}
            create = self.optuna.trial.create_trial
            self.study.add_trial(create(params=parameters, distributions=self.distributions, value=accuracy))

    def _distribution(self, dimension: Dimension) -> Any:
        """A range or a choice as Optuna writes it."""
        kinds = self.optuna.distributions
        if isinstance(dimension, Choice):
            return kinds.CategoricalDistribution(dimension.values)
        if dimension.whole:
            return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
