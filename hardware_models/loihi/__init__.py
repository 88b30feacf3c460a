"""The arithmetic of Intel's Loihi in whole numbers: neurons, synapses, learning engine. `devices/loihi.py` uses it.

Equations and widths are those of Lava's bit-accurate models (lava-nc 0.10.0), which repeat the chip's; nothing here was
measured on a chip.
"""
