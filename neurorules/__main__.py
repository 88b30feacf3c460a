"""The entry point of `python -m neurorules`, which runs the command line."""

from neurorules.cli import main

if __name__ == "__main__":
    main()
