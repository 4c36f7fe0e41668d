"""The panels of the app, one a module; `cache` is what they ask of the library, `page` what they look like."""
