"""Networks as equations in continuous time that learn while they run: one Brian2 simulation over many samples."""
