"""
Three-factor rules: a synapse that waits for the answer
=======================================================

A cue comes early, and the net is asked much later. When the error arrives, nothing is left of the spikes that earned
it. Three-factor rules bridge the gap: two factors that meet at a synapse leave a mark there, the eligibility, and the
third factor turns the mark into a change. This page writes four rules that differ in one line, and shows what each
line can learn.
"""

# %%
# A task with a gap
# -----------------
# Four groups of ten inputs. One group bursts during the first four steps. After twelve steps of noise the net answers:
# which group was it? Only the last four steps are judged, so the error is exactly zero at the time of the cue.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import torch

import neurorules

torch.set_grad_enabled(False)
STEPS, CUE, ANSWER, GROUPS = 20, 4, 4, 4


def trials(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes (T, B, 40) and the group that burst in each trial."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(0, GROUPS, (count,), generator=generator)
    rate = torch.full((STEPS, count, GROUPS, 10), 0.02)
    rate[:CUE] += 0.38 * torch.nn.functional.one_hot(groups)[None, :, :, None]
    return (torch.rand(STEPS, count, 10 * GROUPS, generator=generator) < rate.flatten(2)).float(), groups


spikes, groups = trials(1, seed=0)
figure, axis = plt.subplots(figsize=(8, 2.6), layout="constrained")
when, which = spikes[:, 0].nonzero(as_tuple=True)
axis.plot(when + 0.5, which, "|", color="black", markersize=5)
axis.axvspan(0, CUE, color="#56B4E9", alpha=0.3, label="cue")
axis.axvspan(STEPS - ANSWER, STEPS, color="#D55E00", alpha=0.3, label="answer")
axis.set(xlabel="time (steps)", ylabel="input", xlim=(0, STEPS), title=f"a trial of group {int(groups[0])}")
axis.legend(loc="center")
plt.show()

# %%
# A rule is a file
# ----------------
# Its texts say how a weight changes, in names that a synapse can see. ``m_post`` is the third factor: here the error of
# the answer at this step, which the signal ``dfa`` brings to the hidden neurons through fixed random weights.
# ``psi(v_post)`` says whether the membrane is near its threshold.

FILE = '''
from neurorules.language.eligibility import Eligibility
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


def {name}() -> Rule:
    """A rule of three factors."""
    return Rule(
        name="{name}",
        trace_decay=0.95,
        eligibilities=({eligibility}),
        plasticity=(Plasticity("w", "{text}"), *DELTA_RULE),
        signal=SignalSpec("dfa"),
        defaults=Defaults(neuron="lif:beta=0.95"),
        source=Source("this page", 2026, "Three-factor rules"),
    )


ENTRY = {name}
'''
MARK = 'Eligibility("e", 0.95, "psi(v_post) * S_pre"),'
RULES = {
    "now": ("-m_post * psi(v_post) * S_pre", "", "spike of this step"),
    "trace": ("-m_post * psi(v_post) * x_pre", "", "trace of the spikes"),
    "eligibility": ("-m_post * e", MARK, "mark at the synapse"),
    "short": ("-m_post * e", MARK.replace("0.95", "0.5"), "mark that fades fast"),
}
folder = Path(mkdtemp())
for name, (text, eligibility, words) in RULES.items():
    (folder / f"{name}.py").write_text(FILE.format(name=name, text=text, eligibility=eligibility))
    print(f"{words:22} dw = {text}{'   e: ' + eligibility if eligibility else ''}")

# %%
# What they learn
# ---------------
# Two more curves frame the picture: ``shallow`` leaves the hidden layer as it was drawn, and ``bptt`` follows the error
# back through time, for which it has to keep the whole trial.

unseen, answers = trials(1000, seed=1)
curves = {}
frame = {"shallow": "hidden layer frozen", "bptt": "backpropagation through time"}
for rule, words in {**{str(folder / f"{name}.py"): words for name, (*_, words) in RULES.items()}, **frame}.items():
    learner = neurorules.Learner(
        "30", rule, input_shape=(40,), classes=GROUPS, steps=STEPS, last_steps=ANSWER, task="classes_per_step",
        neuron="lif:beta=0.95", norm="none", init="he", lr=3e-3, readout_lr=3e-3,
    )  # fmt: skip
    right = []
    for batch in range(601):
        if batch % 100 == 0:
            scores = learner.scores(unseen)[:, -ANSWER:].mean(1)
            right.append(100 * float((scores.argmax(1) == answers).float().mean()))
        samples, groups = trials(32, seed=100 + batch)
        learner.step(samples, groups[:, None].expand(-1, STEPS))
    curves[words] = right
    print(f"{words:30} {right[-1]:5.1f} %")

figure, axis = plt.subplots(figsize=(7.5, 4), layout="constrained")
colours = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "0.6", "black")
for (words, right), colour in zip(curves.items(), colours, strict=True):
    axis.plot(range(0, 601, 100), right, "o-", color=colour, markersize=3, label=words)
axis.axhline(100 / GROUPS, color="0.6", linestyle=":", linewidth=1)
axis.set(xlabel="batches of 32 trials", ylabel="right (%)", ylim=(0, 100), title="dotted: chance")
axis.legend(frameon=False, fontsize=8)
plt.show()

# %%
# The first rule multiplies the error with the spikes of the same step, and those carry no news any more: it stays below
# the frozen layer. The trace forgets as fast as the membrane does, so it holds exactly what each spike still
# contributes to the membrane at the time of the answer. It learns the task, and keeps nothing of the past but one
# number for each input. The mark remembers something else: whether the neuron was near its threshold *when the spike
# came*, which is not what the answer depends on. It helps less, and not at all where it fades before the answer. What
# waits for the third factor matters as much as that something waits.
#
# What a mark costs
# -----------------
# A trace belongs to a neuron, and a mark to a synapse: 1,200 of them here, where the net has 70 traces. The library
# computes the same update without any mark by running over the trial's steps once more in reverse, where it is allowed
# to keep them; a chip that learns while the trial runs has to pay for them. ``neurorules explain`` draws one synapse
# with its factors, step by step.
