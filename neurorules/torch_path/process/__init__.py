"""What belongs to the process and not to a network: torch's settings, precision, threads and forks."""
