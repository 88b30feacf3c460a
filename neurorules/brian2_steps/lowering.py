"""From a rule's checked text, a sum of products, to statements of Brian2 `Synapses` (and of a population's biases).

A product that carries `S_pre` changes its synapses when a presynaptic spike arrives, one that carries `S_post` when
the neuron fires, any other one at every step. All run in one slot at the end of the step, when spikes, membranes and
traces of that step are known, so that the same sum results as over the tensors of the torch path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurorules.brian2_steps.history import DELAYED
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.equations import ELIGIBILITY, Equation, Product
from neurorules.language.errors import UserError
from neurorules.language.expressions import PAST, Binary, Call, Expression, Name, Number
from neurorules.language.rules import Rule, Statistics
from neurorules.neurons import NEURONS

LINGERING = "eligibility_"
"""Declared eligibilities' variables begin so: their own names, such as e, may be Brian2's."""


@dataclass(frozen=True)
class Place:
    """Where a text acts.

    Args:
        surrogate: psi of the postsynaptic neuron; None for psi = 1.
        normalised: whether its current is normalised, so that `through_norm` is more than the identity.
        late: whether presynaptic spikes arrive one step late (a recurrent connection).
        centred: whether running means of the inputs are taken away, so that `mean_pre` is more than 0.
        parameter: whose change it is.
        psi: text of psi with {v} for the membrane, where it is not that of a surrogate.
        statistics: of the way back through the normalisation (`Plasticity.statistics`).
    """

    surrogate: Surrogate | None
    normalised: bool
    late: bool = False
    centred: bool = False
    parameter: str = "w"
    psi: str | None = None
    statistics: Statistics = "moving"

    @property
    def change(self) -> str:
        """Variable that gathers the change."""
        return f"{self.parameter}_change"

    @property
    def arriving(self) -> str:
        """What a step brings to the synapse."""
        spikes = "S_late_pre" if self.late else "S_pre"
        return f"({spikes} - mean_in)" if self.centred else spikes

    def statistic(self, quantity: str, group: int) -> str:
        """Constant of the neuron: mean of an update d (`d_mean`) or of d I^ (`d_product`), by group of products."""
        return f"{quantity}_{self.parameter}_{group}"


@dataclass(frozen=True)
class Lowered:
    """Statements of one text: at a presynaptic spike, at a postsynaptic one, at every step.

    traces: of eligibilities that it reads, what moves each on at every step before the rule acts, by variable.
    """

    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    every_step: tuple[str, ...] = ()
    traces: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Lowered) -> Lowered:
        return Lowered(
            self.on_pre + other.on_pre, self.on_post + other.on_post, self.every_step + other.every_step,
            {**self.traces, **other.traces},
        )  # fmt: skip

    def reads(self, name: str) -> bool:
        """Whether some statement reads a variable."""
        return any(name in line for line in self.on_pre + self.on_post + self.every_step)


def lower_synaptic(equation: Equation, place: Place) -> Lowered:
    """Statements for the weights of one connection.

    Raises:
        UserError: a name or a use of `dv_dw` that synapses do not carry.
    """
    lowered, lingering = Lowered(), {Name(name) for name in equation.vocabulary.eligibilities}
    for number, ((pre, weight), products) in enumerate(_groups(equation).items()):
        writer = _Writer(equation, place, "_post", number)
        post = writer.sum(products)
        factors = [_uncentred(factor, place) for factor in pre]
        line = f"{place.change} += " + "*".join([post, *(writer.text(factor) for factor in (*factors, *weight))])
        if pre and pre[0] in lingering:
            lowered += Lowered(every_step=(line,), traces=_lingering(equation, products[0], place))
        elif pre == (Name(ELIGIBILITY),):
            lowered += Lowered(every_step=(writer.through_norm_of_eligibility(line, weight),))
        elif Name("S_pre") in factors and not place.late:
            lowered += Lowered(on_pre=(line,))
        elif all(Name("S_post") in product.post for product in products):
            lowered += Lowered(on_post=(line,))
        else:
            lowered += Lowered(every_step=(line,))
    return lowered


def lower_neuronal(equation: Equation, place: Place) -> Lowered:
    """Statements for a parameter of the neuron itself, such as its bias.

    Raises:
        UserError: a presynaptic factor or the weight, which a neuron's own parameter does not have.
    """
    lowered = Lowered()
    for number, ((pre, weight), products) in enumerate(_groups(equation).items()):
        writer = _Writer(equation, place, "", number)
        eligible = pre == (Name(ELIGIBILITY),)
        if weight or (pre and not eligible):
            raise UserError(
                f"{equation.owner}: the text '{equation.text}' of `{place.parameter}` has a presynaptic or a weight "
                f"factor, but `{place.parameter}` belongs to a neuron. Write postsynaptic factors, or dv_dw"
            )
        line = f"{place.change} += {writer.sum(products)}" + ("*dv_dI" if eligible else "")
        lowered += Lowered(every_step=(line,))
    return lowered


def can_lower(rule: Rule) -> bool:
    """Whether a rule can learn step by step in Brian2."""
    return why_not_lowered(rule) is None


def why_not_lowered(rule: Rule) -> str | None:
    """Why a rule cannot learn step by step in Brian2, as a clause; None where it can.

    Its neurons and texts need a lowering, and no factor may need a step to come.
    """
    if rule.signal is not None and "history" in rule.signal.make().needs:
        return f"its signal '{rule.signal.name}' goes back through all steps, and Brian2 runs forward alone"
    for phase in rule.phases:
        if phase.linear:
            return f"its phase '{phase.name}' carries a small current through a linearised net, which has no spikes"
        if phase.applies:
            return f"its phase '{phase.name}' changes weights before the next phase runs"
    try:
        NEURONS.make(rule.defaults.neuron).brian2()
        for plasticity in rule.plasticity:
            place = Place(None, normalised=True, parameter=plasticity.parameter)
            (lower_synaptic if plasticity.parameter == "w" else lower_neuronal)(rule.equation(plasticity), place)
    except UserError as error:
        return str(error)
    return None


Key = tuple[tuple[Expression, ...], tuple[Expression, ...]]


def _uncentred(factor: Expression, place: Place) -> Expression:
    """`S_pre - mean_pre` is `S_pre` where no mean is taken away, and then changes nothing without a spike."""
    match factor:
        case Binary("-", left, Name("mean_pre")) if not place.centred:
            return left
    return factor


def _groups(equation: Equation) -> dict[Key, list[Product]]:
    """Products by their presynaptic and weight factors: statistics of a normalised update belong to such a group."""
    groups: dict[Key, list[Product]] = {}
    for product in equation.products:
        equation.eligible(product)  # refuses one that does not stand alone
        groups.setdefault((product.pre, product.weight), []).append(product)
    return groups


def _lingering(equation: Equation, product: Product, place: Place) -> dict[str, str]:
    """The declared eligibility that a product reads, as one variable a synapse and what moves it on."""
    name = equation.eligible(product)
    assert name is not None
    text, terms = equation.eligibility(name), []
    for (pre, _), products in _groups(text).items():
        writer = _Writer(text, place, "_post", 0)
        factors = [writer.text(_uncentred(factor, place)) for factor in pre]
        terms.append("*".join([writer.sum(products), *factors]))
    variable, decay = f"{LINGERING}{name}", equation.vocabulary.eligibilities[name].decay
    return {variable: f"{variable} = {float(decay)!r}*{variable} + {' + '.join(terms)}"}


@dataclass(frozen=True)
class _Writer:
    """Writes expressions of one group as Brian2 text; `suffix` is what postsynaptic variables carry there."""

    equation: Equation
    place: Place
    suffix: str
    group: int

    def sum(self, products: list[Product]) -> str:
        """Post factors, coefficients and constants of products, in brackets where there are several."""
        texts = [self._product(product) for product in products]
        return texts[0] if len(texts) == 1 else f"({' + '.join(texts)})"

    def _product(self, product: Product) -> str:
        factors = [self.text(factor) for factor in (*product.constant, *product.post)]
        if abs(product.coefficient) != 1.0 or not factors:
            factors.insert(0, repr(abs(product.coefficient)))
        return ("-" if product.coefficient < 0 else "") + "*".join(factors)

    def text(self, expression: Expression) -> str:
        """One expression."""
        match expression:
            case Number(value):
                return repr(value) if value >= 0 else f"({value!r})"
            case Name(text):
                return self._name(text)
            case Call(function, arguments) if function in PAST:
                return self._past(function, arguments)
            case Call(function, arguments):
                return self._call(function, [self.text(argument) for argument in arguments])
            case Binary("*", Number(-1.0), right):
                return f"(-{self.text(right)})"
            case Binary(operator, left, right) if operator in (">", ">=", "<", "<="):
                return f"int({self.text(left)} {operator} {self.text(right)})"
            case Binary(operator, left, right):
                return f"({self.text(left)} {operator} {self.text(right)})"

    def _name(self, name: str) -> str:
        constants: Mapping[str, float] = self.equation.vocabulary.constants
        if name in constants:
            return self.text(Number(float(constants[name])))
        if name == "v_pre":
            raise UserError(
                f"{self.equation.owner} reads `v_pre`, but connections carry spikes and traces, not membranes"
            )
        if name == "kept_post":
            return "1.0"  # a layer that learns has no dropout here (`wiring`)
        if name == "mean_pre":
            return "mean_in" if self.place.centred else "0.0"
        if name in self.equation.vocabulary.eligibilities:
            return LINGERING + name
        if name in ("S_pre", "x_pre") and self.place.late:
            return f"{name[0]}_late_pre"
        return name.removesuffix("_post") + self.suffix if name.endswith("_post") else name

    def _past(self, function: str, arguments: tuple[Expression, ...]) -> str:
        match function, arguments:
            case ("delay", (Name(name), Number(ago))):
                return f"{name[0]}{DELAYED}{int(ago) + self.place.late}_pre"
            case (_, (Name(name),)):
                return f"({self._name(name)} - {self._name(name.replace('x', 'S', 1))})"
        raise AssertionError(function)

    def _call(self, function: str, arguments: list[str]) -> str:
        match function:
            case "psi":
                if self.place.psi is not None:
                    return f"({self.place.psi.format(v=arguments[0])})"
                if self.place.surrogate is None:
                    return "1.0"
                return psi_text(self.place.surrogate, f"({arguments[0]} - v_threshold{self.suffix})")
            case "through_norm":
                return self._through_norm(arguments[0])
            case "relu":
                return f"clip({arguments[0]}, 0.0, inf)"
            case "min":
                return f"clip({arguments[0]}, -inf, {arguments[1]})"
            case "max":
                return f"clip({arguments[0]}, {arguments[1]}, inf)"
        return f"{function}({', '.join(arguments)})"

    def _through_norm(self, post: str) -> str:
        if not self.place.normalised:
            return post
        if self.place.statistics == "held":
            return f"({post}*gain{self.suffix})"
        mean, product = self._expected()
        return f"(({post} - {mean} - {product})*gain{self.suffix})"

    def _expected(self) -> tuple[str, str]:
        mean, product = (self.place.statistic(quantity, self.group) for quantity in ("d_mean", "d_product"))
        return f"{mean}{self.suffix}", f"I_hat{self.suffix}*{product}{self.suffix}"

    def through_norm_of_eligibility(self, line: str, weight: tuple[Expression, ...]) -> str:
        """The adjoint of the membrane comes before that of the normalisation, so it takes the sum over the trial.

        Both are linear: sum over t of (R[t] - E[d] - I^[t] E[d I^]) s[t], with R the membrane's adjoint and s what
        arrives, is the sum of post[t] dv_dw[t] - (E[d] + I^[t] E[d I^]) s[t], which needs no step to come.
        """
        if not self.place.normalised:
            return line
        change, value = line.split(" += ")
        if self.place.statistics == "held":
            return f"{change} += gain{self.suffix}*{value}"
        mean, product = self._expected()
        scale = "*".join([f"gain{self.suffix}", *(self.text(factor) for factor in weight)])
        return f"{change} += gain{self.suffix}*{value} - ({mean} + {product})*{scale}*{self.place.arriving}"
