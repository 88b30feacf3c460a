"""The suites of the benchmark, one a file. The ENTRY of a file is a function of `quick` that gives the `Suite`."""

from neurorules.language.registry import Registry

SUITES = Registry("suite", "neurorules.benchmark.suites")
