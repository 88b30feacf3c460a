"""One trial of a search: its settings, its result, and the decision to stop a bad trial early (pruning)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Literal, NamedTuple

from neurorules.compare.tuning.proposals import Proposals
from neurorules.compare.tuning.settings import changed
from neurorules.compare.tuning.space import Space
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.target import FIGURES
from neurorules.language.config import TrainConfig
from neurorules.language.errors import MissingExtra, UserError
from neurorules.runner.dispatch import settle, validation_curves
from neurorules.runs.orphans import stopped_without_parent

State = Literal["complete", "pruned", "refused"]
STARTUP = 5
"""Number of complete trials before any trial is pruned. Source: the default of Optuna's MedianPruner."""


class Outcome(NamedTuple):
    """The outcome of a trial.

    Args:
        state: complete; pruned, if the first seed was stopped early; or refused, if the settings cannot be trained.
        curves: for each seed that was trained, the validation accuracy after each epoch, in 0..1, or the figure of
            another task.
        reason: the message that refused the settings; empty if none did.
    """

    state: State
    curves: list[list[float]]
    reason: str = ""


@dataclass(frozen=True)
class Floors:
    """The values that a trial must have reached after each epoch in order to continue.

    Source: the median stopping rule of Golovin et al. 2017 (https://doi.org/10.1145/3097983.3098043): a trial ends
    where its best figure so far is worse than the median, over the trials before, of the figures at the same epoch.

    Args:
        medians: after each epoch, turned so that higher is better; empty while nothing is pruned.
        sign: 1 if a higher figure is better, -1 if a lower one is.
    """

    medians: tuple[float, ...] = ()
    sign: int = 1

    def keep(self, curve: Sequence[float | None]) -> bool:
        """Whether a trial continues, and is not pruned.

        Args:
            curve: its figures after each epoch so far.

        Returns:
            False where its best figure is worse than the median after as many epochs.
        """
        if not 0 < len(curve) <= len(self.medians):
            return True
        return max(self.sign * figure for figure in curve if figure is not None) >= self.medians[len(curve) - 1]


def attempt(
    row: TrainConfig, settings: Mapping[str, Any], seeds: int, place: DataPlace, floors: Floors = Floors(),
    parent: int | None = None,
) -> Outcome:  # fmt: skip
    """Train one trial of a search. Settings that are not compatible are an outcome of the trial, not an error.

    Args:
        row: the configuration that the search began with.
        settings: the settings to try, by name (see `settings.changed`).
        seeds: number of seeds, at least 1.
        place: folder of the data sets, None for the default folder; or the data set itself.
        floors: the values that the first seed must reach.
        parent: the process id of the search; the trial ends if that process ends.

    Returns:
        The outcome.

    Raises:
        MissingExtra: a package is missing that the search needs.
    """
    try:
        config = changed(row, settings)
        with stopped_without_parent(parent):
            curves = validation_curves(config, seeds, place, floors.keep)
    except MissingExtra:
        raise
    except UserError as error:
        return Outcome("refused", [], str(error))
    return Outcome("complete" if len(curves[-1]) == config.epochs else "pruned", curves)


@dataclass
class Searched:
    """One rule whose settings are searched.

    Args:
        row: its configuration before the search.
        name: name of its row.
        space: its search space.
        proposals: the source of proposals.
        figure: the figure that decides, a key of `contracts.target.FIGURES`. For tasks other than classes it takes the
            place of the accuracy in names, as in validation_mse.
        own_first: whether the first trial has the row's own settings.
        at_once: number of trials that are proposed together, before any of them has a result.
        prunes: whether a trial that is worse than most ends early.
        trials: settings, state and figures of each trial, in order.
        proposed: the settings of these trials, and of those that are proposed and not yet run.
    """

    row: TrainConfig
    name: str
    space: Space
    proposals: Proposals
    figure: str = "accuracy"
    own_first: bool = True
    at_once: int = 1
    prunes: bool = False
    trials: list[dict[str, Any]] = field(default_factory=list)
    proposed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def by_seed(self) -> str:
        """The key of a trial's figures by seed."""
        return "accuracies" if self.figure == "accuracy" else "values"

    @property
    def mean(self) -> str:
        """The key of the mean figure over a trial's seeds."""
        return f"validation_{self.figure}"

    @property
    def sign(self) -> int:
        """1 where a higher figure is better, -1 where a lower one is."""
        return 1 if FIGURES[self.figure].higher else -1

    def pending(self, trials: int) -> list[dict[str, Any]]:
        """The settings of the next round, or the rest of a round that was stopped.

        Args:
            trials: number of trials of the whole search.

        Returns:
            For each trial, the settings to change, by name; none for a first trial with the row's own settings.
        """
        end = min(trials, (len(self.trials) // self.at_once + 1) * self.at_once)
        while len(self.proposed) < end:
            own = self.own_first and not self.proposed
            self.proposed.append({} if own else self.proposals.propose())
        return self.proposed[len(self.trials) : end]

    @property
    def floors(self) -> Floors:
        """The values that trials of this round must reach: the medians over the complete trials of earlier rounds."""
        before = self.trials[: len(self.trials) // self.at_once * self.at_once]
        curves = [trial["curves"][0] for trial in before if trial["state"] == "complete"]
        if not self.prunes or len(curves) < STARTUP:
            return Floors()
        after = [[c[epoch] for c in curves if len(c) > epoch] for epoch in range(max(map(len, curves)))]
        return Floors(tuple(median(self.sign * figure for figure in figures) for figures in after), self.sign)

    def add(self, settings: Mapping[str, Any], outcome: Outcome) -> None:
        """Store a trial, and pass its result to the source of proposals.

        Args:
            settings: the settings of the trial, by name.
            outcome: the outcome of the trial.
        """
        trial: dict[str, Any] = {"settings": dict(settings), "state": outcome.state, "curves": outcome.curves}
        complete = {**(settle(self.row).as_dict() if self.own_first else {}), **settings}
        if outcome.state == "complete":
            trial[self.by_seed] = [curve[-1] for curve in outcome.curves]
            trial[self.mean] = fmean(trial[self.by_seed])
            self.proposals.tell(complete, self.sign * trial[self.mean])
        else:
            first = outcome.curves[0] if outcome.curves else []
            self.proposals.tell(complete, None, [self.sign * figure for figure in first])
        if outcome.reason:
            trial["reason"] = outcome.reason
        self.trials.append(trial)

    def repeat(self, trials: Sequence[Mapping[str, Any]], total: int, where: str) -> None:
        """Restore the trials of an interrupted search.

        Args:
            trials: the trials of that search.
            total: number of trials of the whole search.
            where: the name of the search in messages.

        Raises:
            UserError: they are not the trials that would be proposed here.
        """
        for trial in trials:
            if self.pending(total)[0] != trial["settings"]:
                raise UserError(
                    f"{where} tried other settings for {self.name} than would be tried here, as another version of "
                    f"optuna does. Begin again with --force, or give another --out"
                )
            self.add(trial["settings"], Outcome(trial["state"], trial["curves"], trial.get("reason", "")))

    @property
    def best(self) -> dict[str, Any] | None:
        """The complete trial with the highest validation accuracy, or the best figure of another task; the earliest
        among equals, and None if no trial is complete.
        """
        whole = [trial for trial in self.trials if trial["state"] == "complete"]
        return max(whole, key=lambda trial: self.sign * trial[self.mean]) if whole else None
