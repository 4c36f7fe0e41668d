"""The panels of the app, one a module; `engine` is what they ask of the library, `page` what they look like."""
