"""Floor 1: the folder a run lives in, its checkpoints, a polite stop, and the one progress bar."""
