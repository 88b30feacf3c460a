"""Registry of devices, one file per chip or effect; the `ENTRY` of a file has the hooks of `Device`."""
