"""The discrete network as Brian2 populations and synapses, spike for spike as in torch. It imports no torch itself."""
