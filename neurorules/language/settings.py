"""The definition of every setting: its name, type, range, default and help text, in four groups.

The command line, configuration files, `TrainConfig`, `Learner` and `train` are generated from these classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

from neurorules.language.ranges import LARGEST, Count, NonNegative, Positive, Range, Steps, Whole

Drawn = Literal["torch", "he", "bounds"]
"""Uniform initial weights: +-1/sqrt(fan-in) as in torch.nn.Linear, +-sqrt(6/fan-in) as in He et al. 2015, or, in hidden
layers, within the rule's bounds."""
Init = Literal["torch", "he", "bounds", "given"]
"""The source of the initial weights: drawn at random, or those of the torch module that is the net."""
Targets = Literal["own", "shuffled"]
"""The targets of hidden layers: the sample's own label and error, or those of its neighbour in the batch."""
Task = Literal["classes", "multilabel", "regression", "classes_per_step", "regression_per_step"]
"""The kind of targets: one class, several labels, values, or a class or values for each step."""
Scores = Literal["membrane", "count", "population"]
"""The source of class scores: the mean of the read-out's membrane over time, the number of its spikes, or the number of
spikes of several read-out neurons for each class."""
PathName = Literal["torch", "continuous"]
"""The machine that runs a network: torch in discrete time steps, or differential equations in continuous time."""


@dataclass(frozen=True)
class Help:
    """The help text of a setting.

    Args:
        text: one or two sentences; the default value is appended.
        place: the position, from 1, in stored files, in the names of rows and in lists of options. Other versions read
            these files, so a setting keeps its place, and a new setting takes the next number.
    """

    text: str
    place: int


@dataclass(frozen=True)
class Alias:
    """An older name of a value, which is still accepted.

    Args:
        word: the older name.
        value: the value that it means and that is stored.
    """

    word: str
    value: str


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """The settings of the network: layers, neurons and initial weights. None leaves a setting to the rule."""

    net: Annotated[
        str,
        Help(
            "Hidden layers, such as 800-800 or c16k3-p2-128: 400 dense, c32k5 convolution (v valid, s2 stride), "
            "r128 recurrent, n normalisation, p2/a2 pooling, d0.1 dropout; module:function that returns a "
            "torch.nn.Module; or a file of NIR, net.nir:unit=ms.",
            3,
        ),
    ] = "64-64"
    neuron: Annotated[
        str | None,
        Help("Neuron of the hidden layers with options, such as lif:beta=0.9; by default the rule's own.", 4),
    ] = None
    readout_neuron: Annotated[
        str | None, Help("Neuron of the read-out, such as leaky_readout:beta=0.9; by default the rule's own.", 5)
    ] = None
    steps: Annotated[Steps | None, Help("Time steps per sample; by default the rule's own.", 6)] = None
    connection: Annotated[
        str | None,
        Help("Connection between flat populations with options, such as ring; by default the rule's own, or dense.", 7),
    ] = None
    norm: Annotated[
        str | None,
        Help("Normalisation of hidden layers: streaming, batch or none; by default the rule's own.", 18),
    ] = None
    init: Annotated[
        Init | None,
        Help(
            "Initial weights: torch (+-1/sqrt(fan-in)), he (+-sqrt(6/fan-in)) or, in hidden layers, bounds (those of "
            "the rule); by default the rule's own. given: those of a net of modules, the default of train for it.",
            19,
        ),
    ] = None
    readout: Annotated[Literal["last", "all"], Help("Hidden layers that the read-out reads: last or all.", 20)] = "last"
    scores: Annotated[
        Scores,
        Help(
            "Class scores: membrane, the read-out's mean over time; count, the spikes of a read-out that spikes; or "
            "population, those of several read-out neurons for each class of a module.",
            33,
        ),
    ] = "membrane"


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """The settings of the rule, of parts that replace its own, and of the order in which layers learn."""

    rule: Annotated[str, Help("Learning rule with options, such as sigprop:form=voltage (see: list rules).", 1)] = (
        field(default="sigprop", kw_only=False)
    )
    schedule: Annotated[
        str,
        Help(
            "by_layer; pipelined: each layer learns from a batch before the next layer sees it, and torchrun divides "
            "layers over ranks; pipelined_threads: one thread per layer; by_step; or a number of steps at a time.",
            21,
        ),
    ] = "by_layer"
    signal: Annotated[
        str | None,
        Help(
            "Replaces the rule's learning signal, such as dfa (see: list signals). In a comparison several, "
            "comma-separated, make rows of each rule; bptt and controls keep their own.",
            29,
        ),
    ] = None
    dw: Annotated[
        str | None,
        Help(
            "Replaces the text of the hidden weights, such as '-m_post * psi(v_post) * S_pre'. In a comparison bptt "
            "and controls keep their own.",
            30,
        ),
    ] = None
    targets: Annotated[
        Targets,
        Help("own; or shuffled, a control: hidden layers get the targets of another sample of the batch.", 31),
    ] = "own"


