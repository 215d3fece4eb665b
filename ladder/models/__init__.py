"""What a task may ask: its models, opened once, cached, counted, and kept to the rules."""
