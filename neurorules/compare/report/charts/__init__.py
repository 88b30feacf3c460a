"""Charts as Vega-Lite specifications, one a file; the page's script hands them their rows and the reader's choices."""
