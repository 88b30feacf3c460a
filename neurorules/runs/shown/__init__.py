"""The views of a result, a comparison or a trace in a notebook: a table and a small picture, as one piece of HTML."""
