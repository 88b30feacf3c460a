"""Rules as differential equations in Brian2: parts that all rules share, and one circuit file for each rule."""
