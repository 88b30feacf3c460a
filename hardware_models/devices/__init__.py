"""Registry of devices: one file a chip or effect, each offering an `ENTRY` with the hooks of `Device`."""
