"""One trial: the phases of a rule, what its signal is handed, and the learning of each layer."""
