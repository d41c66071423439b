"""Infrastructure of builds: artifacts, files, locks, the engine, settings, the Hub."""
