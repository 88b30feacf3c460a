"""The checks of signals: m depends only on the declared needs, and the whole state is visible and stored."""

from __future__ import annotations

import fnmatch
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from neurorules.audit import audit_rules
from neurorules.conformance.comparison import demand_session_left_alone, equal, tensors_in
from neurorules.conformance.small_nets import (
    CLASSES,
    NETS,
    SHAPE,
    build,
    facts_of,
    nets_of,
    samples,
    steps_of,
    trial,
    warmed,
)
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.running_mean import RunningMean
from neurorules.contracts.signal import Signal
from neurorules.contracts.view import NEEDS, Every, Summary
from neurorules.language.errors import RAISED, UserError
from neurorules.language.rules import Rule
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.torch_path.training.learner import Learner

TIMES_OF_M = ("step", "error", "phase", "trial")
"""Legal values of the attribute `timing` of a signal."""
PLAIN_HOST = "dfa"
"""A rule of one phase, which runs any signal that needs no phases of its own."""


def host_of(entry: Entry) -> tuple[str, str | None]:
    """Find a rule that runs the signal.

    The second result is the text of the signal that replaces the rule's own; None if it is the rule's own.

    Raises:
        NotApplicable: no rule runs the phases that the signal needs.
    """
    refusals = []
    for name in RULES.names():
        rule: Rule = RULES.make(name)
        if rule.signal is not None and rule.signal.name == entry.name:
            return name, None if entry.text == entry.name else entry.text
    for name in (PLAIN_HOST, *RULES.names()):
        try:
            build(name, signal=entry.text)
        except UserError as refusal:
            refusals.append(str(refusal))
            continue
        return name, entry.text
    raise NotApplicable(f"no rule runs it, so check a rule that does: {refusals[0]}")


def learner_of(
    entry: Entry, net: str = NETS[0], dtype: Literal["float32", "float64"] = "float64"
) -> tuple[Learner, int]:
    """Make a learner whose hidden layers learn from the signal.

    Args:
        entry: the signal.
        net: hidden layers of the net.
        dtype: precision of the net.

    Returns:
        The learner, which runs the rule of `host_of`, and the number of time steps T.
    """
    rule, signal = host_of(entry)
    steps = steps_of(rule)
    learner = Learner(
        net, rule, input_shape=SHAPE, classes=CLASSES, steps=steps, device="cpu", precision=dtype, signal=signal
    )
    return learner, steps


def learn(learner: Learner, steps: int, seeds: range) -> None:
    """Learn one batch for each seed.

    Args:
        learner: the learner, which changes.
        steps: number of time steps T of a batch.
        seeds: seeds of the batches, in order.
    """
    for seed in seeds:
        learner.step(*samples(steps, seed))


def it_is_a_frozen_signal_whose_words_are_of_the_contract(entry: Entry) -> None:
    """A `Signal` whose attributes cannot be set, whose `needs`, `timing`, `summary` and `every` are legal words."""
    signal: Signal = demand_instance(entry, Signal)
    needs = getattr(signal, "needs", None)
    right = isinstance(needs, frozenset) and needs <= NEEDS.keys()
    observed = f"they are {sorted(needs) if isinstance(needs, frozenset) else needs!r}"
    demand(right, f"`needs` are a frozenset of {', '.join(NEEDS)}", observed, "Choose among them")
    words = {"timing": TIMES_OF_M, "summary": (None, *get_args(Summary)), "every": (None, *get_args(Every))}
    for name, legal in words.items():
        value = getattr(signal, name)
        demand(value in legal, f"`{name}` is one of {legal}", f"it is {value!r}", "Choose among them")
    frozen = False
    try:
        signal.needs = signal.needs
    except AttributeError:
        frozen = True
    demand(frozen, "a signal is frozen", "its attributes can be set", "Make it a dataclass(frozen=True)")


def a_net_that_it_does_not_serve_is_refused_by_a_user_error(entry: Entry) -> None:
    """Dense nets, maps and loops are learned on, or refused in one line before anything runs."""
    rule, signal = host_of(entry)
    for net in NETS:
        try:
            model, learned = build(rule, net, signal=signal)
        except UserError:
            demand(net != NETS[0], "a signal serves dense nets", "it refused one", "See `check`")
            continue
        except RAISED as error:
            observed = f"on {net} building raised {type(error).__name__}: {error}"
            demand(False, "a net is served, or refused by UserError", observed, "Refuse it in `check`")
        trial(model, learned, *samples(steps_of(rule)))


def its_state_and_parameters_come_from_the_generator_alone(entry: Entry) -> None:
    """Equal seeds give equal states and parameters, and no global state is changed."""
    one, two = learner_of(entry)[0], learner_of(entry)[0]
    right = equal(one.learned.signal, two.learned.signal) and equal(one.learned.parameters, two.learned.parameters)
    demand(right, "one seed gives one state", "two learners of one seed differ", "Draw from the generator handed in")
    demand_session_left_alone(lambda: learn(*learner_of(entry), range(1)), "a signal")


