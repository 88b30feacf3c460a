"""The data type of a learning rule: its texts, its learning signal, the phases of a trial, and its paper.

A text is the equation of one weight change, such as `-m_post * psi(v_post) * S_pre`; `m_post` is the third factor,
which the learning signal computes. The files in `neurorules/rules/` build a `Rule`, and every machine runs from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from neurorules.language.config import LEFT_OPEN, SettledConfig, TrainConfig
from neurorules.language.eligibility import Eligibility, check_distinct
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.expressions import show
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace, at, check_traces, made_of_spikes
from neurorules.language.ranges import BelowOne, Fraction, Number, check_range, check_ranges
from neurorules.language.settings import Defaults as Defaults
from neurorules.language.signal_spec import SignalSpec
from neurorules.language.transmission import transmission_of
from neurorules.language.vocabulary import Vocabulary

Role = Literal["hidden", "readout"]
Predict = Literal["readout", "prototypes", "local_readouts", "goodness"]
Statistics = Literal["moving", "held"]
DOI, ARXIV = "https://doi.org/", "https://arxiv.org/abs/"
if TYPE_CHECKING:
    SignalOrText = SignalSpec | None
else:
    SignalOrText = SignalSpec | str | None
# The type of the argument `signal`. A text is converted to a `SignalSpec` when the rule is built.

NEURON_VARIABLES = frozenset({SPIKES})
"""The variables that a text may read at both ends of a synapse, beside declared traces: spikes.

The other variables exist at one end only. `v_post` is the membrane before the reset, which connections do not transmit,
and `i_post` the whole current of a step, after normalisation. `m_post` is the third factor. `kept_post` is the dropout
mask of the neuron's own output: 0 if it is dropped in this trial, 1/(1-p) if it is not, 1 without dropout. `mean_pre`
is the presynaptic neuron's running mean of its own spikes where the normalisation subtracts it, and 0 elsewhere."""
HIDDEN_VARIABLES = frozenset({MEMBRANE, "i", "m", "kept"})
"""The variables that a hidden layer's text may read at the postsynaptic neuron only."""
READOUT_VARIABLES = frozenset({MEMBRANE, "i", "m", "p", "y"})
"""Those of a read-out's text: membrane, current, error, prediction and target; the last three are constant in time."""


@dataclass(frozen=True)
class Phase:
    """One pass of a trial through the network.

    Args:
        name: the name of the phase, such as "input", "target" or "modulated".
        replay: whether the phase repeats the spikes and dropout masks of the phase "input".
        statistics: whether normalisation has separate statistics for this phase, or uses those of the phase "input".
        linear: whether the phase propagates a small current, linearised around the phase "input", instead of spikes.
        applies: whether the weight changes so far are applied at the end of the phase, before the next phase runs.
    """

    name: str
    replay: bool = False
    statistics: Literal["own", "input"] = "input"
    linear: bool = False
    applies: bool = False


@dataclass(frozen=True)
class Plasticity:
    """One text: the change of one parameter in one phase, without the learning rate, which the optimiser has.

    Args:
        parameter: "w" (every connection of the layer), "b" (the bias), or a signal's parameter in its own phase. "sent"
            is not a parameter: its text of postsynaptic factors defines what the layer sends to the layers below, if
            the learning signal comes from above. Without such a text, the layer sends the post factor of the last
            product in the text of its weights.
        text: the change, summed over steps and averaged over the trial's samples.
        role: the layers that the text applies to: hidden layers or the read-out.
        phase: the phase whose activity the text reads.
        populations: the shapes of layers that the text applies to: all, or only flat ones (dense and recurrent, no
            maps).
        statistics: how `through_norm` (and `dv_dw`, which implies it) transforms a post factor d. "moving": the mean
            and deviation of the normalisation depend on the weights, so d is carried back through them, (d - E[d] - I^
            E[d I^]) / sigma, with running averages E of this neuron. "held": mean and deviation are constants during
            the trial, d / sigma.
    """

    parameter: str
    text: str
    role: Role = "hidden"
    phase: str = "input"
    populations: Literal["all", "flat"] = "all"
    statistics: Statistics = "moving"


