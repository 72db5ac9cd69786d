"""What all rooms may use: checks of arguments, lazy attributes, atomic files."""
