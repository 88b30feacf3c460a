"""The HTML that a notebook shows for a result, a comparison or a trace: a table and a small figure."""
