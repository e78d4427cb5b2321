"""What a device does while something is measured: memory, clock, heat, power, and who else is using it."""
