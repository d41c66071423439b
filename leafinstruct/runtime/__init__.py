"""What runs and keeps a build: artifacts, the engine, sealed files, settings, the Hub."""
