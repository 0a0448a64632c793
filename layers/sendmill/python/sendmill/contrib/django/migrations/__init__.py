"""Tables of the app, each empty unless its store is chosen in the settings."""
