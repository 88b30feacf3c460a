"""Pictures of traces. Each function draws on the axis it is given and returns it; none touches global state."""
