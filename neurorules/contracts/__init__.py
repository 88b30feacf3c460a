"""Contracts: what a neuron, connection, transform, normalisation, signal, encoder, data set or device must offer.

Each file holds one contract: an abstract class or a protocol, the values that pass through it, and the few functions
that its implementations share. The rest of the library calls parts only through these contracts.

To add a part of your own, implement the contract in a file, bind `ENTRY` to the class, and put the file into the folder
of its kind (`neurorules/signals/`, `neurorules/encoders/`, ...) or into a package that declares an entry point in the
group `neurorules.<kind>s`. The class is a frozen dataclass, and its fields are the options that a user may write, as in
`poisson:max_rate=0.5`.

Shapes are annotated with jaxtyping, and the tests check them at every call. All files use these letters:

===============  ======================================================================================
letter           axis
===============  ======================================================================================
T                time steps of a trial, or of the window of a trial that is run at once
B                rows of a batch: samples, or class prototypes that travel like samples
R                rows: time and batch merged, R = T B; R = B where a quantity is the same at every step
I, O             presynaptic inputs and postsynaptic neurons of a full weight matrix
N                neurons of a flat population; of data sets, samples or event recordings
C                channels (maps) of a population of maps; in labels, errors and scores, classes
H, W             rows and columns of a map or an image
E                events of event recordings
`*shape`         a population's shape, (N,) or (C, H, W)
`*pre`, `*post`  shapes of the presynaptic and the postsynaptic population
`*input`         shape of one sample
`*weights`       shape of a connection's weights
`*statistics`    one number per neuron (N,), or one per map (C, 1, 1)
===============  ======================================================================================

Time comes first: (T, B, *shape). Voltages are in units of the threshold, times in steps, and a current is what it adds
to the membrane in one step. A trial presents one batch for T steps; it may run through the network several times, and
each pass is called a phase. The phase that presents the samples is called "input".
"""
