"""Published experiments, repeated: protocols, results beside the published ones, pages."""