@dataclass(frozen=True, kw_only=True)
class LearningSettings(RuleSettings):
    """The settings of learning: the rule, the optimiser and its rates, the device and the precision."""

    optimizer: Annotated[
        str | None, Help("Optimiser, such as sgd, momentum, adam:beta1=0.8 or none; by default the rule's own.", 11)
    ] = None
    readout_optimizer: Annotated[
        str | None,
        Help("Optimiser of the read-out, such as sgd; by default --optimizer if given, else the rule's own.", 12),
    ] = None
    lr: Annotated[NonNegative | None, Help("Learning rate of the hidden layers; by default the rule's own.", 13)] = None
    readout_lr: Annotated[NonNegative | None, Help("Learning rate of the read-out; by default the rule's own.", 14)] = (
        None
    )
    signal_lr: Annotated[
        NonNegative | None,
        Help("Learning rate of the learning signal's own parameters; by default the rule's own.", 15),
    ] = None
    weight_decay: Annotated[NonNegative, Help("L2 weight decay.", 17)] = 0.0
    weight_sum: Annotated[
        Positive | None,
        Help(
            "Sum of the absolute weights of each hidden neuron in a connection, such as 78: they are scaled to it at "
            "the start and after each update. By default they are not.",
            35,
        ),
    ] = None
    seed: Annotated[Whole, Help("Seed of weights, data order and all random numbers.", 22)] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Help("Device for torch: auto, cpu or cuda.", 25)] = "auto"
    hardware: Annotated[
        str,
        Help("Hardware model to learn on, such as fixed_point:bits=6; several joined by + (see: list hardware).", 27),
    ] = "none"
    precision: Annotated[
        Literal["float32", "float64", "fast"],
        Help("Precision: float32, float64, or fast (rounded products).", 28),
    ] = "float32"
    last_steps: Annotated[
        Count | None,
        Help("Number of last steps of a trial that are scored and contribute to the error; all by default.", 34),
    ] = None


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The settings of the data: which samples, and how many. None leaves a setting to the data set."""

    data: Annotated[
        str,
        Help(
            "Data set, such as mnist; a path: an .npz, a folder of idx files or of N-MNIST recordings; "
            "tonic:NAME:frames=20; folder:DIR of pictures; or module:function that returns (train, test).",
            2,
        ),
    ] = "digits"
    encode: Annotated[
        str | None,
        Help("Encoder, such as poisson:max_rate=0.5 (see: list encoders); by default the data set's own.", 8),
    ] = None
    limit: Annotated[
        Annotated[int, Range(f"[2, {LARGEST}]")] | None, Help("Number of training samples; all by default.", 23)
    ] = None
    validation: Annotated[
        Whole | None, Help("Training samples to hold out for validation; by default a tenth, at most 5,000.", 24)
    ] = None
    augment: Annotated[
        str | None, Help("Random changes of training pictures, such as shift:pixels=1+flip; none by default.", 36)
    ] = None


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of one training run: its epochs, batches and machine."""

    epochs: Annotated[Count, Help("Passes over the training samples.", 9)] = 3
    batch_size: Annotated[Count, Help("Samples per trial, in total over all ranks.", 10)] = 128
    lr_schedule: Annotated[
        str,
        Help("Course of the rates: cosine or linear:warmup=0.1 (to 0), constant, or steps:at=60-90:factor=0.1.", 16),
    ] = "cosine"
    path: Annotated[
        PathName,
        Help("Machine: torch, or continuous: the rule as differential equations in Brian2 (older name: brian2).", 26),
        Alias("brian2", "continuous"),
    ] = "torch"
    threads: Annotated[Count | None, Help("CPU threads; by default as many as are useful.", 32)] = None


@dataclass(frozen=True)
class Defaults:
    """The values that a rule gives to settings that the user leaves open. Each field has the meaning of the setting of
    the same name.
    """

    neuron: str = "if"
    readout_neuron: str = "leaky_readout"
    steps: Steps = 8
    norm: str = "streaming"
    init: Init = "torch"
    connection: str = "dense"
    optimizer: str = "adam"
    readout_optimizer: str = "adam"
    lr: NonNegative = 3e-3
    readout_lr: NonNegative = 3e-3
    signal_lr: NonNegative = 1e-2


GROUPS: Mapping[str, type[Any]] = {
    "net": NetSettings,
    "learning": LearningSettings,
    "data": DataSettings,
    "run": RunSettings,
}


class Setting(NamedTuple):
    """One setting, as its group declares it.

    name: the name in configuration files; the option of the command line has hyphens instead of underscores. group: a
    key of `GROUPS`. kind: the annotated type, with its range. default: the value if none is given. help: the help text.
    aliases: older names of its values.
    """

    name: str
    group: str
    kind: Any
    default: Any
    help: Help
    aliases: tuple[Alias, ...]


@cache
def settings_of(kind: type[Any]) -> Mapping[str, Setting]:
    """The settings among the fields of a dataclass, by name, in the order of their places.

    Args:
        kind: a dataclass that inherits from the groups of settings.

    Returns:
        One `Setting` for each field that a group declares.
    """
    declared = sorted(
        (setting for name, group in GROUPS.items() if issubclass(kind, group) for setting in _declared(name, group)),
        key=lambda setting: setting.help.place,
    )
    return {setting.name: setting for setting in declared}


def _declared(name: str, group: type[Any]) -> Iterator[Setting]:
    hints = get_type_hints(group, include_extras=True)
    for one in fields(group):
        kind = hints[one.name]
        extras = get_args(kind)[1:]
        help_ = next(extra for extra in extras if isinstance(extra, Help))
        aliases = tuple(extra for extra in extras if isinstance(extra, Alias))
        yield Setting(one.name, name, kind, one.default, help_, aliases)
