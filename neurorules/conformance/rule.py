"""The checks of rules: texts and declarations are compared with the behaviour on small nets and on digits."""

from __future__ import annotations

import statistics

import torch
from torch import Tensor

from neurorules.audit import audit_rules
from neurorules.conformance.comparison import demand_close, normal, seeded
from neurorules.conformance.in_brian2 import it_learns_in_continuous_time, it_learns_step_by_step_in_brian2_as_in_torch
from neurorules.conformance.small_nets import (
    ROWS,
    awake,
    build,
    facts_of,
    has_rows_of_its_own,
    nets_of,
    samples,
    steps_of,
    trial,
    warmed,
    warmed_alike,
)
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.conformance.training import BATCH_SIZE, EPOCHS, digits_accuracies
from neurorules.contracts.series import Series
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.expressions import COMPARISONS, Binary, Call, Expression, Name
from neurorules.language.rules import Rule
from neurorules.network.model import build_model
from neurorules.rules import RULES
from neurorules.torch_path.forward.run_layer import Carry
from neurorules.torch_path.update.plasticity import ChangeSums, LocalView, learn_layer

SEEDS = 3
"""Number of seeds with which a rule and its control are trained."""
SHORT, LONG = 3, EPOCHS
"""Epochs of the trainings on digits."""
CLEAR = 6
"""Standard errors by which a rule is clearly better than its control after the short training."""
LAYERS = ("hidden1", "hidden2", "hidden3", "readout")
"""Layers of the audit's net, from the bottom up."""


def it_is_a_rule_under_its_own_name(entry: Entry) -> None:
    """Its ENTRY makes a `Rule` whose name is that of its file."""
    rule = demand_instance(entry, Rule)
    right = rule.name == entry.name.replace("-", "_")
    demand(right, "a rule has the name of its file", f"it is called '{rule.name}'", "Make them agree")


def it_says_what_it_is_where_it_comes_from_and_how_it_deviates(entry: Entry) -> None:
    """A line at the top of its module, authors, year and title of its source, and deviations as sentences."""
    rule: Rule = entry.make()
    source = rule.source
    demand(
        bool(entry.registry.summary(entry.name)), "its module says what it is", "it has no docstring", "Write a line"
    )
    whole = bool(source.authors.strip()) and bool(source.title.strip()) and 1900 <= source.year <= 2100
    demand(whole, "a source has authors, a year and a title", f"it is {source}", "Fill in `Source`")
    right = isinstance(source.deviations, tuple) and all(isinstance(d, str) and d.strip() for d in source.deviations)
    demand(right, "deviations are a tuple of sentences", f"they are {source.deviations!r}", "Write (...,) around one")


def its_texts_and_settings_make_a_model(entry: Entry) -> None:
    """Every text parses, the signal serves the phases, and a configuration settles with its own defaults."""
    rule: Rule = entry.make()
    complete = rule.settle(TrainConfig(rule=entry.text))
    wrong = [name for name in ("neuron", "steps", "norm", "lr", "optimizer") if getattr(complete, name) is None]
    demand(not wrong, "its defaults settle a configuration", f"{wrong} stay open", "Give them in `Defaults`")
    nets_of(entry.text)
    roles = {text.role for text in rule.plasticity}
    demand("readout" in roles or rule.predict != "readout", "a read-out learns", "no text is its own", "Add DELTA_RULE")


def a_silent_population_changes_none_of_its_weights(entry: Entry) -> None:
    """Without presynaptic activity, the first layer's weights do not change, unless the rule has a drift."""
    for net in nets_of(entry.text):
        model, learned = build(entry.text, net)
        drifts = any(model.rule.equation(p).drifts for p in model.rule.plasticity if p.parameter == "w")
        drive, labels = samples(steps_of(entry.text))
        result = trial(model, learned, Series(torch.zeros_like(drive.values), False), labels)
        changed = bool(result.gradients.get("hidden1.ff.w", torch.zeros(1)).any())
        advice = "Multiply each product by something presynaptic"
        demand(drifts or not changed, "a silent population changes none of its weights", f"on {net} it did", advice)
        announced = any("drift" in deviation for deviation in entry.make().source.deviations)
        advice = f"{advice}, or tell of the drift in the source's deviations"
        observed = "one has a product without presynaptic factor"
        demand(announced or not drifts, "no text of weights drifts untold", observed, advice)
    if drifts:
        raise NotApplicable("its weights drift without activity, as its source says")


