"""The commands of the command line, one module each: they read options, call the library, and print the result."""
