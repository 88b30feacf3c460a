"""The commands, thin: they read options, call the library, and print."""
