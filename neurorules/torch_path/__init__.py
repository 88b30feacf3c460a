"""The fast path: layers as time x batch products and fused scans, no gradient across layers in a local rule."""
