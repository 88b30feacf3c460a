"""Floor 1: recorded activity, its file, its export to other formats, its pictures."""
