"""Rules side by side: every rule and seed on the same net, data order and initial weights."""
