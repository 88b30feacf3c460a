"""Published models of spiking networks, written with the parts of the continuous machine, as its oracles."""
