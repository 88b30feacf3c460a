"""Everything around a training run: its folder, checkpoints, logs, interruption by Ctrl-C, and the progress bar."""
