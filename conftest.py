"""Nothing but what this repository needs beyond the plugin, which is installed through its entry point."""
