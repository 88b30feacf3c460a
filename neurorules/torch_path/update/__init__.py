"""From a layer's activity and third factor to the change of its parameters: the texts, evaluated and applied."""
