"""`python -m neurorules`."""

from neurorules.cli import main

if __name__ == "__main__":
    main()
