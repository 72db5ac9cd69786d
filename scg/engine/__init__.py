"""The engines that run programs, and the noise they share."""
