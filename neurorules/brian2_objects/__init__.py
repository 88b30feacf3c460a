"""Brian2 objects as data: what a model consists of, built as objects or written as a program for people."""
