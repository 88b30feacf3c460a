"""Rules that a suite over the registry leaves out, and why: no rule leaves a suite silently.

A suite is a test whose parameters name six rules or more. `test_left_out.py` holds that what it leaves out is
what stands here, no more and no less: whoever adds a rule, or narrows a suite, says so in this file.
"""

from __future__ import annotations

FROZEN = "its hidden layers never learn"
UNTAUGHT = "reads no third factor"
UNSUPERVISED = "is told no labels, so it may do worse than frozen layers"
SCALAR = "is told one number a sample, by which it need not do better than frozen layers"
DRAWN = "draws bursts for each row of a batch; the mean of the draws is tested in oracle/test_bdsp.py"
SELDOM = "jumps so seldom in an audited trial that not all it depends on shows; tested in oracle/test_sdsp.py"
TEMPLATES = "class prototypes are rows of their own, which see a sum over the samples"
WITH_CODES = f"{TEMPLATES}; tested with codes in their place"
IN_TIME = "reads all steps of a trial at once; that a shorter window is refused is tested beside this"
ONE_STEP = "its neurons have one step, so no time runs"
LOCKED = "its layers wait for others; that it is refused is tested beside this"
CARRIED = "carries its third factor back through time, for which the stepped equations have no text"
TABLES = "what its equations read is not written down by hand; contract/test_rules.py measures its needs"
MAPS = "is looked at in dense layers alone; its change of a map is an outer product like dfa's"
NO_MAPS = "takes no convolution"
NOT_SPIKING = "brings rings for neurons, and this test has spiking ones"
NO_SIGNAL = "has no learning signal"
SIGNALLED = "has a signal; where a circuit is made of its texts, oracle/test_circuits_of_signals.py holds it"
NOT_HERE = "says more than what happens at spikes; tested in oracle/test_circuits_in_steps.py"
NO_PAPER = "is a control of ours, and no paper's"
FIRST_OF_ALL = "is the rule of all other tests of this file"
SAME_LOOP = "goes on to the same bits in unit/test_resume.py, from the same seed"

WITHOUT_CIRCUIT = (
    "bcm bdsp bptt clopath dfa eprop erbp superspike etlp espp eventprop fa forward_forward lls local_readout oja ostl "
    "osttp otpe ottt reward_stdp s_tller sdsp sign_symmetry weight_mirroring spela spiking_bsp stsf tess "
    "traces_propagation triplet_stdp urbanczik_senn weight_dependent_stdp"
)
NO_CIRCUIT = (
    "has no file with a circuit; what its texts give, or that it is refused, is tested in "
    "oracle/test_circuits_from_texts.py and unit/test_continuous_runs.py"
)

