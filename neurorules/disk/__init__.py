"""Floor 0: who owns a file on the disk, whether it is whole, whether there is room, and what an error says."""
