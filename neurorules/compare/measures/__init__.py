"""What a comparison measures of every run, and how it counts over seeds. The definitions: docs/comparing.md."""
