"""One layer's activity over time: products, normalisation, scans, and the loops of gated and recurrent neurons."""
