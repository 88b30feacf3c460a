"""Write a rule's text, a checked sum of products, as statements of Brian2 synapses or neurons ("lowering").

A product with the factor `S_pre` changes a synapse when a presynaptic spike arrives, one with `S_post` when the neuron
fires, and any other product changes it at every step. All statements run in one slot at the end of a step, when its
spikes, membranes and traces have been computed, so that they sum to the same number as on the torch path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurorules.brian2_steps.expression_texts import ELIGIBILITY_PREFIX, LATE, Place, Writer
from neurorules.language.equations import Equation, one_step_before
from neurorules.language.errors import UserError
from neurorules.language.expressions import Binary, Expression, Name, names_in
from neurorules.language.normal_form import Product
from neurorules.language.rules import Rule
from neurorules.language.vocabulary import ELIGIBILITY
from neurorules.neurons import NEURONS


@dataclass(frozen=True)
class Lowered:
    """The statements of one text.

    Args:
        on_pre: those that run at a presynaptic spike.
        on_post: those that run at a postsynaptic spike.
        every_step: those that run at every step.
        traces: by variable of a declared eligibility, the statement that advances it before the rule acts.
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
        """Whether some statement of the rule contains a name."""
        return any(name in line for line in self.on_pre + self.on_post + self.every_step)


def lower_synaptic(equation: Equation, place: Place) -> Lowered:
    """Write the text of a weight as statements of synapses.

    Args:
        equation: the checked text.
        place: the connection at which it acts.

    Returns:
        The statements, one for each group of products with the same presynaptic and weight factors.

    Raises:
        UserError: the text reads `dv_dw` or an eligibility other than as a single factor.
    """
    lowered = Lowered()
    declared = set(equation.vocabulary.eligibilities)
    for number, ((pre, weight), products) in enumerate(_groups(equation).items()):
        writer = Writer(equation, place, "_post", number)
        post = writer.sum(products)
        factors = [_uncentred(factor, place) for factor in pre]
        line = f"{place.change} += " + "*".join([post, *(writer.text(factor) for factor in (*factors, *weight))])
        read = declared & {name for factor in pre for name in names_in(factor)}
        if read:
            lowered += Lowered(every_step=(line,), traces=_moved(equation, read.pop(), place))
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
    """Write the text of a neuron's own parameter, such as its bias, as statements of neurons.

    Args:
        equation: the checked text.
        place: the layer at which it acts, with the name of the parameter.

    Returns:
        The statements, all of which run at every step.

    Raises:
        UserError: the text reads a presynaptic variable or the weight, which a neuron's parameter does not have.
    """
    lowered = Lowered()
    for number, ((pre, weight), products) in enumerate(_groups(equation).items()):
        writer = Writer(equation, place, "", number)
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
    """The reason why a rule cannot learn step by step in Brian2, as a clause; None if it can.

    Its neuron and its texts must have a form in Brian2, and no factor may depend on a later step.
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
    """Reduce `S_pre - mean_pre` to `S_pre` if no mean is subtracted, since it is then 0 without a spike."""
    match factor:
        case Binary("-", left, Name("mean_pre")) if not place.centred:
            return left
    return factor


def _groups(equation: Equation) -> dict[Key, list[Product]]:
    """Group products by their presynaptic and weight factors, as the running means of updates are."""
    groups: dict[Key, list[Product]] = {}
    for product in equation.products:
        equation.eligible(product)  # This raises an error if an eligibility is not a single factor.
        groups.setdefault((product.pre, product.weight), []).append(product)
    return groups


def _moved(equation: Equation, name: str, place: Place) -> dict[str, str]:
    """The variables of a declared eligibility and of those in its text, and the statements that advance them by one
    step.

    Each has a second variable for its value of the previous step, if a text reads that.
    """
    text, terms, moves = equation.eligibility(name), [], dict[str, str]()
    for earlier in text.vocabulary.eligibilities:
        if earlier in set(names_in(text.expression)):
            moves |= _moved(equation, earlier, place)
    for (pre, _), products in _groups(text).items():
        writer = Writer(text, place, "_post", 0)
        factors = [writer.text(_uncentred(factor, place)) for factor in pre]
        terms.append("*".join([writer.sum(products), *factors]))
    variable, decay = f"{ELIGIBILITY_PREFIX}{name}", equation.decay(name)
    if decay is None:
        fading = repr(float(equation.vocabulary.eligibilities[name].decay))
    else:
        fading = f"({Writer(decay, place, '_post', 0).text(decay.expression)})"
    if one_step_before(name) in equation.past:
        moves[f"{variable}{LATE}"] = f"{variable}{LATE} = 1.0*{variable}"
    return {**moves, variable: f"{variable} = {fading}*{variable} + {' + '.join(terms)}"}
