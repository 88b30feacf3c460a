"""What a notebook shows of a result, a comparison or a trace: a table and a small picture, as one piece of HTML."""
