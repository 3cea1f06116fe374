"""Filters: what a node computes, exact or reduced, and what it costs."""
