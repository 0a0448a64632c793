"""Build the zips that Lambda runs: same sources in, same bytes out.

`content` decides what is in an artefact and what its digest is, `thirdparty` fetches what a layer
needs from outside, `archive` writes the zip, `budget` refuses one that has grown too large.
"""
