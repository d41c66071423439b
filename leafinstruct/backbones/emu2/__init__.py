"""Emu2: words are ids, patches are vectors. Backbone, decoder, picture encoder and diffusion decoder."""
