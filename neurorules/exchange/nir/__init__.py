"""Graphs of the Neuromorphic Intermediate Representation (NIR): nets from them, and graphs from nets.

Source: Pedersen et al. 2024, "Neuromorphic intermediate representation", doi.org/10.1038/s41467-024-52259-9, and the
package nir 1.0.8. A graph holds equations in continuous time; it says neither how long a step is, nor in which unit its
time constants are, so both are options here (`options.NirOptions`), and stand in the metadata of what is written.
"""
