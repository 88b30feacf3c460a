"""Published models, from their papers' equations, made of the parts that circuits are made of."""