LEFT_OUT: dict[str, dict[str, str]] = {
    "test_allowance.py::test_a_signal_is_handed_its_own_and_what_its_needs_buy": {
        NO_SIGNAL: "bcm sdsp clopath oja shallow stdp triplet_stdp weight_dependent_stdp"
    },
    "test_whole_step.py::test_a_signal_that_fails_at_any_layer_leaves_no_trace": {
        NO_SIGNAL: "bcm sdsp clopath oja shallow stdp triplet_stdp weight_dependent_stdp"
    },
    "test_circuits_from_texts.py::test_a_weight_moves_as_step_by_step": {
        SIGNALLED: "bdsp bptt bsp dfa drtp eprop erbp superspike etlp espp eventprop fa forward_forward lls "
        "local_readout ostl osttp otpe ottt pepita reward_stdp s_tller sign_symmetry weight_mirroring sigprop spela "
        "spiking_bsp stsf tess traces_propagation urbanczik_senn",
        FROZEN: "shallow",
        NOT_HERE: "clopath",
    },
    "test_circuits_of_signals.py::test_a_weight_and_a_bias_move_as_step_by_step": {
        NO_SIGNAL: "bcm sdsp clopath oja shallow stdp triplet_stdp weight_dependent_stdp",
        "learns where a presentation ends": "dfa drtp bsp lls pepita sigprop spela",
        "is refused by name in continuous time": "bdsp bptt espp eventprop fa forward_forward sign_symmetry "
        "weight_mirroring spiking_bsp traces_propagation urbanczik_senn",
    },
    "test_circuits.py::test_declared_eligibilities_are_refused_by_name": {NO_CIRCUIT: WITHOUT_CIRCUIT},
    "test_circuits.py::test_it_is_a_rule_of_the_same_name": {NO_CIRCUIT: WITHOUT_CIRCUIT},
    "test_audit.py::test_an_audit_finds_what_a_rules_equations_read": {
        TABLES: "bsp lls local_readout spiking_bsp traces_propagation",
        SELDOM: "sdsp",
    },
    "test_brian2_online.py::test_every_lowered_rule_moves_its_weights_alike_while_it_runs": {
        CARRIED: "bptt eventprop fa sign_symmetry weight_mirroring spiking_bsp",
        ONE_STEP: "bsp",
    },
    "test_explain.py::test_the_steps_add_up_to_the_gradient_of_a_dense_synapse": {FROZEN: "shallow"},
    "test_explain.py::test_the_steps_add_up_where_a_kernel_is_shared": {
        FROZEN: "shallow",
        NO_MAPS: "bsp",
        MAPS: "bcm bdsp sdsp clopath drtp eprop erbp superspike etlp espp fa forward_forward lls oja ostl osttp otpe "
        "ottt reward_stdp s_tller sign_symmetry weight_mirroring spela spiking_bsp stsf tess traces_propagation "
        "triplet_stdp urbanczik_senn weight_dependent_stdp",
    },
    "test_fused.py::test_every_rule_learns_the_same_on_both_ways": {ONE_STEP: "bsp"},
    "test_pipeline.py::test_a_pipeline_learns_the_same_bits_as_one_layer_after_the_other": {
        LOCKED: "bdsp bptt bsp dfa eprop erbp superspike eventprop fa ostl otpe ottt pepita reward_stdp s_tller "
        "sign_symmetry spiking_bsp weight_mirroring"
    },
    "test_schedules.py::test_by_step_and_chunks_learn_what_by_layer_learns": {
        FROZEN: "shallow",
        ONE_STEP: "bsp",
        IN_TIME: "bptt eventprop fa sign_symmetry weight_mirroring spiking_bsp traces_propagation",
    },
    "test_learner.py::test_a_learner_learns_from_one_sample_at_a_time": {
        FROZEN: "shallow",
        NOT_SPIKING: "bsp",
        SAME_LOOP: "bcm bdsp sdsp clopath eprop erbp superspike etlp espp eventprop forward_forward lls oja ostl "
        "osttp otpe ottt reward_stdp s_tller sign_symmetry weight_mirroring spela spiking_bsp stsf tess "
        "traces_propagation triplet_stdp urbanczik_senn weight_dependent_stdp",
    },
    "test_learner.py::test_the_same_seed_gives_the_same_bits_whatever_was_drawn_elsewhere": {
        SAME_LOOP: "bcm bdsp sdsp clopath bsp eprop erbp superspike etlp espp eventprop forward_forward lls oja ostl "
        "osttp otpe ottt reward_stdp s_tller shallow sign_symmetry spela spiking_bsp stsf tess traces_propagation "
        "triplet_stdp urbanczik_senn weight_dependent_stdp weight_mirroring"
    },
    "test_citations.py::test_every_choice_that_is_not_the_papers_is_declared": {NO_PAPER: "shallow"},
    "test_data_use.py::test_no_rule_learns_from_samples_that_are_held_out": {FIRST_OF_ALL: "sigprop"},
}
"""By test: reasons, and the rules of each."""

WITHOUT_NET: dict[tuple[str, str], str] = {
    ("bsp", "c3k3-p2-10"): "a convolution's synapses share their weights, and each would need a mirrored connection",
    ("bsp", "12-r10"): "its rings run one step, in which no layer can read itself",
}
"""Pairs of a rule and a net that its contract suite skips, because the rule refuses the net."""

GRADED = "its output is graded"
RING = "is no linear map, so its weights and its way back are others"
WHOLE = "transmits all of every spike"
PLAIN = "of plain memory: it shows membranes, traces and neurons as they are, and time does nothing to it"
BY_OTHERS = "is read back by other libraries in unit/test_exports.py"

UNOBSERVED = "its membranes and traces are shown as they are"
LASTING = "it does not change by itself"
ALONE = "it brings its own neurons or traces, of which there is one"
WIDE = "its weights have no bounds"
INTEGER = "loihi odin odin:signs=synapse spinnaker xylo"
LASTS = f"{INTEGER} reckon"
HELD = "brainscales2 reckon"
OWN_NEURONS = "its neurons are the network's"
ONLY_SHOWN = "it has no trace step of its own"
COARSE = "it has no form without effects: weights of few bits are the finest it has"
FIXED = "fixed_point fixed_point:bits=4:rounding=nearest:cv=0:mismatch=neuron"
MEMRISTORS = "memristor memristor:law=power:accumulate=true:dead=0.05 memristor:fit=ecram:write_noise=3"
STILL = f"{FIXED} {MEMRISTORS} dynapse"
CELLS = "pcm pcm:accumulate=false:age_s=3600"
ANALOGUE = f"{MEMRISTORS} {CELLS} dynapse"
ANY = f"{STILL} {CELLS}"

