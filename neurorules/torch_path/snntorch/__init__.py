"""Networks of torch and snnTorch modules: read as ours, and written back."""
