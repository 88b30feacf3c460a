"""What a neuron, connection, transform, normalisation, signal, encoder, data set or device must offer."""
