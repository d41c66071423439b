"""What a folder holds, for `leaf init --from`: files recognized, tasted by their readers."""
