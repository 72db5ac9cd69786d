"""Lower a program to the few shapes of work that the engine knows."""
