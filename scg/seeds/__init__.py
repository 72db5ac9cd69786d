"""Seeds and the noise that is a pure function of them."""
