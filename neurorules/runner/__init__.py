"""Training, recording and simulation, handed to the machine that does them; and the catalogue of all names."""
