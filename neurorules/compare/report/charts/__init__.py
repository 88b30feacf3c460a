"""Charts as Vega-Lite specifications, one per file; the page's script gives them rows and the reader's choices."""