def m_has_the_shape_of_its_layer_and_teaches_something(entry: Entry) -> None:
    """For each hidden layer m is finite, (B, *shape) or (T, B, *shape), not all 0; constant unless `varies`.

    It may vary as well where steps count one by one.
    """
    rule, signal = host_of(entry)
    for net in nets_of(rule, signal):
        model, learned = warmed(rule, net, signal=signal)
        model_signal: Any = model.signal
        drive, labels = samples(steps_of(rule))
        result = trial(model, learned, drive, labels)
        active, elsewhere = False, True  # elsewhere: m is that of passes other than the samples' own
        for layer in model.network.layers[:-1]:
            m = result.third_factors.get(layer.name)
            if m is None:
                continue
            values, elsewhere = m.values, False
            right = values.shape[-len(layer.shape) :] == layer.shape and bool(values.isfinite().all())
            right = right and values.is_floating_point()
            observed = f"on {net} that of {layer.name} is {tuple(values.shape)}"
            demand(right, f"m is finite and ends in {layer.shape}", observed, "Return a Series of the layer's shape")
            announced = m.constant or model_signal.varies or model.steps_apart
            demand(
                announced, "m is constant unless `varies` is true", "it varies within a trial", "Set `varies = True`"
            )
            active = active or bool(values.any())
        names = {layer.name for layer in model.network.hidden}
        hidden = [name for name in result.gradients if key_of(name).layer in names]
        active = active or (elsewhere and any(bool(result.gradients[name].any()) for name in hidden))
        demand(active, "a signal teaches hidden layers something", f"m is 0 everywhere on {net}", "Check what it reads")


def one_seed_gives_one_m_whatever_else_was_learned(entry: Entry) -> None:
    """A learner ends with the same bits whether or not another learner with the same signal ran in between."""
    first, steps = learner_of(entry)
    learn(first, steps, range(3))
    second, other = learner_of(entry)[0], learner_of(entry)[0]
    for seed in range(3):
        learn(second, steps, range(seed, seed + 1))
        learn(other, steps, range(seed + 20, seed + 21))
    right = equal(first.state(), second.state())
    advice = "Keep everything in the state, nothing in the object or the module"
    demand(right, "one seed gives one m", "another learner of the signal changed what one learns", advice)


def a_run_that_was_stored_goes_on_with_the_same_bits(entry: Entry) -> None:
    """State and parameters are tensors that a checkpoint holds, and all that the signal remembers."""
    through, steps = learner_of(entry)
    learn(through, steps, range(2))
    resumed = learner_of(entry)[0]
    resumed.load({name: value.clone() for name, value in through.state().items()})
    for learner in (through, resumed):
        learn(learner, steps, range(2, 4))
    right = equal(through.state(), resumed.state())
    demand(right, "a stored run goes on with the same bits", "they differ", "Keep all that it remembers in its state")


def tensors_of_its_state_stay_unless_moves_names_them(entry: Entry) -> None:
    """Running means, and exactly those other tensors that `moves` names, change while the net learns."""
    learner, steps = learner_of(entry)
    signal: Any = learner.model.signal
    before = _plain(learner.learned.signal)
    learn(learner, steps, range(4))
    after = _plain(learner.learned.signal)
    moved = [name for name, value in before.items() if name in after and not torch.equal(value, after[name])]
    unsaid = [name for name in moved if not any(fnmatch.fnmatch(name, pattern) for pattern in signal.moves)]
    observed = f"{unsaid} changed, and `moves` names {sorted(signal.moves)}"
    demand(not unsaid, "a tensor of the state is fixed unless `moves` names it", observed, "Name it, or leave it")
    idle = [pattern for pattern in signal.moves if not any(fnmatch.fnmatch(name, pattern) for name in moved)]
    demand(not idle, "what `moves` names changes while the net learns", f"{idle} did not", "Leave out what is fixed")


def _plain(state: dict[str, Any]) -> dict[str, Tensor]:
    """Copy the tensors of a state, except running means, by name."""
    plain = {name: value for name, value in state.items() if not isinstance(value, RunningMean)}
    return {name.lstrip("."): value.clone() for name, value in tensors_in(plain)}


def it_learns_in_the_precision_of_the_net(entry: Entry) -> None:
    """A net in float32 learns as in float64, and m and the gradients have the type of the weights."""
    learner, steps = learner_of(entry, dtype="float32")
    drive, labels = samples(steps)
    result, _ = learner.learn(drive._replace(values=drive.values.float()), labels)
    wrong = [name for name, value in result.gradients.items() if value.dtype != torch.float32]
    demand(not wrong, "gradients have the type of the weights", f"{wrong} have not", "Keep the type of what is read")


def it_reads_what_its_needs_buy_and_perturbation_shows_the_same(entry: Entry) -> None:
    """The measured needs are the declared ones, exactly the tensors in `moves` change, and equal states give equal
    changes."""
    rule, signal = host_of(entry)
    fact = facts_of(audit_rules([rule], signal=signal))
    measured, declared = set(fact["needs"]), set(fact["declared_needs"])
    observed = f"measured are {sorted(measured)}, and declared {sorted(declared)}"
    demand(measured == declared, "needs by perturbation are the declared ones", observed, "Correct `needs`")
    demand(not fact["state_moves"], "state is fixed unless `moves` names it", f"{fact['state_moves']} move", "Name it")
    observed = f"{fact['state_stays']} stay"
    demand(not fact["state_stays"], "what `moves` names moves", observed, "Leave it out: it is fixed")
    advice = "Keep it in the signal's state"
    demand(not fact["hidden_memory"], "equal state gives equal changes", "something is kept outside it", advice)


SUITE = Suite(
    SIGNALS,
    Signal,
    (
        it_is_a_frozen_signal_whose_words_are_of_the_contract,
        a_net_that_it_does_not_serve_is_refused_by_a_user_error,
        its_state_and_parameters_come_from_the_generator_alone,
        m_has_the_shape_of_its_layer_and_teaches_something,
        one_seed_gives_one_m_whatever_else_was_learned,
        a_run_that_was_stored_goes_on_with_the_same_bits,
        tensors_of_its_state_stay_unless_moves_names_them,
        it_learns_in_the_precision_of_the_net,
        it_reads_what_its_needs_buy_and_perturbation_shows_the_same,
    ),
)
