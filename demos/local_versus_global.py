"""One text, five learning signals: how far does each carry the same plasticity on real digits?

    python demos/local_versus_global.py

Every run has the same net, weights and data order. Only the origin of the third factor m changes: a target that travels
forward, a read-out of the layer's own, random feedback of the error or of the label, and nothing at all.
"""

from __future__ import annotations

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
    found = neurorules.train(data="digits", net="32-32-32", epochs=10, batch_size=32, **settings)
    return 100 * float(found["test_accuracy"])


def main() -> None:
    """Print one line a signal."""
    print(f"dw = {TEXT}\n")
    print(f"{'none: hidden layers frozen':40} {accuracy(rule='shallow'):6.1f} %")
    for name, signal in SIGNALS.items():
        print(f"{name:40} {accuracy(rule='dfa', signal=signal, dw=TEXT):6.1f} %")
    print(f"{'the exact gradient through time (bptt)':40} {accuracy(rule='bptt'):6.1f} %")


if __name__ == "__main__":
    main()
