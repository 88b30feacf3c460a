"""The fused way (compiled scans, post factors in one pass) gives what the general way gives, for every rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from hardware_models.devices.integer_traces import IntegerTraces
from neurorules.connections._products import Matrix
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.expressions import parse
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity
from neurorules.native.scans import build, dispatch
from neurorules.network.cascades import traced_form
from neurorules.network.initial import initialise
from neurorules.network.model import Model, build_model
from neurorules.network.network import build_network
from neurorules.network.post_forms import Cascade, PostForm, TracedForm, recognise
from neurorules.network.texts import compile_rule
from neurorules.rules import RULES
from neurorules.torch_path.forward import run_layer
from neurorules.torch_path.training.learner import Learner
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


CASCADES = {
    "ottt": Cascade(0.0, 0.5), "etlp": Cascade(0.0, 0.9), "tess": Cascade(0.0, 0.5), "s_tller": Cascade(0.0, 0.75),
    "ostl": Cascade(0.0, 0.5, cut=True), "ostl:resets=none": Cascade(0.0, 0.5), "ostl:resets=zero": None,
    "osttp": Cascade(0.0, 0.5, cut=True), "otpe": Cascade(0.5, 0.5, weighed=True, cut=True),
    "eprop": Cascade(0.9, 0.9, weighed=True), "eprop:adaptation=0.2": None, "superspike": None, "reward_stdp": None,
}  # fmt: skip
"""The low-pass filters of the eligibilities of rules; None where one scan does not run through them."""


@pytest.mark.parametrize(("rule", "cascade"), CASCADES.items())
def test_the_filters_of_an_eligibility_are_recognised(rule: str, cascade: Cascade | None) -> None:
    texts = [text for text in compile_rule(RULES.make(rule)) if text.plasticity.parameter == "w"]
    assert next(group.cascade for text in texts for group in text.groups if group.eligibility is not None) == cascade


def test_the_trace_of_a_bias_has_the_filters_of_its_weights() -> None:
    texts = {text.plasticity.parameter: text for text in reversed(compile_rule(RULES.make("eprop")))}
    weights, bias = (texts[parameter].groups[0] for parameter in ("w", "b"))
    assert bias.traced == TracedForm(PostForm(-1.0, 1.0, "one", False), CASCADES["eprop"])
    assert weights.cascade == CASCADES["eprop"]


TRACES = (Trace("low", 0.5, "1"), Trace("twice", 0.5, "2"), Trace("last", 0.5, "1", spikes="nearest"),
          Trace("kept", 0.5, "1", across_trials=True), Trace("filtered", 0.9, "psi(v) * low"),
          Trace("third", 0.8, "psi(v) * filtered"), Trace("spikes", 0.5, "S"), Trace("smooth", 0.7, "low"),
          Trace("smoother", 0.8, "smooth"), Trace("slopes", 0.6, "psi(v)"),
          Trace("low_slopes", 0.8, "slopes"))  # fmt: skip
OTHER_TRACES = ("twice", "last", "kept", "third", "spikes", "smoother", "low_slopes")
"""Those whose low-pass filters a scan does not run through."""


@pytest.mark.parametrize(
    ("text", "traced"),
    [
        ("2 * m_post * low_post", TracedForm(PostForm(2.0, 1.0, "one", False), Cascade(0.0, 0.5))),
        ("m_post * psi(v_post) * low_post", TracedForm(PostForm(1.0, 1.0, "psi", False), Cascade(0.0, 0.5))),
        ("m_post * filtered_post", TracedForm(PostForm(1.0, 1.0, "one", False), Cascade(0.9, 0.5, weighed=True))),
        *((f"m_post * {name}_post", None) for name in OTHER_TRACES),
        ("m_post * smooth_post", TracedForm(PostForm(1.0, 1.0, "one", False), Cascade(0.7, 0.5))),
        ("m_post * slopes_post", TracedForm(PostForm(1.0, 1.0, "one", False), Cascade(0.6, 0.0, weighed=True))),
        ("m_post * low_post * filtered_post", None), ("m_post + low_post", None), ("low_post", None),
        ("through_norm(m_post) * low_post", None),
    ],
)  # fmt: skip
def test_a_trace_of_a_neuron_is_recognised_or_left_to_the_general_way(text: str, traced: TracedForm | None) -> None:
    assert traced_form(parse(text), {}, {trace.name: trace for trace in TRACES}) == traced


@pytest.mark.parametrize("norm", ["streaming", "batch", "none"])
@pytest.mark.parametrize("neuron", ["lif:surrogate=triangle", "lif:reset=zero", "alif", "lif:refractory=2"])
@pytest.mark.parametrize("rule", ["ottt", "ostl", "otpe", "eprop", "eprop:feedback=adaptive", "etlp"])
def test_rules_that_learn_online_do_with_every_normalisation(
    general: Callable[..., Found], rule: str, neuron: str, norm: str
) -> None:
    if rule.endswith("adaptive"):
        net = build_network("13", (6,), CLASSES, neuron=neuron, norm=norm, readout_neuron="leaky_readout")
        model = build_model(net.on(torch.device("cpu"), torch.float64), RULES.make(rule))
    else:
        model = model_of(rule, "dense", neuron, norm, torch.float64)
    args = (model, torch.float64, False)
    assert_same(two_trials(*args), general(two_trials, *args), torch.float64)


OTHER_TEXTS = {
    "averages in time": (Plasticity("w", "-through_norm(m_post) * e_bar"), Plasticity("b", "-m_post * e_bias_post")),
    "a bias without a trace": (Plasticity("w", "-m_post * e_bar"), Plasticity("b", "-m_post")),
    "a bias with a trace": (Plasticity("w", "-m_post * e_bar"), Plasticity("b", "-2 * m_post * e_bias_post")),
    "the step before": (Plasticity("w", "-m_post * delay(e_bar, 1)"), Plasticity("b", "-m_post * e_bias_post")),
    "a bias alone": (Plasticity("w", "-m_post * x"), Plasticity("b", "-m_post * e_bias_post")),
    "both": (Plasticity("w", "-m_post * e_bar - 0.5 * m_post * psi(v_post) * x"), Plasticity("b", "-m_post")),
}
"""Texts of a weight and a bias that read the eligibilities and traces of e-prop otherwise than e-prop does."""


@pytest.mark.parametrize("norm", ["streaming", "none"])
@pytest.mark.parametrize("texts", OTHER_TEXTS.values(), ids=OTHER_TEXTS)
def test_other_texts_learn_the_same_on_both_ways(
    general: Callable[..., Found], texts: tuple[Plasticity, ...], norm: str
) -> None:
    eprop = RULES.make("eprop")
    net = build_network("13", (6,), CLASSES, neuron="lif", norm=norm)
    readout = tuple(text for text in eprop.plasticity if text.role == "readout")
    model = build_model(net.on(torch.device("cpu"), torch.float64), replace(eprop, plasticity=(*texts, *readout)))
    args = (model, torch.float64, False)
    assert_same(two_trials(*args), general(two_trials, *args), torch.float64)


@pytest.mark.parametrize("rule", ["ottt", "ostl", "eprop", "etlp"])
def test_online_rules_take_one_scan_and_store_no_membranes(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    net = build_network("17", (6,), CLASSES, neuron=RULES.make(rule).defaults.neuron, norm="streaming")
    model = build_model(net.on(torch.device("cpu"), torch.float32), RULES.make(rule))
    monkeypatch.setattr(run_layer, "MANY", 1)
    read: list[object] = []
    membranes = run_layer.scans.membranes
    monkeypatch.setattr(run_layer.scans, "membranes", lambda inputs: (read.append(inputs), membranes(inputs))[1])
    evaluated: list[str] = []
    for way in ("of_current", "of_neurons"):
        plain = getattr(PostFactors, way)
        monkeypatch.setattr(
            PostFactors,
            way,
            lambda own, *a, plain=plain, **k: (evaluated.append(own.view.layer.role), plain(own, *a, **k))[1],
        )
    two_trials(model, torch.float32, False)
    assert not read and "hidden" not in evaluated and "readout" in evaluated


@pytest.mark.parametrize(("rule", "trace"), [("eprop", "e_bias"), ("ostl", "slope")])
def test_traces_of_a_chip_are_not_passed_over(monkeypatch: pytest.MonkeyPatch, rule: str, trace: str) -> None:
    monkeypatch.setattr(IntegerTraces, "check_rule", lambda own, rule: None)  # so that it meets traces of psi
    learner = Learner("17", rule=rule, input_shape=(6,), classes=CLASSES, steps=STEPS, hardware="integer_traces")
    spikes = (torch.rand(STEPS, SAMPLES, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    with pytest.raises(UserError, match=f"adds an impulse where a spike comes, and trace '{trace}'"):
        learner.step(spikes, torch.arange(SAMPLES) % CLASSES)