def changes_are_linear_in_the_third_factor(entry: Entry) -> None:
    """Three times the third factor is three times the change, of every parameter of a layer."""
    rule: Rule = entry.make()
    if "m_post" not in rule.hidden_reads:
        raise NotApplicable("its hidden layers read no third factor")
    if all(_compared(rule.equation(p).expression) for p in rule.plasticity if p.role == "hidden"):
        raise NotApplicable("its texts compare the third factor with numbers, and read no size of it")
    model, drawn = build(entry.text, norm="none")
    learned, result = awake(model, drawn, *samples(steps_of(entry.text)))
    layer, activity = model.network.layers[1], result.activity[1]
    m = normal(seeded(2), ROWS, *layer.shape)
    phase = next(p.phase for p in model.rule.plasticity if p.role == "hidden")

    def changes(scale: float) -> dict[str, Tensor]:
        sums = ChangeSums()
        view = LocalView(
            layer, phase, activity, Series(scale * m, True), learned.parameters, model.rule.constants,
            model.rule.declared_traces, Carry(), True,
        )  # fmt: skip
        learn_layer(view, model.texts, {}, sums)
        return sums.changes

    one, three = changes(1.0), changes(3.0)
    moved = one.keys() == three.keys() and any(bool(value.any()) for value in one.values())
    demand(moved, "a third factor changes something", "nothing moved", "Read m_post in the text of the weights")
    for parameter, value in one.items():
        demands = f"the change of {parameter} is linear in m_post"
        demand_close(three[parameter], 3 * value, demands, "Let each product hold m_post once")


def _compared(expression: Expression) -> bool:
    """Whether m_post occurs only in comparisons."""
    match expression:
        case Binary(operator, left, right):
            return operator in COMPARISONS.values() or (_compared(left) and _compared(right))
        case Call(_, arguments):
            return all(_compared(argument) for argument in arguments)
    return expression != Name("m_post")


def the_order_of_a_batch_does_not_matter(entry: Entry) -> None:
    """Samples in another order give the same changes, and the scores in that order."""
    for net in nets_of(entry.text):
        model, learned = warmed_alike(entry.text, net)
        drive, labels = samples(steps_of(entry.text))
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        straight = trial(model, learned, drive, labels)
        mixed = trial(model, learned, Series(drive.values[:, order], False), labels[order])
        demands, advice = "the order of a batch does not matter", "Sum over samples, and number none"
        demand_close(mixed.scores, straight.scores[order], f"{demands} to scores", advice)
        for name, gradient in straight.gradients.items():
            demand_close(mixed.gradients[name], gradient, f"{demands} to {name}", advice, 1e-8)


def no_row_of_a_batch_sees_another_on_its_way_forward(entry: Entry) -> None:
    """Scores and membranes of a sample have the same bits whatever the other samples of the batch are."""
    for net in nets_of(entry.text):
        model, learned = warmed(entry.text, net)
        drive, labels = samples(steps_of(entry.text))
        values = drive.values.clone()
        values[:, 1:] = samples(steps_of(entry.text), seed=9)[0].values[:, 1:]
        mine = trial(model, learned, drive, labels)
        theirs = trial(model, learned, Series(values, False), labels)
        right = torch.equal(mine.scores[0], theirs.scores[0])
        for here, there in zip(mine.activity, theirs.activity, strict=True):
            right = right and torch.equal(here.v.values[:, 0], there.v.values[:, 0])
        advice = "Use a normalisation that reads no batch"
        demand(right, "no row of a batch sees another", f"on {net} other samples changed one", advice)


def changes_add_up_over_the_samples_of_a_batch(entry: Entry) -> None:
    """A batch's change is the mean of its samples' own, where every row is a sample."""
    model, learned = warmed_alike(entry.text)
    drive, labels = samples(steps_of(entry.text))
    if has_rows_of_its_own(model, learned, drive, labels):
        raise NotApplicable("a phase of it runs rows that are not samples, such as one for each class")
    if any(phase.applies for phase in model.rule.phases):
        raise NotApplicable("a phase of it runs with weights that all samples have changed")
    whole = trial(model, learned, drive, labels).gradients
    parts = [trial(model, learned, Series(drive.values[:, [i]], False), labels[[i]]).gradients for i in range(ROWS)]
    for name, gradient in whole.items():
        mean = torch.stack([part[name] for part in parts]).mean(0)
        advice = "Leave the mean over samples to the machine"
        demand_close(gradient, mean, f"the change of {name} is the mean of its samples' own", advice, 1e-8)


def no_statistic_of_the_batch_is_used_by_default(entry: Entry) -> None:
    """Its default normalisation does not read the batch."""
    model, _ = build(entry.text)
    reading = [a.name for a in model.network.layers if a.normalisation is not None and a.normalisation.reads_batch]
    demand(not reading, "no rule reads the batch by default", f"{reading} do", "Set norm to streaming or none")


def by_layer_equals_by_step(entry: Entry) -> None:
    """All steps at once, single steps, and windows of two steps give the same changes, or windows are refused."""
    steps = steps_of(entry.text)
    if steps == 1:
        raise NotApplicable("its neurons have no time")
    model, learned = warmed(entry.text)
    drive, labels = samples(steps)
    whole = trial(model, learned, drive, labels)
    for window in (1, 2):
        try:
            part = trial(model, learned, drive, labels, window)
        except UserError as refusal:
            raise NotApplicable(f"it needs all steps at once: {refusal}") from None
        for name, gradient in whole.gradients.items():
            demands = f"windows of {window} steps change {name} as all steps at once do"
            demand_close(part.gradients[name], gradient, demands, "Keep what a step needs in traces", 1e-8)


