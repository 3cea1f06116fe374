"""From NESTML text to an extension module that NEST can load."""
