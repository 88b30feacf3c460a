"""The fused way (compiled scans, post factors in one pass) gives what the general way gives, for every rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from neurorules.connections._products import Matrix
from neurorules.contracts.series import Series
from neurorules.language.expressions import parse
from neurorules.native.scans import build, dispatch
from neurorules.network.initial import initialise
from neurorules.network.model import Model, build_model
from neurorules.network.network import build_network
from neurorules.network.post_forms import PostForm, recognise
from neurorules.rules import RULES
from neurorules.torch_path.training.state import to_tensors
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.torch_path.update.post_factors import PostFactors

STEPS, SAMPLES, CLASSES = 6, 5, 3
LARGEST = {torch.float64: 1e-12, torch.float32: 1e-5}
"""Difference in units of a tensor's largest number; sums over rows round differently."""

SPIKING = [name for name in RULES.names() if RULES.make(name).defaults.steps > 1]
"""Rules of neurons that run through time; those of one step have no scan."""

Found = dict[str, torch.Tensor]


@pytest.fixture
def general(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Found]]:
    """Runs a function as on a machine without compiled scans: no fused post factor, scans in plain torch."""

    def run(function: Callable[..., Found], *args: object) -> Found:
        with monkeypatch.context() as patched:
            patched.setattr(dispatch, "library", lambda: None)
            return function(*args)

    yield run


def two_trials(model: Model, dtype: torch.dtype, constant: bool) -> Found:
    generator = torch.Generator().manual_seed(3)
    learned = initialise(model, 1, torch.device("cpu"), dtype)
    found: Found = {}
    for trial in range(2):
        lead = (SAMPLES,) if constant else (STEPS, SAMPLES)
        values = torch.rand(*lead, *model.network.input_shape, generator=generator, dtype=torch.float64)
        drive = Series((values if constant else (values < 0.4) * 2.0).to(dtype), constant)
        labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
        result = learn_trial(model, learned, drive, STEPS, labels, generator)
        found |= {f"{trial}.{name}": value for name, value in result.gradients.items()}
        # Weights stay: in float32 a spike that flips on a rounded update would be a difference of its own.
        learned = replace(result.learned, parameters=learned.parameters)
    return found | to_tensors(learned)


def assert_same(ours: Found, wanted: Found, dtype: torch.dtype) -> None:
    assert ours.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (ours[name] - value).abs().max() <= LARGEST[dtype] * (1 + value.abs().max()), name


def model_of(rule: str, kind: str, neuron: str, norm: str, dtype: torch.dtype) -> Model:
    net, shape = {"dense": ("13-11", (6,)), "conv": ("c4k3-p2-9", (1, 6, 6)), "recurrent": ("r10-8", (6,))}[kind]
    own = {"readout_neuron": "leaky_readout:beta=1"} if rule == "eventprop" else {}  # scores that change with times
    made = build_network(net, shape, CLASSES, neuron=neuron, norm=norm, **own)
    return build_model(made.on(torch.device("cpu"), dtype), RULES.make(rule))


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.library() is None:
        pytest.skip("this machine has no C compiler")


@pytest.mark.parametrize("rule", [*SPIKING, "sigprop:form=voltage"])
@pytest.mark.parametrize("kind", ["dense", "conv", "recurrent"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_every_rule_learns_the_same_on_both_ways(
    general: Callable[..., Found], rule: str, kind: str, dtype: torch.dtype
) -> None:
    for constant in (False, True):
        neuron = "cuba_lif" if rule == "eventprop" else "lif"  # whose spikes have times
        model = model_of(rule, kind, neuron, "streaming", dtype)
        assert_same(two_trials(model, dtype, constant), general(two_trials, model, dtype, constant), dtype)


@pytest.mark.parametrize(
    "neuron",
    ["if", "lif:reset=none:surrogate=boxcar", "lif:surrogate=triangle", "lif:reset_delay=true:surrogate=atan",
     "lif:reset=zero:surrogate=piecewise_linear"],
)  # fmt: skip
@pytest.mark.parametrize("norm", ["streaming", "batch", "none"])
@pytest.mark.parametrize("rule", ["sigprop", "bptt"])
def test_every_neuron_and_normalisation_does(general: Callable[..., Found], neuron: str, norm: str, rule: str) -> None:
    model = model_of(rule, "dense", neuron, norm, torch.float64)
    args = (model, torch.float64, False)
    assert_same(two_trials(*args), general(two_trials, *args), torch.float64)


@pytest.mark.parametrize(("beta", "rows"), [(0.0, SAMPLES), (0.9, STEPS * SAMPLES)])
def test_a_read_out_without_memory_sums_what_it_reads_before_it_multiplies(
    general: Callable[..., Found], monkeypatch: pytest.MonkeyPatch, beta: float, rows: int
) -> None:
    net = build_network("13", (6,), CLASSES, norm="streaming", readout_neuron=f"leaky_readout:beta={beta}")
    model = build_model(net.on(torch.device("cpu"), torch.float64), RULES.make("dfa"))
    wanted = general(two_trials, model, torch.float64, False)
    multiplied: list[int] = []
    plain = Matrix.correlate
    monkeypatch.setattr(Matrix, "correlate", lambda *a: (multiplied.append(len(a[2])), plain(*a))[1])
    assert_same(two_trials(model, torch.float64, False), wanted, torch.float64)
    assert multiplied[0] == rows


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("-1 * m_post * psi(v_post)", PostForm(-1.0, 1.0, "psi", False)),
        ("a * through_norm(2 * m_post * (v_post > 0))", PostForm(0.5, 2.0, "positive", True)),
        ("m_post", PostForm(1.0, 1.0, "one", False)),
        ("m_post * m_post", None),
        ("m_post * S_post", None),
        ("m_post * psi(v_post) + m_post", None),
        ("S_post", None),
        ("m_post * through_norm(psi(v_post))", None),
        ("m_post * (v_post > 0.5)", None),
    ],
)
def test_a_form_is_recognised_or_left_to_the_general_way(text: str, form: PostForm | None) -> None:
    assert recognise(parse(text), {"a": 0.5}) == form


def test_the_common_rules_are_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("sigprop", "dense", "lif", "streaming", torch.float32)
    seen: list[bool] = []
    plain = PostFactors._fused
    monkeypatch.setattr(PostFactors, "_fused", lambda *a: (seen.append((r := plain(*a)) is not None), r)[1])
    two_trials(model, torch.float32, False)
    assert any(seen)
