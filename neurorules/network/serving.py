"""The checks, made when a model is built, that a rule, a learning signal and a network fit together."""

from __future__ import annotations

from dataclasses import replace

from neurorules.contracts.signal import Signal
from neurorules.contracts.target import PER_STEP
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.language.settings import Scores, Task
from neurorules.language.transmission import transmission_of
from neurorules.language.vocabulary import ELIGIBILITY
from neurorules.network.network import Network
from neurorules.network.texts import Text
from neurorules.neurons._learned_numbers import LearnedNumbers

MEMBRANE, SPIKES = "-m_post * dv_dw", "-m_post * psi(v_post) * dv_dw"
"""Texts of a read-out whose third factor is the derivative of the loss with respect to its membrane, and by its
spikes."""


def why_not_shuffled(signal: Signal | None) -> str | None:
    """The reason why hidden layers cannot learn from another sample's targets while the read-out uses its own.

    Args:
        signal: the learning signal; None for a rule without one.

    Returns:
        The reason, as the end of a sentence about hidden layers; None if they can.
    """
    if signal is None or not signal.needs & {"target", "output_error"}:
        return "are not taught at all"
    if "above" in signal.needs or signal.teaches_readout:
        return "learn from what the read-out's own error becomes on its way down"
    return None


WORDS: dict[Task, str] = {
    "classes": "one class for each sample",
    "multilabel": "several labels for each sample",
    "regression": "values (a regression)",
    "classes_per_step": "a class for each step",
    "regression_per_step": "values for each step",
}
"""A description of the targets of each task, for messages."""
THROUGH = frozenset({"above", "weight_transport", "weight_sign", "noise_phase"})
"""The needs of signals that pass through weights."""
ABLE: dict[Task, str] = {
    "classes": "sigprop, dfa, bptt",
    "multilabel": "bptt, fa, dfa, drtp, local_readout, pepita, shallow",
    "regression": "bptt, fa, dfa, local_readout, pepita, shallow",
    "classes_per_step": "bptt, fa, dfa, local_readout, shallow",
    "regression_per_step": "bptt, fa, dfa, local_readout, shallow",
}
"""Some rules that can learn each task, for messages."""


def check_task(rule: Rule, signal: Signal | None, task: Task, last_steps: int | None) -> None:
    """Refuse targets that a rule cannot learn.

    Args:
        rule: the rule.
        signal: its learning signal; None for a rule without one, in which only the read-out learns from targets.
        task: the kind of targets.
        last_steps: number of last steps that are scored; None for all.

    Raises:
        UserError: the rule or the signal cannot use these targets; the message names rules that can.
    """
    if signal is not None and task not in signal.tasks:
        what = " or ".join(WORDS[task_word] for task_word in WORDS if task_word in signal.tasks)
        raise UserError(
            f"rule '{rule.name}' cannot learn {WORDS[task]}: its learning signal is taught by {what}. "
            f"Use a rule that can: {ABLE[task]}"
        )
    why = None
    if task in PER_STEP:
        why = WORDS[task]
    elif last_steps is not None:
        why = "from the last steps of a trial (last_steps)"
    elif rule.errors == "step":
        why = "from an error of each step, as its read-out does"
    lacks = None if why is None else _lacks_steps(rule, signal)
    if lacks is not None:
        raise UserError(
            f"rule '{rule.name}' cannot learn {why}: {lacks}. Use a rule that can: {ABLE['regression_per_step']}"
        )


def _lacks_steps(rule: Rule, signal: Signal | None) -> str | None:
    """The reason, as a sentence, why a rule cannot use an output error at each step; None if it can."""
    if signal is not None and not signal.steps_apart:
        return "its learning signal takes one error for a trial, and none for each step"
    if {rule.error_phase, rule.score_phase} != {"input"} or any(phase.applies for phase in rule.phases):
        return "its error does not come from the one pass of the samples"
    if rule.predict == "prototypes":
        return "it predicts by prototypes, which are compared once a trial"
    return None


def check_efficacies(network: Network, rule: Rule, signal: Signal) -> None:
    """Refuse rules that carry signals back through connections with short-term plasticity.

    Args:
        network: the network.
        rule: the rule.
        signal: its learning signal.

    Raises:
        UserError: the network has such a connection, and the rule carries signals through it.
    """
    dynamic = [layer.name for layer, entry, _ in network.weights() if entry.connection.efficacy is not None]
    if dynamic and ("above" in signal.needs or any(phase.linear for phase in rule.phases)):
        raise UserError(
            f"rule '{rule.name}' carries signals through the connection of layer '{dynamic[0]}', which transmits "
            f"spikes by those before and carries nothing else. Use --connection dense, or another rule: sigprop, drtp"
        )


def check_transmission(rule: Rule, signal: Signal | None) -> None:
    """Refuse rules that carry something back through synapses whose transmission has no slope.

    Args:
        rule: the rule, whose synapses may transmit a text of their weight.
        signal: its learning signal, or the one that replaces it.

    Raises:
        UserError: the signal passes through weights, or a text of a hidden layer reads dv_dw.
    """
    if transmission_of(rule.name, rule.transmits, rule.constants) is None:
        return
    passes = signal is not None and bool(signal.needs & THROUGH)
    if passes or ELIGIBILITY in rule.hidden_reads or any(phase.linear for phase in rule.phases):
        why = "a signal passes through them" if passes else "a text reads the slope of the membrane by the weight"
        raise UserError(
            f"synapses of rule '{rule.name}' transmit '{rule.transmits}', which has no slope to learn by, and {why}. "
            f"Use a signal that comes from elsewhere, such as dfa, and a text of S_pre or of a trace"
        )


