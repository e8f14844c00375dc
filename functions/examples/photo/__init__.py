"""Hold the parts of thumbnail: reading image files, and bringing their colours to RGB."""
