"""The library behind the scripts and the app; see CONTRIBUTING.md for its floors."""
