"""The Brian2 path: the same networks and rule texts as Brian2 populations and synapses. It imports no torch itself."""
