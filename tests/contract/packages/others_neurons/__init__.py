"""Neurons of a package that is not neurorules; its entry point `neurorules.neurons` names this folder."""
