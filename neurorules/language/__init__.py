"""Floor 0: errors, equations, option texts, registries, protocols, configuration. No torch, no brian2."""
