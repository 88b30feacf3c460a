"""From trials to training: the learner, its checked state, batches, evaluation, and runs with their folders."""
