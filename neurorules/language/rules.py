"""A rule as frozen data: plasticity texts x learning signal, the phases they need, the paper they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from neurorules.language.config import LEFT_OPEN, SettledConfig, TrainConfig
from neurorules.language.eligibility import Eligibility, check_distinct
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.expressions import show
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace, at, check_traces, made_of_spikes
from neurorules.language.ranges import BelowOne, Number, check_range, check_ranges
from neurorules.language.settings import Defaults as Defaults
from neurorules.language.signal_spec import SignalSpec
from neurorules.language.vocabulary import Vocabulary

Role = Literal["hidden", "readout"]
Predict = Literal["readout", "prototypes", "local_readouts", "goodness"]
Statistics = Literal["moving", "held"]
DOI, ARXIV = "https://doi.org/", "https://arxiv.org/abs/"
if TYPE_CHECKING:
    SignalOrText = SignalSpec | None
else:
    SignalOrText = SignalSpec | str | None
"""What a rule is given as its signal. A text is read into a `SignalSpec` while the rule is built, and never kept."""

NEURON_VARIABLES = frozenset({SPIKES})
"""What a text may read at both ends of a synapse beside declared traces: spikes.

Beside these, `v_post` is the membrane before the reset, which connections do not carry; `m_post` is the third factor;
`kept_post` is dropout's mask of the neuron's own output: 0 where it is dropped for the trial, 1/(1-p) where it is not,
1 without dropout; `mean_pre` is the presynaptic neuron's running mean of its own spikes, which a layer whose
normalisation centres its inputs takes away (0 elsewhere)."""
HIDDEN_VARIABLES = frozenset({MEMBRANE, "m", "kept"})
"""What a hidden layer's text may read of the postsynaptic neuron alone."""
READOUT_VARIABLES = frozenset({MEMBRANE, "m", "p", "y"})
"""What a read-out's text may read of its own output: membrane, error, prediction and target; the last three are
constant through a trial."""


@dataclass(frozen=True)
class Phase:
    """One pass of a trial through the network.

    Args:
        name: such as "input", "target", "modulated".
        replay: whether it repeats the spikes and dropout masks of the phase "input".
        statistics: whether its normalisation keeps statistics of its own, or reads those of the phase "input".
        linear: whether it carries a small current forward, linearised around the phase "input", and no spikes.
        applies: whether the changes so far are applied at its end, before the next phase runs.
    """

    name: str
    replay: bool = False
    statistics: Literal["own", "input"] = "input"
    linear: bool = False
    applies: bool = False


@dataclass(frozen=True)
class Plasticity:
    """One text: how one parameter changes in one phase. It holds no learning rate: the optimiser does.

    Args:
        parameter: "w" (every connection of the layer), "b" (the bias), or a signal's parameter in its own phase. "sent"
            is no parameter: its text, of postsynaptic factors, is what layers below are handed where the signal comes
            from above. Without one they are handed the post factor of the last product in the text of the weights.
        text: the change, summed over steps and averaged over the trial's samples.
        role: the layers it holds for.
        phase: the pass it reads.
        populations: the layers it holds for: all, or flat ones only (dense and recurrent, no maps).
        statistics: what `through_norm` (and `dv_dw`, which implies it) makes of a post factor d. moving: mean and
            deviation of the normalisation follow the weights, and d goes back through them, by averages E of this
            neuron's: (d - E[d] - I^ E[d I^]) / sigma. held: they are constants of the trial: d / sigma.
    """

    parameter: str
    text: str
    role: Role = "hidden"
    phase: str = "input"
    populations: Literal["all", "flat"] = "all"
    statistics: Statistics = "moving"


@dataclass(frozen=True)
class Source:
    """The sources of a rule, and how this implementation deviates.

    Args:
        authors: initials and family names, separated by commas; "et al." stands for those left out.
        year: of publication.
        title: of the paper.
        deviations: each choice that is not the paper's, one phrase each, without a full stop.
        link: the paper's address, `https://doi.org/...` or `https://arxiv.org/abs/...`; empty where it has none.
        constants: by name of a constant or a trace of the rule, what the source has in its place, such as "20 ms".

    Raises:
        UserError: a link of another form.
    """

    authors: str
    year: int
    title: str
    deviations: tuple[str, ...] = ()
    link: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.link and not self.link.startswith((DOI, ARXIV)):
            raise UserError(f"the link of a source is {self.link!r}. Give {DOI}... or {ARXIV}...")


