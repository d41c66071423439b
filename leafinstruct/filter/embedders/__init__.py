"""Models that embed images and texts as vectors of one space, by backend, and the devices that run them."""
