"""
One text, five learning signals
===============================

A rule is a text and a learning signal. Here the text stays, and only the origin of the third factor m changes: a
target that travels forward, a read-out of the layer's own, random feedback of the error or of the label. How far does
each carry the same plasticity on real digits?
"""

# %%
# The text says how a weight changes, in names that a synapse can see. Every run has the same net, weights and data
# order.

import matplotlib.pyplot as plt

import neurorules

TEXT = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"
SIGNALS = {
    "prototypes, without a target stream": "prototypes:targets=codes",
    "a local read-out": "local_readout",
    "the error, through random feedback": "dfa",
    "the label, through random feedback": "drtp",
}


def accuracy(**settings: object) -> float:
    """Test accuracy in % after ten epochs on a narrow net."""
    result = neurorules.train(data="digits", net="32-32-32", epochs=10, batch_size=32, **settings)
    return 100 * float(result["test_accuracy"])


# %%
# Below and above stand the two limits: hidden layers that stay as they were drawn, and backpropagation through time.

reached = {"none: hidden layers frozen": accuracy(rule="shallow")}
for name, signal in SIGNALS.items():
    reached[name] = accuracy(rule="dfa", signal=signal, dw=TEXT)
reached["bptt: every layer above, and the past"] = accuracy(rule="bptt")
for name, percent in reached.items():
    print(f"{name:40} {percent:6.1f} %")

figure, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
colours = ["0.6", *["#0072B2"] * len(SIGNALS), "black"]
bars = axis.barh(list(reached), list(reached.values()), color=colours)
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.set(xlabel="test accuracy (%), one seed", xlim=(0, 105), title=f"dw = {TEXT}")
axis.title.set_fontsize(9)
axis.invert_yaxis()
plt.show()
