"""Emu2: words are ids, patches are vectors. Backbone, decoder, image encoder and diffusion decoder."""
