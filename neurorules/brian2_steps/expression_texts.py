"""Write the factors of a rule's text as expressions of Brian2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurorules.brian2_steps.history import BEFORE, DELAYED, variable_of
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.equations import Equation
from neurorules.language.expressions import PAST, Binary, Call, Expression, Name, Number
from neurorules.language.neuron_trace import SPIKES, at
from neurorules.language.normal_form import Product
from neurorules.language.rules import Statistics

ELIGIBILITY_PREFIX = "eligibility_"
"""The beginning of the variable of a declared eligibility, whose own name, such as e, may be reserved in Brian2."""
LATE = "_late"
"""The end of the variable that holds an eligibility of the previous step."""


@dataclass(frozen=True)
class Place:
    """The place where a text acts: the synapses of one connection, or the neurons of one layer.

    Args:
        surrogate: psi of the postsynaptic neuron; None for psi = 1.
        normalised: whether the neuron's current is normalised. Otherwise `through_norm` is the identity.
        late: whether presynaptic spikes arrive one step late, as those of a recurrent connection do.
        centred: whether the running means of presynaptic neurons are subtracted. Otherwise `mean_pre` is 0.
        parameter: name of the parameter that changes.
        psi: psi as text, with {v} for the membrane, of a neuron whose psi is not that of `surrogate` alone.
        statistics: how `through_norm` treats the statistics of the normalisation (`Plasticity.statistics`).
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
        """The variable that sums the parameter's change."""
        return f"{self.parameter}_change"

    @property
    def arriving(self) -> str:
        """The expression of the activity that arrives at the synapse in a step."""
        spikes = "S_late_pre" if self.late else "S_pre"
        return f"({spikes} - mean_in)" if self.centred else spikes

    def statistic(self, quantity: str, group: int) -> str:
        """Name the variable of a running mean of updates.

        Args:
            quantity: "d_mean" for the mean of the postsynaptic factor d, "d_product" for that of d I^.
            group: number of the group of products in the text.

        Returns:
            The name of a constant of the neuron, without a suffix.
        """
        return f"{quantity}_{self.parameter}_{group}"


@dataclass(frozen=True)
class Writer:
    """Writes the expressions of one group of products in Brian2's syntax.

    Args:
        equation: the checked text of the rule.
        place: where the text acts.
        suffix: the end of the names of postsynaptic variables: "_post" in synapses, "" in neurons.
        group: number of the group, which names its running means.
    """

    equation: Equation
    place: Place
    suffix: str
    group: int

    def sum(self, products: list[Product]) -> str:
        """The sum of the products' coefficients, constants and postsynaptic factors, in brackets if there are more."""
        texts = [self._product(product) for product in products]
        return texts[0] if len(texts) == 1 else f"({' + '.join(texts)})"

    def _product(self, product: Product) -> str:
        factors = [self.text(factor) for factor in (*product.constant, *product.post)]
        if abs(product.coefficient) != 1.0 or not factors:
            factors.insert(0, repr(abs(product.coefficient)))
        return ("-" if product.coefficient < 0 else "") + "*".join(factors)

    def text(self, expression: Expression) -> str:
        """Write one expression of the rule's language."""
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
        if name == "kept_post":
            return "1.0"  # Dropout of a layer that learns has been refused (`wiring.pools_of`).
        if name == "i_post":
            return f"I{self.suffix}"
        if name == "mean_pre":
            return "mean_in" if self.place.centred else "0.0"
        if name in self.equation.vocabulary.eligibilities:
            return ELIGIBILITY_PREFIX + name
        stem, _, side = name.rpartition("_")
        if stem in (SPIKES, *self.equation.vocabulary.traces):
            return self._at_neuron(variable_of(stem), side)
        return name.removesuffix("_post") + self.suffix if name.endswith("_post") else name

    def _at_neuron(self, variable: str, side: str) -> str:
        """A variable of the neuron at one end of the synapse; presynaptic spikes may arrive a step late."""
        if side == "post":
            return f"{variable}{self.suffix}"
        return f"{variable}_late_pre" if self.place.late else f"{variable}_pre"

    def _past(self, function: str, arguments: tuple[Expression, ...]) -> str:
        assert isinstance(arguments[0], Name)
        if arguments[0].text in self.equation.vocabulary.eligibilities:
            return f"{ELIGIBILITY_PREFIX}{arguments[0].text}{LATE}"
        stem, _, side = arguments[0].text.rpartition("_")
        match function, arguments:
            case ("delay", (_, Number(ago))):
                late = self.place.late and side == "pre"
                return f"{variable_of(stem)}{DELAYED}{int(ago) + late}{'_pre' if side == 'pre' else self.suffix}"
        trace = self.equation.vocabulary.traces[stem]
        if trace.spikes == "nearest":
            return self._at_neuron(f"{variable_of(stem)}{BEFORE}", side)
        brought = at(trace.expression, "pre" if side == "pre" else "post", self.equation.vocabulary.constants)
        return f"({self._name(arguments[0].text)} - {self.text(brought)})"

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
        """Pass a statement that reads `dv_dw` through the adjoint of the normalisation, which needs no later step.

        The membrane's adjoint R[t] sums over later steps, and that of the normalisation follows it. Both are linear,
        so the sum over t of (R[t] - E[d] - I^[t] E[d I^]) s[t], where s is what arrives, equals the sum of
        post[t] dv_dw[t] - (E[d] + I^[t] E[d I^]) s[t], whose terms depend on no later step.

        Args:
            line: the statement "change += value".
            weight: weight factors of the group.

        Returns:
            The statement with the additional terms; the same statement where the current is not normalised.
        """
        if not self.place.normalised:
            return line
        change, value = line.split(" += ")
        if self.place.statistics == "held":
            return f"{change} += gain{self.suffix}*{value}"
        mean, product = self._expected()
        scale = "*".join([f"gain{self.suffix}", *(self.text(factor) for factor in weight)])
        return f"{change} += gain{self.suffix}*{value} - ({mean} + {product})*{scale}*{self.place.arriving}"