def check_numbers(network: Network, rule: Rule, texts: tuple[Text, ...]) -> None:
    """Refuse neurons with learned parameters that the rule's texts would not train. Controls, which train nothing,
    pass.

    Args:
        network: the network.
        rule: the rule that should train the parameters.
        texts: the texts of the rule.

    Raises:
        UserError: a hidden layer has learned parameters, and no text of its weights contains m_post * psi(v_post).
    """
    learning = [a for a in network.hidden if isinstance(a.neuron, LearnedNumbers)]
    hidden = [t for t in texts if t.plasticity.role == "hidden" and t.plasticity.parameter == "w"]
    forms = [group.form for text in hidden for group in text.groups]
    if learning and hidden and not any(form is not None and form.factor == "psi" for form in forms):
        raise UserError(
            f"layer '{learning[0].name}' learns {learning[0].neuron.learns[0]}, which rule '{rule.name}' does not "
            f"teach: its text of weights holds no m_post * psi(v_post). Use a rule that does, such as bptt or dfa, or "
            f"leave it as it is (learn=nothing; in a module learn_beta=False, learn_threshold=False)"
        )


def check_population(network: Network, scores: Scores, task: Task) -> None:
    """Refuse scores by populations where the read-out has none, and populations where scores read single neurons.

    Args:
        network: the network.
        scores: the source of class scores.
        task: the kind of targets.

    Raises:
        UserError: they do not fit each other.
    """
    neurons = network.readout.shape[0]
    if scores != "population":
        if neurons != network.classes:
            raise UserError(
                f"the read-out has {neurons} neurons for {network.classes} classes, and scores={scores} reads one for "
                f"each class. Use scores=population"
            )
    elif task != "classes":
        raise UserError(f"scores=population counts spikes of classes, and the task is {task}. Use scores=membrane")
    elif neurons == network.classes:
        raise UserError(
            "scores=population counts the spikes of several read-out neurons for each class, and this net has one for "
            "each class. Use scores=count, or a module whose last Linear has more outputs"
        )


def counting(network: Network, rule: Rule, signal: Signal | None, scores: Scores) -> Rule:
    """Adapt a rule to a read-out that is scored by its spike count: its texts then include the derivative of the spike.

    Args:
        network: a network whose read-out spikes.
        rule: a rule whose read-out learns by the delta rule.
        signal: the learning signal of the rule, or its replacement.
        scores: what is counted, for messages.

    Returns:
        The rule with other texts for the read-out.

    Raises:
        UserError: the read-out does not spike, the rule learns from errors of single steps, or it has a read-out of
            another kind.
    """
    if rule.errors == "step":
        raise UserError(
            f"scores={scores} counts the spikes of a whole trial, and rule '{rule.name}' learns from an error at each "
            f"step. Use scores=membrane, or another rule"
        )
    if not network.readout.neuron.spiking:
        raise UserError(
            f"scores={scores} counts the spikes of the read-out, and its neuron sends none. End the net with a neuron "
            f"that spikes: snntorch.Leaky in a module, readout_neuron=lif beside a text"
        )
    own = {p.text for p in rule.plasticity if p.role == "readout"}
    linear = any(phase.linear for phase in rule.phases)
    if rule.predict != "readout" or linear or own != {MEMBRANE} or (signal is not None and signal.teaches_readout):
        raise UserError(
            f"rule '{rule.name}' reads out in a way of its own, which does not count spikes. Use scores=membrane, or "
            f"another rule, such as bptt or dfa"
        )
    texts = (replace(p, text=SPIKES) if p.role == "readout" else p for p in rule.plasticity)
    return replace(rule, plasticity=tuple(texts))


def check_phases(rule: Rule, signal: Signal, name: str) -> None:
    """Refuse a signal that needs phases which the rule does not run.

    Args:
        rule: the rule.
        signal: the learning signal.
        name: the name of the signal, for the message.

    Raises:
        UserError: a phase is missing.
    """
    have = {phase.name for phase in rule.phases}
    missing = set(signal.phases) - have
    if missing:
        raise UserError(
            f"signal '{name}' needs the phase {sorted(missing)}, which rule '{rule.name}' does not run "
            f"(it runs {sorted(have)}). Use a signal without that phase, or the rule the signal belongs to"
        )


def without_phases(rule: Rule, signal: Signal, name: str) -> Rule:
    """Remove the phases of the rule's own signal, if another signal replaces it and drives no phase.

    Args:
        rule: the rule.
        signal: the replacing signal.
        name: the name of that signal, for the message.

    Returns:
        The rule with only the phase "input"; the unchanged rule if the signal drives phases.

    Raises:
        UserError: without its phases the rule would learn nothing or have no read-out.
    """
    others = [phase.name for phase in rule.phases if phase.name != "input"]
    if not others or type(signal).drive is not Signal.drive:
        return rule
    texts = tuple(text for text in rule.plasticity if text.phase == "input")
    needed = {rule.error_phase, rule.score_phase} != {"input"} or rule.predict == "prototypes"
    if needed or not {"hidden", "readout"} <= {text.role for text in texts}:
        raise UserError(
            f"rule '{rule.name}' does not work without its phase '{others[0]}', which signal '{name}' does not drive. "
            f"Leave --signal out, or give it to another rule, such as dfa or sigprop"
        )
    return replace(rule, plasticity=texts, phases=tuple(phase for phase in rule.phases if phase.name == "input"))