@dataclass(frozen=True)
class Source:
    """The paper of a rule, and how this implementation deviates from it.

    Args:
        authors: initials and family names, separated by commas; "et al." for further authors.
        year: the year of publication.
        title: the title of the paper.
        deviations: one phrase, without a full stop, for each choice that differs from the paper.
        link: the address of the paper, `https://doi.org/...` or `https://arxiv.org/abs/...`; empty if it has none.
        constants: the paper's value, such as "20 ms", by the name of the constant or trace in the rule.

    Raises:
        UserError: the link has another form.
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
"""Used in place of a parameter: the text defines what a layer sends to the layers below (`Plasticity`)."""
DELTA_RULE = (
    Plasticity("w", "-m_post * dv_dw", role="readout"),
    Plasticity("b", "-m_post * dv_dw", role="readout"),
)
"""The delta rule, by which every read-out learns: output error times presynaptic activity (Widrow & Hoff 1960)."""


@dataclass(frozen=True)
class Rule:
    """A learning rule: its texts, its learning signal and its sources.

    Args:
        name: the name of the rule on the command line.
        plasticity: the texts, including those of the read-out.
        signal: the learning signal with its options; None for a rule without a third factor. A text, such as "dfa", is
            converted to a `SignalSpec`.
        phases: the phases (passes through the network) of a trial in order; the first one is "input".
        predict: what computes the class scores.
        constants: the values of the constants that the texts use, by name.
        trace_decay: a shorthand that declares the spike trace `Trace("x", trace_decay)`; decay per step, in [0, 1).
        traces: declared traces of the neurons, which the texts may read.
        eligibilities: declared traces of the synapses, which texts of weights may read.
        bounds: lowest and highest weight after an update; None for no bounds.
        transmits: what a hidden synapse transmits of a spike, a text of `w` and constants; None for its weight.
        control: whether the rule is a control, whose hidden layers do not learn.
        defaults: the optimiser, the learning rates and other default settings.
        source: the paper and the deviations from it.
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
    transmits: str | None = None
    loss: Literal["cross_entropy", "squared"] = "cross_entropy"
    """The loss of the output y against the label's target: cross-entropy of softmax(y), or |y - target|^2 / 2."""
    targets: tuple[float, float] = (1.0, 0.0)
    """Target outputs for the squared loss: of the labelled class, and of all other classes."""
    errors: Literal["trial", "step"] = "trial"
    """For samples with a single target: whether there is one error, of the average output, known when the trial ends,
    or one error for the output of each scored step."""
    error_phase: str = "input"
    """The phase whose output is compared with the target to compute the error."""
    score_phase: str = "input"
    """The phase whose output gives class scores, if a read-out computes them."""
    teaching: Fraction = 1.0
    """The probability of a step to teach. At all other steps third factors are 0, those of the read-out too."""
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
        _ = [self.trace_equation(trace).products for trace in self.traces]
        transmission_of(self.name, self.transmits, self.constants)
        if self.eligibilities:
            vocabulary = self._vocabulary(HIDDEN_VARIABLES | READOUT_VARIABLES, "w")
            check_distinct(owner, self.eligibilities, vocabulary.legal() | {"b"})

    @cached_property
    def declared_traces(self) -> dict[str, Trace]:
        """The declared traces of the neurons, by name, in the order of their declaration."""
        return {trace.name: trace for trace in self.traces}

    @property
    def declarations(self) -> tuple[str, ...]:
        """A line for each name that the texts read beside the neurons' own variables."""
        lines = [f"{name} = {value:g}" for name, value in self.constants.items()]
        lines += [f"{trace.show()}, of every neuron" for trace in self.traces]
        lines += [] if self.transmits is None else [f"a spike brings {self.transmits}, and not w"]
        for e in self.eligibilities:
            size = "B x I" if self.equation(Plasticity("w", e.name)).is_trace(e.name) else "B x O x I"
            lines.append(f"{e.show()}, of every synapse ({size} numbers per layer where it runs step by step)")
        past = frozenset().union(*(self.equation(p).past for p in self.plasticity))
        lines += sorted({"before(x) is x without what this step has brought" for c in past if c.function == "before"})
        lines += sorted({"delay(a, n)[t] = a[t-n], 0 before the first step" for c in past if c.function == "delay"})
        return tuple(lines)

    def equation(self, plasticity: Plasticity) -> Equation:
        """The text of one `Plasticity`, with its names checked."""
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
        """The text of a declared trace, written for the postsynaptic neuron: `S` becomes `S_post`."""
        text = show(at(trace.expression, "post", self.constants))
        return Equation(text, self._vocabulary(HIDDEN_VARIABLES, "w"), f"rule '{self.name}', trace '{trace.name}'")

    def settle(self, config: TrainConfig) -> SettledConfig:
        """Complete a configuration: settings that the user left open get this rule's values.

        If the user names an optimizer, the read-out uses it too. With optimizer "none", changes are applied at rate 1.

        Raises:
            UserError: the configuration has a learning signal or a text, but the rule is a control whose hidden layers
                do not learn.
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
        """Refuse settings that would make the hidden layers of a control learn.

        Args:
            signal: the learning signal that the user chose; None for none.
            dw: the text of hidden weights that the user chose; None for none.

        Raises:
            UserError: the rule is a control, and one of the two is given.
        """
        option = "--signal" if signal is not None else "--dw"
        if self.control and (signal is not None or dw is not None):
            raise UserError(
                f"{option} makes hidden layers learn, and rule '{self.name}' is the control in which they stay as they "
                f"were drawn. Leave {option} out, or give it to a rule that learns: --rule dfa"
            )

    def phase(self, name: str) -> Phase:
        """The phase of this name; the rule must have it."""
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
        """Whether hidden layers learn from labels or errors. A reward, one number per sample, counts as an error."""
        return self.signal is not None and self.signal.name != "reward"
