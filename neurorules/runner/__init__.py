"""Who runs what: training, recording and simulation, dispatched to a machine; and what can be named."""
