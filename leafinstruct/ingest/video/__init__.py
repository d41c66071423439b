"""Videos with subtitles or annotations -> steps with frames."""