def what_it_declares_is_what_perturbation_shows(entry: Entry) -> None:
    """The needs that an audit measures are those that its signal declares, and equal states give equal changes.

    Weights and activity of layers above are read only where the declared needs say so.
    """
    audit = audit_rules([entry.text])
    fact = facts_of(audit)
    rule: Rule = entry.make()
    measured, declared = set(fact["needs"]), set(fact["declared_needs"])
    if any(phase.applies for phase in rule.phases):
        measured -= {"batch_pool"} - declared  # Later passes run with weights that all samples have changed.
    observed = f"measured are {sorted(measured)}, and declared {sorted(declared)}"
    demand(measured == declared, "needs by perturbation are the declared ones", observed, "Correct `needs`")
    observed = f"{fact['state_moves']} move"
    demand(not fact["state_moves"], "state is fixed unless `moves` names it", observed, "Name it in `moves`")
    observed = f"{fact['state_stays']} stay"
    demand(not fact["state_stays"], "what `moves` names moves", observed, "Leave it out of `moves`: it is fixed")
    advice = "Keep it in the signal's state"
    demand(not fact["hidden_memory"], "equal state gives equal changes", "something is kept outside it", advice)
    above = {
        (e["kind"], e["perturbed"])
        for e in audit["entries"]
        if e["kind"] in ("weights", "activity") and e["depends"]
        if LAYERS.index(e["perturbed"]) > LAYERS.index(e["update_of"])
    }
    for kind, needs in (("weights", {"weight_transport", "weight_sign"}), ("activity", {"output_error", "above"})):
        read = any(what == kind for what, _ in above)
        observed = f"they are {'' if read else 'not '}read, and {sorted(declared)} is declared"
        demand(
            read == bool(declared & needs), f"{kind} above are read only where needs say so", observed, "Correct them"
        )


def m_is_available_when_its_signal_says(entry: Entry) -> None:
    """The contribution of a step depends on later steps of the trial exactly if `timing` is not "step"."""
    model, _ = build(entry.text)
    audit = audit_rules([entry.text])
    later = [e["depends"] for e in audit["entries"] if e["kind"] == "later_steps"]
    if model.signal is None or not later:
        raise NotApplicable("it has no signal, or its trials have one step")
    waits = any(later[:-1])
    time = model.third_factor_timing
    observed = f"later steps {'change' if waits else 'do not change'} an update, and `timing` comes to '{time}'"
    demand(waits == (time != "step"), "`timing` says when m is there", observed, "Correct `timing`")


def it_learns_real_digits_better_than_its_frozen_control(entry: Entry) -> None:
    """Its mean test accuracy is higher than that of frozen hidden layers by three standard errors.

    A short training shows that of most rules; the others train for longer.
    """
    rule: Rule = entry.make()
    if rule.control or not rule.supervised:
        raise NotApplicable("it is a control, or learns without labels and errors")
    build_model(build(entry.text)[0].network, rule)
    mean, error = _gain_on_digits(entry.text, SHORT)
    if mean <= CLEAR * error:
        mean, error = _gain_on_digits(entry.text, LONG)
    observed = f"it gains {100 * mean:.1f} +- {100 * error:.1f} points"
    advice = "Try other rates in `Defaults`, or check the sign of its texts"
    demand(mean > 3 * error, "a rule beats its frozen control by three standard errors", observed, advice)


def _gain_on_digits(rule: str, epochs: int) -> tuple[float, float]:
    """The mean gain of a rule over its frozen control after some epochs, and the mean's standard error."""
    learned, frozen = (
        digits_accuracies(rule, SEEDS, control, epochs=epochs, batch_size=BATCH_SIZE) for control in (False, True)
    )
    gains = [a - b for a, b in zip(learned, frozen, strict=True)]
    return statistics.mean(gains), statistics.stdev(gains) / SEEDS**0.5


SUITE = Suite(
    RULES,
    Rule,
    (
        it_is_a_rule_under_its_own_name,
        it_says_what_it_is_where_it_comes_from_and_how_it_deviates,
        its_texts_and_settings_make_a_model,
        a_silent_population_changes_none_of_its_weights,
        changes_are_linear_in_the_third_factor,
        the_order_of_a_batch_does_not_matter,
        no_row_of_a_batch_sees_another_on_its_way_forward,
        changes_add_up_over_the_samples_of_a_batch,
        no_statistic_of_the_batch_is_used_by_default,
        by_layer_equals_by_step,
        what_it_declares_is_what_perturbation_shows,
        m_is_available_when_its_signal_says,
        it_learns_step_by_step_in_brian2_as_in_torch,
        it_learns_in_continuous_time,
        it_learns_real_digits_better_than_its_frozen_control,
    ),
)