SENT = "sent"
"""In place of a parameter: the text says what a layer hands to those below (`Plasticity`)."""
DELTA_RULE = (
    Plasticity("w", "-m_post * dv_dw", role="readout"),
    Plasticity("b", "-m_post * dv_dw", role="readout"),
)
"""The read-out's own rule, shared by all: output error times presynaptic activity (Widrow & Hoff 1960)."""


@dataclass(frozen=True)
class Rule:
    """A learning rule: its texts, its learning signal and its sources.

    Args:
        name: as on the command line.
        plasticity: texts, the read-out's included.
        signal: the learning signal with its options; None for a rule without a third factor. A text, such as "dfa", is
            read into a `SignalSpec`.
        phases: passes of a trial in order; the first is "input".
        predict: where class scores come from.
        constants: declared constants of the texts.
        trace_decay: decay a step, in [0, 1), of the trace `x` of the spikes, which then is declared: short for
            `Trace("x", trace_decay)`.
        traces: declared traces of its neurons, which texts may read.
        eligibilities: declared traces of its synapses, which texts of weights may read.
        bounds: lowest and highest weight after an update; None for no bounds.
        control: whether it is a control, which is not meant to learn.
        defaults: optimiser and learning rates.
        source: the paper.
    """

    name: str
    plasticity: tuple[Plasticity, ...]
    signal: SignalOrText
    source: Source
    phases: tuple[Phase, ...] = (Phase("input"),)
    predict: Predict = "readout"
    constants: Mapping[str, float] = field(default_factory=dict)
    trace_decay: BelowOne | None = None
    traces: tuple[Trace, ...] = ()
    eligibilities: tuple[Eligibility, ...] = ()
    bounds: tuple[float, float] | None = None
    loss: Literal["cross_entropy", "squared"] = "cross_entropy"
    """The loss of the output y against the label's target: cross-entropy of softmax(y), or |y - target|^2 / 2."""
    targets: tuple[float, float] = (1.0, 0.0)
    """For the squared loss: of the label's output, and of the others."""
    errors: Literal["trial", "step"] = "trial"
    """Where a sample has one target: whether its average output makes one error, known when the trial ends, or the
    output of each step that counts makes one of its own."""
    error_phase: str = "input"
    """The pass whose output makes the error."""
    score_phase: str = "input"
    """The pass whose output gives class scores, where a read-out gives them."""
    control: bool = False
    defaults: Defaults = Defaults()  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        signal: Any = self.signal
        if isinstance(signal, str):
            object.__setattr__(self, "signal", SignalSpec.parse(signal))
        owner = f"rule '{self.name}'"
        check_ranges(owner, Rule, vars(self))
        check_ranges(f"{owner}, defaults", Defaults, vars(self.defaults))
        numbers = {"target": self.targets, **{name: (value,) for name, value in self.constants.items()}}
        for name, values in numbers.items():
            for value in values:
                check_range(f"{owner}: {name}", value, Number)
        if self.bounds is not None and not self.bounds[0] <= self.bounds[1]:
            raise UserError(f"{owner}: bounds are {self.bounds}. Give the lowest weight, then the highest")
        if self.trace_decay is not None:
            object.__setattr__(
                self, "traces", (Trace("x", self.trace_decay), *(t for t in self.traces if t.name != "x"))
            )
        check_traces(owner, self.traces, self.constants, HIDDEN_VARIABLES | READOUT_VARIABLES | {"w", "b"})
        if self.eligibilities:
            vocabulary = self._vocabulary(HIDDEN_VARIABLES | READOUT_VARIABLES, "w")
            check_distinct(owner, self.eligibilities, vocabulary.legal() | {"b"})

    @property
    def declared_traces(self) -> dict[str, Trace]:
        """The declared traces of its neurons, by name, in the order in which they are declared."""
        return {trace.name: trace for trace in self.traces}

    @property
    def declarations(self) -> tuple[str, ...]:
        """The names that its texts read beside the neurons' own variables, a line each."""
        lines = [f"{name} = {value:g}" for name, value in self.constants.items()]
        lines += [f"{trace.show()}, of every neuron" for trace in self.traces]
        for e in self.eligibilities:
            products = self.equation(Plasticity("w", e.name)).eligibility(e.name).products
            size = "B x O x I" if any(p.post for p in products) else "B x I"
            lines.append(f"{e.show()}, of every synapse ({size} numbers per layer where it runs step by step)")
        past = frozenset().union(*(self.equation(p).past for p in self.plasticity))
        lines += sorted({"before(x) is x without what this step has brought" for c in past if c.function == "before"})
        lines += sorted({"delay(a, n)[t] = a[t-n], 0 before the first step" for c in past if c.function == "delay"})
        return tuple(lines)

    def equation(self, plasticity: Plasticity) -> Equation:
        """The checked text of one plasticity."""
        post_only = READOUT_VARIABLES if plasticity.role == "readout" else HIDDEN_VARIABLES
        declared = {e.name: e for e in self.eligibilities}
        vocabulary = replace(self._vocabulary(post_only, plasticity.parameter), eligibilities=declared)
        return Equation(plasticity.text, vocabulary, f"rule '{self.name}'")

    def _vocabulary(self, post_only: frozenset[str], synapse: str) -> Vocabulary:
        declared = self.declared_traces
        both = frozenset(name for name in declared if made_of_spikes(name, declared))
        post_only |= declared.keys() - both
        return Vocabulary(
            NEURON_VARIABLES | both, post_only, synapse=synapse, constants=self.constants, traces=declared
        )

    def trace_equation(self, trace: Trace) -> Equation:
        """The text of a declared trace, as a text of the postsynaptic neuron: `S` is `S_post` there."""
        text = show(at(trace.expression, "post", self.constants))
        return Equation(text, self._vocabulary(HIDDEN_VARIABLES, "w"), f"rule '{self.name}', trace '{trace.name}'")

    def settle(self, config: TrainConfig) -> SettledConfig:
        """The configuration, with this rule's own settings where the user left them open.

        The read-out follows an optimizer that the user names. Changes without an optimizer are applied as they are,
        at rate 1.

        Raises:
            UserError: a learning signal or a text for a control, whose hidden layers do not learn.
        """
        self.check_control(config.signal, config.dw)
        own = {name: getattr(self.defaults, name) for name in LEFT_OPEN}
        open_settings = config.as_dict()
        open_settings["readout_optimizer"] = open_settings["readout_optimizer"] or open_settings["optimizer"]
        complete = {**open_settings, **{name: value for name, value in own.items() if open_settings[name] is None}}
        if complete["optimizer"] == "none":
            complete |= {"lr": 1.0, "signal_lr": 1.0}
        if complete["readout_optimizer"] == "none":
            complete["readout_lr"] = 1.0
        return SettledConfig(**complete)

    def check_control(self, signal: str | None, dw: str | None) -> None:
        """Refuse to make the hidden layers of a control learn.

        Args:
            signal: a learning signal that is asked for; None for none.
            dw: a text of hidden weights that is asked for; None for none.

        Raises:
            UserError: the rule is a control, and one of them is asked for.
        """
        option = "--signal" if signal is not None else "--dw"
        if self.control and (signal is not None or dw is not None):
            raise UserError(
                f"{option} makes hidden layers learn, and rule '{self.name}' is the control in which they stay as they "
                f"were drawn. Leave {option} out, or give it to a rule that learns: --rule dfa"
            )

    def phase(self, name: str) -> Phase:
        """The phase of that name, which the rule must have."""
        return next(phase for phase in self.phases if phase.name == name)

    @property
    def reads(self) -> frozenset[str]:
        """All names that the rule's texts read."""
        return frozenset().union(*(self.equation(p).reads for p in self.plasticity))

    @property
    def hidden_reads(self) -> frozenset[str]:
        """Every name that the texts of hidden layers read."""
        return frozenset().union(*(self.equation(p).reads for p in self.plasticity if p.role == "hidden"))

    @property
    def supervised(self) -> bool:
        """Whether hidden layers learn from labels or errors, of which a reward is no more than one number a sample."""
        return self.signal is not None and self.signal.name != "reward"
