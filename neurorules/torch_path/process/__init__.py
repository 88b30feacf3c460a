"""The state of the process, which belongs to no network: torch's settings, precision, threads and forks."""
