"""Contracts: what a neuron, connection, transform, normalisation, signal, encoder, data set or device must offer.

Each file holds one contract: an abstract class or a protocol, the values that pass through it, and the few functions
that its implementations share. To add a part of your own, implement the contract in a file of its own, bind `ENTRY` to
the class, and put the file into the folder of its kind (`neurorules/signals/`, `neurorules/encoders/`, ...) or into a
package that an entry point of the group `neurorules.<kind>s` names. The fields of the class, a frozen dataclass, are
the options that a user may write, as in `poisson:max_rate=0.5`.

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

Time comes first: (T, B, *shape). Voltages count in thresholds, times in steps, and currents in what one step adds to
the membrane. A trial is one batch that is presented for T steps; it may run through the network several times, and
each pass is a phase. The phase in which the samples are presented is called "input".
"""
