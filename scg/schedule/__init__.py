"""The schedule: a program lowered to the few kinds of work that the engine knows."""
