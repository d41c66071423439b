"""`leaf generate`: an answer of a backbone with an adapter, written to a folder.

The package is not called `generate`, because importing it would hide the function `leafinstruct.generate`.
"""
