"""What all rooms may use: checks of arguments, lazy attributes, results by name, atomic files."""