NOT_APPLICABLE: dict[tuple[str, str], dict[str, str]] = {
    ("device", "what_it_shows_of_membranes_hangs_on_state_and_place_alone"): {
        PLAIN: ANY,
        UNOBSERVED: f"{INTEGER} integer_traces",
    },
    ("device", "its_traces_go_on_from_window_to_window"): {
        PLAIN: ANY,
        UNOBSERVED: INTEGER,
        ONLY_SHOWN: HELD,
    },
    ("device", "time_passes_in_its_state_alone"): {PLAIN: STILL, LASTING: LASTS},
    ("device", "devices_of_a_chain_act_in_order_and_are_drawn_apart"): {ALONE: f"{INTEGER} integer_traces"},
    ("device", "a_range_never_widens"): {WIDE: "spinnaker integer_traces"},
    ("device", "its_effects_vanish_in_its_ideal_form"): {COARSE: f"loihi odin odin:signs=synapse xylo {HELD}"},
    ("device", "its_neurons_keep_the_contract_of_neurons"): {PLAIN: ANY, OWN_NEURONS: f"{HELD} integer_traces"},
    ("device", "its_codes_are_what_it_stores"): {"stores no whole numbers": f"{ANALOGUE} integer_traces"},
    ("rule", "a_silent_population_changes_none_of_its_weights"): {"says that its weights drift": "sdsp"},
    ("rule", "by_layer_equals_by_step"): {
        ONE_STEP: "bsp",
        IN_TIME: "bptt eventprop fa sign_symmetry weight_mirroring spiking_bsp traces_propagation",
    },
    ("rule", "changes_are_linear_in_the_third_factor"): {
        FROZEN: "shallow",
        UNTAUGHT: "stdp pepita:form=time_local bcm sdsp clopath oja triplet_stdp weight_dependent_stdp",
        "reads no more than the sign of its third factor": "urbanczik_senn",
    },
    ("rule", "it_learns_real_digits_better_than_its_frozen_control"): {
        FROZEN: "shallow",
        UNSUPERVISED: "stdp bcm sdsp clopath oja triplet_stdp weight_dependent_stdp",
        SCALAR: "reward_stdp",
    },
    ("rule", "it_learns_step_by_step_in_brian2_as_in_torch"): {
        CARRIED: "bptt eventprop fa sign_symmetry weight_mirroring spiking_bsp",
        ONE_STEP: "bsp",
        "its second pass meets weights that all samples have changed": "pepita:form=time_local",
    },
    ("rule", "it_learns_in_continuous_time"): {
        CARRIED: "bptt eventprop fa sign_symmetry weight_mirroring spiking_bsp",
        "is refused by name in continuous time": "bdsp espp forward_forward traces_propagation urbanczik_senn",
        "has a form that keeps nothing between its passes, pepita:form=contrastive": "pepita",
    },
    ("rule", "the_order_of_a_batch_does_not_matter"): {DRAWN: "bdsp"},
    ("rule", "changes_add_up_over_the_samples_of_a_batch"): {
        DRAWN: "bdsp",
        WITH_CODES: "sigprop sigprop:form=voltage",
        TEMPLATES: "traces_propagation",
        "its second pass meets weights that all samples have changed": "pepita:form=time_local",
    },
    ("neuron", "parameters_that_learn_have_a_start_and_a_place"): {
        "has no parameters of its own": "adex alif cuba_lif if izhikevich leaky_readout lif two_compartment rate "
        "lif:refractory=2 "
        "alif:reset=zero:reset_delay=true rate:activation=tanh rate:unit=true lif:surrogate=boxcar "
        "cuba_lif:reset=none:refractory=1"
    },
    ("neuron", "a_spiking_neuron_gives_zeros_and_ones_and_both"): {
        GRADED: "five_element leaky_readout rate rate:activation=tanh rate:unit=true"
    },
    ("neuron", "brian2_runs_the_same_step_or_is_refused_by_name"): {
        "has no Brian2 text, and says so by its name": "five_element rate:unit=true"
    },
    ("neuron", "psi_is_the_derivative_of_its_graded_output"): {
        "divides by a length that psi holds fixed": "rate:unit=true"
    },
    ("connection", "synapses_at_rest_transmit_all_of_a_spike"): {
        WHOLE: "conv2d dense recurrent ring conv2d:kernel=5:padding=valid conv2d:stride=2 ring:mode=exact "
        "conv2d_pooled conv2d_pooled:kind=average:pool=3 conv2d_grouped recurrent_conv2d "
        "recurrent_single recurrent_delayed"
    },
    ("connection", "fresh_weights_of_a_linear_connection_have_the_spread_they_announce"): {
        RING: "ring ring:mode=exact conv2d_pooled"
    },
    ("connection", "a_connection_that_says_it_is_linear_is_linear"): {RING: "ring ring:mode=exact conv2d_pooled"},
    ("connection", "carry_of_a_linear_connection_is_its_transpose"): {RING: "ring ring:mode=exact conv2d_pooled"},
    ("encoder", "no_sample_sees_its_batch"): {"draws at random, alone as among others": "poisson"},
    ("exporter", "its_own_reader_gives_every_spike_back"): {BY_OTHERS: "events nirdata nix nwb parquet sonata"},
    ("exporter", "every_spike_leaves_its_mark"): {"writes dates and identifiers; " + BY_OTHERS: "nix nwb"},
}
"""By kind and check of a contract suite: reasons, and the entries of each that it has nothing to say about."""
