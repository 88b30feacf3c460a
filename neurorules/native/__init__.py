"""The C kernels: how they are compiled, fused scans over time, and the rings of the BSP reconstruction."""
