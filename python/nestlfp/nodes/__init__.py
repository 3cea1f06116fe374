"""Node models: a filter rendered as NESTML text."""
