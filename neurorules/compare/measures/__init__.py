"""What a comparison measures of every run, and how it averages over seeds; docs/comparing.md defines the measures."""
