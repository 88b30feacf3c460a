"""Train spiking networks with local, voltage-based learning rules, and compare them with global ones."""
