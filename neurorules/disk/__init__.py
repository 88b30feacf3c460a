"""Files on disk: locks, caches with checksums, free space, and one-line messages for errors of the system."""
